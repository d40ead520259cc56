//! A proxy before the emulator that fails calls on purpose, on either side of their effect.
//!
//! Understands HTTP/1.1, because what matters is which call fails, and when. Keeps a list of the calls it saw,
//! and the receipts of the messages that it handed on. What fails is decided by a rule that a test gives.

use std::collections::BTreeMap;
use std::io::{BufReader, ErrorKind, Result, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::http::Head;
use super::{Chance, endpoint};

/// How a call fails, or is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An error in place of the call.
    Refuse(u16, &'static str),
    /// The connection is closed before the call was handed on.
    CloseBefore,
    /// The call is done, but its answer never arrives.
    CloseAfter,
    /// Half of the answer's body arrives.
    Cut,
    /// The answer arrives later.
    Delay(Duration),
    /// The second half of the answer's body arrives later.
    Stall(Duration),
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Refuse(..) => "refused",
            Self::CloseBefore => "closed before",
            Self::CloseAfter => "closed after",
            Self::Cut => "cut",
            Self::Delay(_) => "delayed",
            Self::Stall(_) => "stalled",
        }
    }
}

/// What somebody asks AWS for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// Action of SQS; `None` for S3.
    pub(crate) sqs: Option<String>,
    /// Action of another service that is asked in JSON, such as `ListAccounts`.
    json: Option<String>,
    /// What is asked for in a form, as IAM and STS are; empty for others.
    pub(crate) form: String,
}

impl Call {
    fn of(head: &Head, body: &[u8]) -> Self {
        let is_form = head.header("content-type").is_some_and(|kind| kind.contains("urlencoded"));
        let target = head.header("x-amz-target");
        let action = target.and_then(|target| target.strip_prefix("AmazonSQS."));
        let json = target.filter(|_| action.is_none()).and_then(|target| target.rsplit('.').next());
        Self {
            method: head.word(0).to_owned(),
            target: head.word(1).to_owned(),
            sqs: action.map(str::to_owned),
            json: json.map(str::to_owned),
            form: if is_form { String::from_utf8_lossy(body).into_owned() } else { String::new() },
        }
    }

    pub(crate) fn is_sqs(&self, action: &str) -> bool {
        self.sqs.as_deref() == Some(action)
    }

    /// It asks a service other than S3 and SQS for this.
    pub(crate) fn is_action(&self, action: &str) -> bool {
        let json = self.json.as_deref() == Some(action);
        json || self.form.split('&').any(|field| field.strip_prefix("Action=") == Some(action))
    }

    /// It fetches an object whose key ends so.
    pub(crate) fn fetches(&self, ending: &str) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        self.method == "GET" && self.sqs.is_none() && path.ends_with(ending)
    }

    /// It is about something in this bucket.
    pub(crate) fn is_in(&self, bucket: &str) -> bool {
        let path = self.target.strip_prefix('/').unwrap_or_default();
        let first = path.split(['/', '?']).next().unwrap_or_default();
        self.sqs.is_none() && first == bucket
    }
}

/// A message that was handed to somebody.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) receipt: String,
    pub(crate) body: String,
}

type Rule = Box<dyn FnMut(&Call, &mut Chance) -> Option<Fault> + Send>;

struct Shared {
    chance: Chance,
    rule: Rule,
    calls: Vec<Call>,
    faults: BTreeMap<&'static str, usize>,
    handed: Vec<Handed>,
}

/// A proxy; it listens as long as the test program runs.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Proxy {
    /// Fails nothing until it is given a rule.
    pub(crate) fn new(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared {
            chance: Chance::from_seed(seed),
            rule: Box::new(|_, _| None),
            calls: Vec::new(),
            faults: BTreeMap::new(),
            handed: Vec::new(),
        }));
        let kept = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&kept);
                // Whoever goes away in the middle of a call is no failure of ours.
                std::thread::spawn(move || serve(&client, &shared).ok());
            }
        });
        Self { address, shared }
    }

    /// What `AWS_ENDPOINT_URL` has to be.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, calls fail as `rule` says.
    pub(crate) fn fail(
        &self,
        rule: impl FnMut(&Call, &mut Chance) -> Option<Fault> + Send + 'static,
    ) {
        self.shared.lock().unwrap().rule = Box::new(rule);
    }

    /// From now on, nothing fails.
    pub(crate) fn heal(&self) {
        self.fail(|_, _| None);
    }

    /// How many calls there were of this kind, those that failed too.
    pub(crate) fn count(&self, is_meant: impl Fn(&Call) -> bool) -> usize {
        self.shared.lock().unwrap().calls.iter().filter(|call| is_meant(call)).count()
    }

    /// How many calls failed, by how they did.
    pub(crate) fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.shared.lock().unwrap().faults.clone()
    }

    /// The messages that were handed out since this was last asked.
    pub(crate) fn take_handed(&self) -> Vec<Handed> {
        std::mem::take(&mut self.shared.lock().unwrap().handed)
    }
}

