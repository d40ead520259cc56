"""Runs a command and says what it cost. Shared by the scripts beside it."""
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "compare"
ROLECALL = ROOT / "target" / "release" / "rolecall"


class Cost:
    def __init__(self, wall, cpu, peak_mib, output):
        self.wall, self.cpu, self.peak_mib, self.output = wall, cpu, peak_mib, output


def run(command, processors):
    """Runs on the first `processors` processors; the operating system counts, not the command."""
    available = sorted(os.sched_getaffinity(0))[:processors]
    start = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, cwd=ROOT,
        preexec_fn=lambda: os.sched_setaffinity(0, available))
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {os.waitstatus_to_exitcode(status)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def generate(name, megabytes, records):
    """Log files of benches/traffic.rs; made once, kept under target/."""
    folder = WORK / f"{name}-{megabytes}-{records}"
    if not folder.is_dir():
        subprocess.run(
            ["cargo", "bench", "--quiet", "-p", "rolecall-events", "--bench", "events", "--", "--write",
             str(folder), str(megabytes), str(records)], cwd=ROOT, check=True)
    return folder


def rolecall(given):
    if not pathlib.Path(given).is_file():
        sys.exit(f"{given} is missing: cargo build --release -p rolecall")
    return given
