#!/usr/bin/env python3
"""`rolecall worker` at full speed for minutes: does its memory stay, do its handles, is its lag bounded?

    benches/soak/soak.py [--minutes 10] [--binary target/release/rolecall]

Starts the emulator that the tests use (installed under target/soak the first time), puts log files of this very
minute into a bucket as fast as everything keeps up, and watches the worker from outside. Prints figures and a
verdict; ends with 1 where a mark is missed, or where a file is not in the lake exactly once.
"""

import argparse
import gzip
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import quote

TOP = Path(__file__).resolve().parents[2]
WORK = TOP / "target/soak"
ACCOUNT = "111122223333"
BUCKET = "trail"
WRITERS = 2
# Messages that wait; more would only measure how the emulator copes with a long queue.
DEPTH = 400
# The first part of a run is for caches to fill: minutes two to five of ten are compared with the last five.
WARM, HALF = 0.2, 0.5
MEMORY_MARK, HANDLES_MARK, LAG_MARK = 1.1, 1.1, 10.0
# In less time than this, memory still grows to what the settings allow, and its ratio says nothing.
JUDGED_MINUTES = 5

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--minutes", type=float, default=10)
parser.add_argument("--binary", type=Path, default=TOP / "target/release/rolecall")
parser.add_argument("--batch-seconds", type=int, default=10)
parser.add_argument("--records", type=int, default=40, help="records in a log file")
parser.add_argument("--ministack", type=Path, help="the emulator's program, where it is installed already")
args = parser.parse_args()
if not args.binary.exists():
    sys.exit(f"{args.binary}: not there; build it (cargo build --release -p rolecall) or name another by --binary")
BINARY = args.binary.resolve()


