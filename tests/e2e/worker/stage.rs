//! A queue, a trail's bucket and a lake, and workers between them that do not outlive their test.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::support::{
    Answer, Bucket, Cmd, Ground, Lake, NotificationPath, Proxy, Run, Running, Scratch, TestQueue,
    bucket, call,
};

/// ECS sends SIGKILL so long after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const START_LIMIT: Duration = Duration::from_secs(60);

/// Where a test of the worker takes place. All that its workers ask of AWS passes the proxy.
pub(super) struct Stage {
    pub(super) scratch: Scratch,
    pub(super) trail: Bucket,
    pub(super) queue: TestQueue,
    pub(super) proxy: Proxy,
}

impl Stage {
    /// The lake lies on `ground`. A message received more than `max_receive_count` times is a dead letter.
    pub(super) fn new(ground: Ground, max_receive_count: u32) -> Self {
        Self {
            scratch: Scratch::new(ground),
            trail: bucket(),
            queue: TestQueue::new(max_receive_count),
            proxy: Proxy::new(1),
        }
    }

    /// The same, with S3's notifications of new log files.
    pub(super) fn notified(ground: Ground, max_receive_count: u32) -> Self {
        let stage = Self::new(ground, max_receive_count);
        stage.queue.listen_to(&stage.trail, NotificationPath::Direct);
        stage
    }

    pub(super) fn lake(&self) -> Lake<'_> {
        self.scratch.lake("lake")
    }

    /// Has a command reach AWS through the proxy.
    pub(super) fn proxied(&self, cmd: Cmd) -> Cmd {
        let environment = self.trail.environment().into_iter();
        let cmd = environment.fold(cmd, |cmd, (name, value)| cmd.env(name, value));
        cmd.env("AWS_ENDPOINT_URL", self.proxy.endpoint())
    }

    pub(super) fn worker_cmd(&self, flags: &[&str]) -> Cmd {
        let cmd = self.lake().command("worker").args(["--queue-url", &self.queue.url()]);
        self.proxied(cmd.args(["--listen", "127.0.0.1:0"]).args(flags))
    }

    /// Starts a worker.
    pub(super) fn worker(&self, flags: &[&str]) -> Worker {
        let running = self.worker_cmd(flags).start();
        end_with_this_program(running.id());
        Worker { running: Some(running), address: None }
    }

    /// A worker that takes whatever the queue holds, and ends.
    pub(super) fn drain(&self) -> Run {
        self.worker_cmd(&["--drain", "--batch-seconds", "1"]).run().exits(0)
    }

    /// Waits until nothing lies in the queue, hidden or not.
    #[track_caller]
    pub(super) fn wait_for_empty_queue(&self, limit: Duration) {
        until(limit, || {
            let left = self.queue.messages();
            if left.is_empty() { Ok(()) } else { Err(format!("left in the queue: {left:?}")) }
        });
    }
}

/// A worker goes on for ever, also when the test program is killed. So a shell reads the ids of all workers
/// from a pipe of ours; when that closes, it kills those that are left.
fn end_with_this_program(id: u32) {
    static WATCH: OnceLock<Mutex<Child>> = OnceLock::new();
    let watch = WATCH.get_or_init(|| {
        let script = r#"while read -r id; do ids="$ids $id"; done
            for id in $ids; do
                read -r name < "/proc/$id/comm" && [ "$name" = rolecall ] && kill -s KILL "$id"
            done"#;
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", script]).stdin(Stdio::piped());
        Mutex::new(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    });
    let mut watch = watch.lock().unwrap();
    writeln!(watch.stdin.as_mut().unwrap(), "{id}").unwrap();
}

/// Asks again and again until it is so.
#[track_caller]
pub(super) fn until(limit: Duration, mut is_so: impl FnMut() -> Result<(), String>) {
    let started = Instant::now();
    while let Err(why) = is_so() {
        assert!(started.elapsed() < limit, "not within {limit:?}: {why}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A worker under way; killed when dropped.
pub(super) struct Worker {
    running: Option<Running>,
    address: Option<String>,
}

impl Worker {
    fn running(&mut self) -> &mut Running {
        self.running.as_mut().unwrap()
    }

    /// Where it listens, which it says in its log.
    pub(super) fn address(&mut self) -> String {
        if let Some(address) = &self.address {
            return address.clone();
        }
        let mut found = None;
        until(START_LIMIT, || {
            let log = self.running().stderr_so_far();
            let mut lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
            let listening = lines.find(|line: &serde_json::Value| line["message"] == "listening");
            found = listening.and_then(|line| Some(line["address"].as_str()?.to_owned()));
            if found.is_none() && self.running().has_ended() {
                panic!("the worker has ended: {log}");
            }
            found.as_ref().map(drop).ok_or(log)
        });
        self.address.clone_from(&found);
        found.unwrap()
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        let address = self.address();
        call(&address, "GET", path, &[], b"").unwrap_or_else(|error| {
            panic!("GET {path}: {error}; {}", self.running().stderr_so_far())
        })
    }

    /// The value of a metric, such as `rolecall_commits_total` or `rolecall_x_total{outcome="y"}`.
    #[track_caller]
    pub(super) fn metric(&mut self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no metric {name}: {text}"))
    }

    /// Waits until it says whether it is ready, and returns its reason if it is not.
    #[track_caller]
    pub(super) fn wait_until_ready(&mut self, ready: bool) -> String {
        let mut said = String::new();
        until(START_LIMIT, || {
            let answer = self.get("/health/ready");
            said = answer.text();
            match (answer.status, ready) {
                (200, true) | (503, false) => Ok(()),
                _ => Err(format!("{} {said} {}", answer.status, self.running().stderr_so_far())),
            }
        });
        assert_eq!(self.get("/health/live").status, 200);
        said
    }

    pub(super) fn signal(&mut self, name: &str) {
        self.running().signal(name);
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.running().has_ended()
    }

    pub(super) fn kill(mut self) -> Run {
        self.running.take().unwrap().wait_or_kill(Duration::ZERO)
    }

    /// Waits for its end.
    pub(super) fn wait(mut self, limit: Duration) -> Run {
        self.running.take().unwrap().wait_or_kill(limit)
    }

    /// Stops it as ECS does. It must end in time, and well.
    #[track_caller]
    pub(super) fn stop(mut self) -> Run {
        self.signal("TERM");
        self.wait(STOP_LIMIT).exits(0)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let run = running.wait_or_kill(Duration::ZERO);
            if std::thread::panicking() {
                eprintln!("a worker: {run}");
            }
        }
    }
}
