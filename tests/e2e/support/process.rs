//! Runs a program with a clean environment and a time limit, and says all about it when it disappoints.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far beyond what any of the commands needs, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(480);
const SIGKILL: i32 = 9;

/// A command about to be run.
pub(crate) struct Cmd {
    command: Command,
    stdin: Option<Vec<u8>>,
}

impl Cmd {
    /// The binary under test.
    pub(crate) fn rolecall() -> Self {
        Self::new(env!("CARGO_BIN_EXE_rolecall"))
    }

    /// Any program. Of the environment only the search path is handed on, so that neither credentials
    /// nor settings of whoever runs the tests change them.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        Self { command, stdin: None }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Hands on what tells cargo and rustup where they are.
    pub(crate) fn envs_of_cargo(mut self) -> Self {
        let names = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
        let known = names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        self.command.envs(known);
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it as another user of the system.
    pub(crate) fn user(mut self, id: u32) -> Self {
        self.command.uid(id);
        self
    }

    /// Its standard output goes there instead of being kept.
    pub(crate) fn stdout_to(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.command.stdin(Stdio::piped());
        self.stdin = Some(text.into());
        self
    }

    /// The same program and arguments, run by a shell after `preparation`.
    pub(crate) fn after_shell(self, preparation: &str) -> Self {
        let mut shell = Self::new("sh").args(["-c", &format!("{preparation}; exec \"$0\" \"$@\"")]);
        shell.command.arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            shell.command.env(name, value.unwrap());
        }
        if let Some(dir) = self.command.get_current_dir() {
            shell.command.current_dir(dir);
        }
        shell
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Run {
        self.start().wait()
    }

    /// Starts it, unless the system will not let us.
    pub(crate) fn try_start(mut self) -> std::io::Result<Running> {
        let line = format!("{:?}", self.command);
        let started = Instant::now();
        let mut child = self.command.spawn()?;
        if let Some(text) = self.stdin {
            let mut stdin = child.stdin.take().unwrap();
            // A program that ends without reading is no failure of ours.
            std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &text).ok());
        }
        let stdout = read_all(child.stdout.take());
        let stderr = read_all(child.stderr.take());
        Ok(Running { line, started, child, stdout, stderr })
    }

    /// Starts it, to be waited for or killed.
    pub(crate) fn start(self) -> Running {
        let line = format!("{:?}", self.command);
        self.try_start().unwrap_or_else(|error| panic!("failed to start {line}: {error}"))
    }
}

/// What a process has written so far, and the thread that goes on reading it.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    fn all(self) -> Vec<u8> {
        self.reader.join().unwrap();
        std::mem::take(&mut self.bytes.lock().unwrap())
    }
}

fn read_all(from: Option<impl Read + Send + 'static>) -> Output {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bytes);
    let reader = std::thread::spawn(move || {
        let Some(mut from) = from else { return };
        let mut some = [0; 16_384];
        loop {
            match from.read(&mut some).unwrap() {
                0 => return,
                length => kept.lock().unwrap().extend_from_slice(&some[..length]),
            }
        }
    });
    Output { bytes, reader }
}

/// A process under way.
pub(crate) struct Running {
    line: String,
    started: Instant,
    child: Child,
    stdout: Output,
    stderr: Output,
}

impl Running {
    /// Sends a signal, such as `TERM`, unless it has ended.
    pub(crate) fn signal(&mut self, name: &str) {
        if !self.has_ended() {
            let id = self.id().to_string();
            let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
            assert!(sent.success(), "kill -s {name} {id}");
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stderr.so_far()).into_owned()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Run {
        let status = self.wait_until(self.started + TIME_LIMIT);
        let timed_out = status.is_none();
        let run = self.finish(status);
        assert!(!timed_out, "ran for more than {TIME_LIMIT:?}: {run}");
        run
    }

    /// Waits so long, then kills it.
    pub(crate) fn wait_or_kill(mut self, limit: Duration) -> Run {
        let status = self.wait_until(Instant::now() + limit);
        self.finish(status)
    }

    /// Kills it at `instant` after its start, unless it has ended before.
    pub(crate) fn kill_after(mut self, instant: Duration) -> Run {
        let status = self.wait_until(self.started + instant);
        self.finish(status)
    }

    fn wait_until(&mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            std::thread::sleep(left.min(Duration::from_millis(2)));
        }
    }

    fn finish(mut self, status: Option<ExitStatus>) -> Run {
        let status = status.unwrap_or_else(|| {
            self.child.kill().unwrap();
            self.child.wait().unwrap()
        });
        Run {
            line: self.line,
            status,
            took: self.started.elapsed(),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

/// A process that has ended.
pub(crate) struct Run {
    line: String,
    status: ExitStatus,
    pub(crate) took: Duration,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Run {
    /// It must have ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "exit code: {self}");
        self
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(SIGKILL)
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// It came to its end, whatever it thought of its input.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.status.code(), Some(0 | 5))
    }

    #[track_caller]
    pub(crate) fn stdout(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap_or_else(|_| panic!("stdout is not UTF-8: {self}"))
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Its standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON ({error}): {self}"))
    }

    /// A line of its standard error must name all of `parts`.
    #[track_caller]
    pub(crate) fn complains_of(&self, parts: &[&str]) {
        let stderr = self.stderr();
        let found = stderr.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no line of standard error names {parts:?}: {self}");
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            match text.char_indices().nth(4_000) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text.into_owned(),
            }
        };
        write!(
            f,
            "{}\nended with {} after {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.status,
            self.took,
            text(&self.stdout),
            text(&self.stderr)
        )
    }
}
