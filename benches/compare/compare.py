#!/usr/bin/env python3
"""The whole `rolecall ingest` against DuckDB and chDB doing the same extraction on the same files.

    benches/compare/compare.py [--megabytes N] [--records N] [--rounds N] [--rolecall FILE] [--folder DIR]

Prints ratios of one run: wall time, processor time and peak memory of each peer over rolecall's. A peer's
start-up (Python and the engine's own) is taken off its times; rolecall's is not.
"""
import argparse
import ast
import json
import pathlib
import shutil
import subprocess
import sys
import venv

from measure import ROLECALL, WORK, generate, rolecall, run

THREADS = 2
HERE = pathlib.Path(__file__).resolve().parent


def python():
    """An interpreter with the pinned peers, in an environment of its own under target/."""
    home = WORK / "venv"
    interpreter = home / "bin" / "python"
    stamp = home / "requirements.txt"
    wanted = (HERE / "requirements.txt").read_text()
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        stamp.write_text(wanted)
    return interpreter


def fresh(name):
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def fastest(costs):
    return min(costs, key=lambda cost: cost.wall)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=300, help="inflated size of the files (default 300)")
    parser.add_argument("--records", type=int, default=3000, help="records in each file (default 3000)")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of so many counts (default 3)")
    parser.add_argument("--rolecall", default=ROLECALL, help="release binary")
    parser.add_argument("--folder", help="read these *.json.gz instead of generated ones")
    given = parser.parse_args()
    binary = rolecall(given.rolecall)
    folder = pathlib.Path(given.folder).resolve() if given.folder else generate("files", given.megabytes, given.records)
    interpreter = python()

    costs = {"rolecall": [], "duckdb": [], "chdb": []}
    for _ in range(given.rounds):
        lake = fresh("lake")
        costs["rolecall"].append(run(
            [binary, "ingest", folder, "--lake", lake, "--threads", THREADS, "--format", "json"], THREADS))
        for peer in ("duckdb", "chdb"):
            idle = run([interpreter, HERE / "peers.py", peer, "--start-only"], THREADS)
            cost = run([interpreter, HERE / "peers.py", peer, folder, fresh(peer)], THREADS)
            cost.wall -= idle.wall
            cost.cpu -= idle.cpu
            costs[peer].append(cost)

    best = {name: fastest(all_of_it) for name, all_of_it in costs.items()}
    ours = best["rolecall"]
    report = json.loads(ours.output)
    report = report[0] if isinstance(report, list) else report
    print(f"{report['log_files']} files, {report['bytes_inflated'] / 1e6:.0f} MB inflated, "
          f"{report['records']} records, {THREADS} threads each")
    for peer in ("duckdb", "chdb"):
        theirs = best[peer]
        credential, activity = ast.literal_eval(theirs.output)
        if credential != report["credential_events"]:
            sys.exit(f"{peer} found {credential} credential events, rolecall {report['credential_events']}")
        print(f"{peer:>7} / rolecall: wall time {theirs.wall / ours.wall:.2f}, processor time "
              f"{theirs.cpu / ours.cpu:.2f}, peak memory {theirs.peak_mib / ours.peak_mib:.2f}   "
              f"({activity} rows of activity)")


if __name__ == "__main__":
    main()
