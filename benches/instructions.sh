#!/bin/sh
# Instructions of the hot path as a ratio to those of libdeflate, counted by valgrind: the same figure on
# a busy machine as on an idle one, which makes it the one to compare two commits with. Not time: the
# instructions of a parser wait less for memory than those of a decoder.
#
#     benches/instructions.sh
set -eu
cd "$(dirname "$0")/.."
bench=$(cargo bench --quiet -p rolecall-events --bench events --no-run --message-format=json |
    sed -n 's/.*"name":"events".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
        --toggle-collect="*$1*" "$bench" --count-instructions 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
inflate=$(count events8inflate_all)
read=$(count events8read_all)
echo "$inflate $read" | awk '{
    printf "instructions: libdeflate alone %.0f M, read %.0f M, ratio %.2f\n", $1 / 1e6, $2 / 1e6, $2 / $1 }'