def emulator_program():
    if args.ministack:
        return args.ministack
    venv = WORK / "venv"
    if not (venv / "bin/ministack").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pinned = TOP / "tests/tools/emulator.txt"
        subprocess.run([venv / "bin/pip", "install", "--quiet", "--requirement", pinned], check=True)
    return venv / "bin/ministack"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Aws:
    """One connection to the emulator. Each thread has its own."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, service, method, target, body=b"", headers=()):
        scope = f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        self.connection.request(method, target, body, {"Authorization": scope, **dict(headers)})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{service} {method} {target}: {answer.status} {text[:300]}")
        return text

    def sqs(self, action, **body):
        headers = {"X-Amz-Target": f"AmazonSQS.{action}", "Content-Type": "application/x-amz-json-1.0"}
        return json.loads(self.call("sqs", "POST", "/", json.dumps(body).encode(), headers) or b"{}")

    def depth(self, url):
        found = self.sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return [int(found[name]) for name in names]


def now_text(when):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


ROLES = [f"arn:aws:iam::{ACCOUNT}:role/app/service-{number}" for number in range(40)]
CALLS = ["ec2:DescribeInstances", "s3:ListBuckets", "kms:Decrypt", "logs:PutLogEvents", "sqs:ReceiveMessage"]


def record(dice, when, issue):
    number = dice.randrange(len(ROLES))
    role, session = ROLES[number], f"i-{dice.randrange(200):017x}"
    name = role.rsplit("/", 1)[1]
    both = {
        "eventVersion": "1.08", "eventTime": now_text(when), "awsRegion": "us-east-1",
        "sourceIPAddress": f"192.0.2.{dice.randrange(1, 255)}", "userAgent": "aws-sdk-java/2.27 Linux/6.1 vendor/x",
        "requestID": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "eventID": str(uuid.UUID(int=dice.getrandbits(128), version=4)), "readOnly": True,
        "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    if issue:
        return both | {
            "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
            "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            "requestParameters": {"roleArn": role, "roleSessionName": session},
            "responseElements": {
                "credentials": {"accessKeyId": f"ASIA{dice.getrandbits(60):016X}", "expiration": "x"},
                "assumedRoleUser": {"assumedRoleId": f"AROA{number:017d}:{session}",
                                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"}},
        }
    service, call = dice.choice(CALLS).split(":")
    return both | {
        "eventSource": f"{service}.amazonaws.com", "eventName": call,
        "userIdentity": {
            "type": "AssumedRole", "principalId": f"AROA{number:017d}:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}", "accountId": ACCOUNT,
            "accessKeyId": f"ASIA{number:08d}{int(when) // 3600 % 10**8:08d}",
            "sessionContext": {"sessionIssuer": {
                "type": "Role", "principalId": f"AROA{number:017d}", "arn": role, "accountId": ACCOUNT,
                "userName": name}}},
        "requestParameters": {"maxResults": 100, "filter": f"name-{dice.getrandbits(32):08x}"},
        "responseElements": None,
    }


class Load:
    """Puts log files until told to stop, and takes old ones away: the emulator keeps them in memory."""

    def __init__(self, port, url):
        self.port, self.url = port, url
        self.put_at, self.text_bytes, self.lock = {}, 0, threading.Lock()
        self.stop, self.full = threading.Event(), threading.Event()
        work = [self.write] * WRITERS + [self.watch, self.clean]
        self.threads = [threading.Thread(target=do, args=(number,), daemon=True) for number, do in enumerate(work)]
        for thread in self.threads:
            thread.start()

    def write(self, writer):
        aws, dice = Aws(self.port), random.Random(writer)
        number = 0
        while not self.stop.is_set():
            if self.full.is_set():
                time.sleep(0.05)
                continue
            number += 1
            when = time.time()
            text = json.dumps({"Records": [record(dice, when, place == 0) for place in range(args.records)]})
            day = time.gmtime(when)
            name = f"{ACCOUNT}_CloudTrail_us-east-1_{time.strftime('%Y%m%dT%H%MZ', day)}_w{writer}n{number:011d}.json.gz"
            key = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{time.strftime('%Y/%m/%d', day)}/{name}"
            body = gzip.compress(text.encode(), 1)
            aws.call("s3", "PUT", f"/{BUCKET}/{quote(key)}", body)
            with self.lock:
                self.put_at[name] = (time.time(), key)
                self.text_bytes += len(text)

    def watch(self, _):
        aws = Aws(self.port)
        while not self.stop.wait(0.3):
            (self.full.set if aws.depth(self.url)[0] > DEPTH else self.full.clear)()

    def clean(self, _):
        aws, gone = Aws(self.port), set()
        while not self.stop.wait(5):
            old = time.time() - 3 * args.batch_seconds - 60
            with self.lock:
                keys = {key for when, key in self.put_at.values() if when < old} - gone
            for key in keys:
                aws.call("s3", "DELETE", f"/{BUCKET}/{quote(key)}")
            gone |= keys

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def look_at(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
    return resident, len(os.listdir(f"/proc/{process.pid}/fd")), int(re.search(r"Threads:\s+(\d+)", status)[1])


def start(port, url, folder):
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                   "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    command = [BINARY, "worker", "--lake", folder / "lake", "--queue-url", url, "--listen", f"127.0.0.1:{free_port()}",
               "--batch-seconds", str(args.batch_seconds)]
    return subprocess.Popen(command, env=environment, stderr=open(folder / "worker.log", "w")), environment


def quantile(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def main():
    folder = WORK / "run"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    port = free_port()
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
                "LOG_LEVEL": "WARNING", "PATH": os.environ["PATH"], "TMPDIR": str(folder / "tmp"), "HOME": str(folder)}
    emulator = subprocess.Popen([emulator_program()], env=settings, cwd=folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
    worker = None
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                Aws(port).call("s3", "GET", "/_ministack/ready")
                break
            except OSError:
                if time.monotonic() > deadline:
                    sys.exit("the emulator did not start")
                time.sleep(0.2)
        aws = Aws(port)
        url = aws.sqs("CreateQueue", QueueName="log-files")["QueueUrl"]
        aws.call("s3", "PUT", f"/{BUCKET}")
        notify = ("<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:us-east-1:000000000000:log-files"
                  "</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>")
        aws.call("s3", "PUT", f"/{BUCKET}?notification", notify.encode())
        worker, environment = start(port, url, folder)
        return soak(port, aws, url, worker, environment, folder)
    finally:
        for process in [worker, emulator]:
            if process and process.poll() is None:
                process.kill()
                process.wait()


def committed(lake):
    """When each batch became durable: its commit to the ledger is the last, and says which batch it is."""
    durable = {}
    for commit in (lake / "log_files/_delta_log").glob("*.json"):
        for batch in re.findall(r'[0-9a-f-]{16,}', commit.read_text()):
            durable.setdefault(batch, commit.stat().st_mtime)
    return durable


def soak(port, aws, url, worker, environment, folder):
    load = Load(port, url)
    began, samples, said = time.monotonic(), [], 0
    while (passed := time.monotonic() - began) < 60 * args.minutes:
        time.sleep(1)
        if worker.poll() is not None:
            sys.exit(f"the worker ended with {worker.returncode}: see {folder / 'worker.log'}")
        samples.append((passed, *look_at(worker)))
        if passed - said >= 30:
            said = passed
            resident, handles = samples[-1][1:3]
            print(f"{passed / 60:5.1f} min  {len(load.put_at):7} files  {resident:6.0f} MiB  {handles:4} handles  "
                  f"{aws.depth(url)} waiting and held", flush=True)
    load.end()
    seconds = time.monotonic() - began
    deadline = time.monotonic() + 60 + 2 * args.batch_seconds
    while any(aws.depth(url)) and time.monotonic() < deadline:
        time.sleep(0.5)
    left = aws.depth(url)
    worker.send_signal(signal.SIGTERM)
    code = worker.wait(40)

    def rolecall(*command):
        done = subprocess.run([BINARY, *command, "--lake", folder / "lake"], env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr * bool(done.returncode)

    failed, text = rolecall("sql", "--format", "json", "select log_file, batch_id from log_files where status = 'complete'")
    if failed:
        sys.exit(text)
    rows, durable = json.loads(text), committed(folder / "lake")
    found = {row["log_file"].removesuffix(".gz"): durable[row["batch_id"]] for row in rows}
    put = {name.removesuffix(".gz"): when for name, (when, _) in load.put_at.items()}
    missing = sum(name not in found for name in put)
    lags = [found[name] - when for name, when in put.items() if name in found]
    early = [sample for sample in samples if WARM <= sample[0] / seconds < HALF]
    late = [sample for sample in samples if sample[0] / seconds >= HALF]

    def means(column):
        return statistics.mean(row[column] for row in early), statistics.mean(row[column] for row in late)

    memory, handles, threads = means(1), means(2), means(3)
    print(f"\n{seconds / 60:.1f} minutes: {len(put)} log files, {len(put) / seconds:.0f} a second of {args.records} "
          f"records, {load.text_bytes / seconds / 1e6:.1f} MB a second of text")
    marks = [
        (memory[1] <= MEMORY_MARK * memory[0] if args.minutes >= JUDGED_MINUTES else None,
         f"resident memory, minutes {WARM * args.minutes:g} to {HALF * args.minutes:g}: {memory[0]:.0f} MiB, "
         f"from then on: {memory[1]:.0f} MiB, ratio {memory[1] / memory[0]:.3f} (mark {MEMORY_MARK}); most "
         f"{max(sample[1] for sample in samples):.0f} MiB"),
        (handles[1] <= HANDLES_MARK * handles[0],
         f"open handles: {handles[0]:.1f}, then {handles[1]:.1f}; threads: {threads[0]:.1f}, then {threads[1]:.1f}"),
        (quantile(lags, 0.99) <= args.batch_seconds + LAG_MARK if lags else False,
         f"lag from put to commit: half within {quantile(lags or [0], 0.5):.1f} s, 99% within "
         f"{quantile(lags or [0], 0.99):.1f} s (mark {args.batch_seconds} s of batch + {LAG_MARK:.0f} s), most "
         f"{max(lags or [0]):.1f} s"),
        (missing == 0 and len(rows) == len(found) == len(put) and not any(left),
         f"in the lake: {len(rows)} of {len(put)} log files, {missing} missing; left in the queue: {left}"),
        (code == 0, f"exit code after SIGTERM: {code}"),
        (rolecall("check")[0] == 0, "rolecall check"),
    ]
    for good, text in marks:
        print({True: "ok    ", False: "FAILED", None: "-     "}[good], text)
    return 1 if any(good is False for good, _ in marks) else 0


sys.exit(main())
