#!/bin/sh
# Runs the fuzz targets on the pinned stable toolchain: coverage feedback, no sanitizer.
#
#     fuzz/run.sh [SECONDS]     each target for so long (60 unless said); 0 only builds and reads the seeds
#
# With a nightly toolchain and cargo-fuzz, `cargo +nightly fuzz run parse fuzz/corpus/parse
# fuzz/seeds/parse` runs the same targets under the address sanitizer.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
# --target keeps the flags from build scripts.
target=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing $coverage" cargo build --release --target "$target"
if [ "$seconds" = 0 ]; then limit="-runs=0"; else limit="-max_total_time=$seconds"; fi
for name in inflate parse; do
    mkdir -p "corpus/$name" "artifacts/$name"
    "target/$target/release/$name" "$limit" -max_len=16384 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="artifacts/$name/" "corpus/$name" "seeds/$name"
done
