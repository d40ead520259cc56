//! S3 on this machine: MiniStack, one per test program, a bucket of its own for each test.

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
    buckets: AtomicU32,
    /// Held, because its standard input is: see [`start`].
    _shell: Child,
}

/// A bucket of one test.
#[derive(Clone)]
pub(crate) struct Bucket {
    name: String,
    emulator: &'static Emulator,
}

/// A new, empty bucket.
pub(crate) fn bucket() -> Bucket {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    let emulator = EMULATOR.get_or_init(Emulator::start);
    let number = emulator.buckets.fetch_add(1, Ordering::Relaxed);
    let bucket = Bucket { name: format!("trail-bucket-{number}"), emulator };
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
    fn start() -> Self {
        let programs = python("emulator");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        for _ in 0..START_ATTEMPTS {
            let folder = tempfile::tempdir().unwrap().keep();
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut shell = start(&programs.join("ministack"), address, &folder);
            if !answers_in_time(address) {
                drop(shell.stdin.take());
                shell.wait().unwrap();
                continue;
            }
            let endpoint = format!("http://{address}");
            let config = aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
                .endpoint_url(&endpoint)
                .force_path_style(true)
                .region(Region::from_static(REGION))
                .build();
            return Self {
                endpoint,
                client: Client::from_conf(config),
                runtime: runtime.unwrap(),
                buckets: AtomicU32::new(0),
                _shell: shell,
            };
        }
        panic!("the S3 emulator did not start in {START_ATTEMPTS} attempts");
    }
}

/// Starts the emulator below a shell that reads from a pipe of ours. However the test program ends, a
/// SIGKILL included, the pipe closes with it, and the shell ends the emulator and removes its folder.
fn start(program: &Path, address: SocketAddr, folder: &Path) -> Child {
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
