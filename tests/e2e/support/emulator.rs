//! AWS on this machine: MiniStack, one per test program, a bucket of its own for each test; and a second one
//! that enforces IAM, for the tests of what is deployed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use futures::StreamExt as _;
use tokio::runtime::Runtime;

use super::python;

const REGION: &str = "us-east-1";
const START_LIMIT: Duration = Duration::from_secs(60);
/// Another program may take the free port before the emulator does.
const START_ATTEMPTS: usize = 5;
const UPLOADS_AT_ONCE: usize = 16;

struct Emulator {
    endpoint: String,
    client: Client,
    runtime: Runtime,
    names: AtomicU32,
    /// Held, because its standard input is: see [`start`].
    _shell: Option<Child>,
}

/// A bucket of one test.
#[derive(Clone)]
pub(crate) struct Bucket {
    name: String,
    emulator: &'static Emulator,
}

/// The emulator that checks signatures and enforces IAM; `test` and `test` are its root's credentials.
pub(crate) struct Enforcing(&'static Emulator);

impl Enforcing {
    pub(crate) fn start() -> Self {
        static EMULATOR: OnceLock<Emulator> = OnceLock::new();
        Self(EMULATOR.get_or_init(|| Emulator::start(true)))
    }

    pub(crate) fn endpoint(&self) -> &'static str {
        &self.0.endpoint
    }

    /// A bucket that is there, with root's rights.
    pub(crate) fn bucket(&self, name: &str) -> Bucket {
        Bucket { name: name.to_owned(), emulator: self.0 }
    }
}

/// Tells a test program that another one started where the emulator of that one is.
pub(crate) const ENDPOINT_VARIABLE: &str = "ROLECALL_TEST_EMULATOR";

fn emulator() -> &'static Emulator {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    EMULATOR.get_or_init(|| match std::env::var(ENDPOINT_VARIABLE) {
        Ok(endpoint) => Emulator::at(endpoint, None),
        Err(_) => Emulator::start(false),
    })
}

/// Where the emulator is: `http://` and so on.
pub(crate) fn endpoint() -> &'static str {
    &emulator().endpoint
}

/// A name that no other resource in the emulator has.
pub(crate) fn fresh_name(what: &str) -> String {
    let number = emulator().names.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{number}", std::process::id())
}

/// A new, empty bucket.
pub(crate) fn bucket() -> Bucket {
    let emulator = emulator();
    let bucket = Bucket { name: fresh_name("trail-bucket"), emulator };
    let create = emulator.client.create_bucket().bucket(&bucket.name);
    emulator.runtime.block_on(async { create.send().await }).unwrap();
    bucket
}

impl Bucket {
    /// `s3://` and its name.
    pub(crate) fn uri(&self) -> String {
        format!("s3://{}", self.name)
    }

    /// What a program needs to be told to find it.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", self.emulator.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", REGION),
        ]
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// For what this file has no function for.
    pub(crate) fn client(&self) -> &Client {
        &self.emulator.client
    }

    /// Waits for what the client was asked.
    pub(crate) fn wait<F: Future>(&self, asked: F) -> F::Output {
        self.emulator.runtime.block_on(asked)
    }

    pub(crate) fn put(&self, objects: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let uploads = objects.into_iter().map(|(key, bytes)| {
            let put = self.emulator.client.put_object().bucket(&self.name).key(key);
            async { put.body(bytes.into()).send().await }
        });
        let all = futures::stream::iter(uploads).buffer_unordered(UPLOADS_AT_ONCE);
        self.emulator.runtime.block_on(all.for_each(async |upload| drop(upload.unwrap())));
    }
}

impl Emulator {
    fn start(enforcing: bool) -> Self {
        let programs = python("emulator");
        for _ in 0..START_ATTEMPTS {
            let folder = tempfile::tempdir().unwrap().keep();
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut shell = start(&programs.join("ministack"), address, &folder, enforcing);
            if !answers_in_time(address) {
                drop(shell.stdin.take());
                shell.wait().unwrap();
                continue;
            }
            return Self::at(format!("http://{address}"), Some(shell));
        }
        panic!("the emulator did not start in {START_ATTEMPTS} attempts");
    }

    fn at(endpoint: String, shell: Option<Child>) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .region(Region::from_static(REGION))
            .build();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self {
            endpoint,
            client: Client::from_conf(config),
            runtime: runtime.unwrap(),
            names: AtomicU32::new(0),
            _shell: shell,
        }
    }
}

/// Starts the emulator below a shell that reads from a pipe of ours. However the test program ends, a
/// SIGKILL included, the pipe closes with it, and the shell ends the emulator and removes its folder.
fn start(program: &Path, address: SocketAddr, folder: &Path, enforcing: bool) -> Child {
    let watch = r#""$0" & emulator=$!; read -r _; kill "$emulator"; wait "$emulator"; rm -r "$1""#;
    Command::new("sh")
        .args(["-c", watch])
        .args([program, folder])
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
        // Without these two it would open ports of its own, and listen to the network.
        .envs([("IOT_MTLS_ENABLED", "0"), ("SFTP_ENABLED", "0")])
        .env("BIND_HOST", address.ip().to_string())
        .env("GATEWAY_PORT", address.port().to_string())
        .env("LOG_LEVEL", "WARNING")
        .env("AUTH", enforcing.to_string())
        .env("TMPDIR", folder)
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn answers_in_time(address: SocketAddr) -> bool {
    let started = Instant::now();
    while started.elapsed() < START_LIMIT {
        if is_ready(address).unwrap_or(false) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(b"GET /_ministack/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1) == Some("200"))
}
