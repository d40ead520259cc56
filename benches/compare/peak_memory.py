#!/usr/bin/env python3
"""Peak memory of `rolecall ingest` with its default settings, on files near CloudTrail's limit of 50 MB.

    benches/compare/peak_memory.py [--megabytes N] [--records N] [--rolecall FILE]

The one figure that is no ratio: the promise is 400 MiB. Exits with 1 above it.
"""
import argparse
import os
import shutil
import sys

from measure import ROLECALL, WORK, generate, rolecall, run

PROMISE_MIB = 400


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=600, help="inflated size of the files (default 600)")
    parser.add_argument("--records", type=int, default=39000, help="records in each file (default 39000, 50 MB)")
    parser.add_argument("--rolecall", default=ROLECALL, help="release binary")
    given = parser.parse_args()
    binary = rolecall(given.rolecall)
    folder = generate("files", given.megabytes, given.records)
    lake = WORK / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    cost = run([binary, "ingest", folder, "--lake", lake, "--format", "json"], os.cpu_count())
    print(f"peak memory {cost.peak_mib:.0f} MiB of {PROMISE_MIB} ({cost.output.strip()})")
    sys.exit(cost.peak_mib > PROMISE_MIB)


if __name__ == "__main__":
    main()