impl Shared {
    fn judge(&mut self, call: &Call) -> Option<Fault> {
        let fault = (self.rule)(call, &mut self.chance);
        self.calls.push(call.clone());
        if let Some(fault) = fault {
            *self.faults.entry(fault.name()).or_default() += 1;
        }
        fault
    }

    fn keep_handed(&mut self, body: &[u8]) {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let messages = answer["Messages"].as_array();
        self.handed.extend(messages.into_iter().flatten().map(|message| Handed {
            receipt: message["ReceiptHandle"].as_str().unwrap_or_default().to_owned(),
            body: message["Body"].as_str().unwrap_or_default().to_owned(),
        }));
    }
}

/// Serves one connection until either side closes it, or a fault does.
fn serve(mut client: &TcpStream, shared: &Mutex<Shared>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut from = BufReader::new(client.try_clone()?);
    while let Some(mut head) = Head::read(&mut from)? {
        if head.header("expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            head.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("expect"));
        }
        let body = head.body(&mut from, None)?;
        let call = Call::of(&head, &body);
        let fault = shared.lock().unwrap().judge(&call);
        match fault {
            Some(Fault::Refuse(status, code)) => {
                client.write_all(&refusal(&call, status, code))?;
                continue;
            }
            Some(Fault::CloseBefore) => return Ok(()),
            Some(Fault::Delay(time)) => std::thread::sleep(time),
            _ => {}
        }
        let (answer, body) = forward(&head, &body)?;
        if call.is_sqs("ReceiveMessage") {
            shared.lock().unwrap().keep_handed(&body);
        }
        let (first, second) = body.split_at(body.len() / 2);
        if fault == Some(Fault::CloseAfter) {
            return Ok(());
        }
        client.write_all(&[&answer.bytes(), first].concat())?;
        match fault {
            Some(Fault::Cut) => return Ok(()),
            Some(Fault::Stall(time)) => std::thread::sleep(time),
            _ => {}
        }
        client.write_all(second)?;
    }
    Ok(())
}

/// Hands a call on, on a connection of its own, so that none is reused that the other side has closed.
fn forward(head: &Head, body: &[u8]) -> Result<(Head, Vec<u8>)> {
    let address = endpoint().strip_prefix("http://").unwrap_or_default();
    let mut server = TcpStream::connect(address)?;
    server.set_nodelay(true)?;
    server.write_all(&[&head.bytes(), body].concat())?;
    let mut from = BufReader::new(server);
    let answer = Head::read(&mut from)?.ok_or(ErrorKind::UnexpectedEof)?;
    let body = answer.body(&mut from, Some(head.word(0)))?;
    Ok((answer, body))
}

/// An error in the words of S3, SQS or IAM.
fn refusal(call: &Call, status: u16, code: &str) -> Vec<u8> {
    let (kind, body) = if call.sqs.is_some() || call.json.is_some() {
        let body =
            format!("{{\"__type\":\"com.amazonaws.sqs#{code}\",\"message\":\"on purpose\"}}");
        ("application/x-amz-json-1.0", body)
    } else {
        let body = format!("<Error><Code>{code}</Code><Message>on purpose</Message></Error>");
        let body = match call.form.is_empty() {
            true => body,
            false => format!("<ErrorResponse>{body}</ErrorResponse>"),
        };
        ("application/xml", body)
    };
    let length = body.len();
    let body = if call.method == "HEAD" { String::new() } else { body };
    let head = Head {
        first_line: format!("HTTP/1.1 {status} Fault"),
        headers: vec![
            ("Content-Type".to_owned(), kind.to_owned()),
            ("Content-Length".to_owned(), length.to_string()),
        ],
    };
    [head.bytes(), body.into_bytes()].concat()
}
