//! As much of HTTP/1.1 as the tests need: one call, and messages as they pass through a proxy.

use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than a long poll.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What comes before the body of a request or an answer.
pub(crate) struct Head {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// An answer, with its body as meant, not as sent.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Head {
    /// `None` where the other side has closed the connection.
    pub(crate) fn read(from: &mut impl BufRead) -> Result<Option<Self>> {
        let mut first_line = String::new();
        if from.read_line(&mut first_line)? == 0 {
            return Ok(None);
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None if line.trim_end().is_empty() => break,
                None => return Err(Error::new(ErrorKind::InvalidData, line)),
            }
        }
        Ok(Some(Self { first_line: first_line.trim_end().to_owned(), headers }))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The second word of an answer's first line.
    pub(crate) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_default()
    }

    pub(crate) fn word(&self, number: usize) -> &str {
        self.first_line.split(' ').nth(number).unwrap_or_default()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let text = format!("{}\r\n{}\r\n", self.first_line, headers.collect::<String>());
        text.into_bytes()
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.contains("chunked"))
    }

    /// The body as sent, chunk sizes and all. `asked` is the method that an answer is for.
    pub(crate) fn body(&self, from: &mut impl BufRead, asked: Option<&str>) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        if asked == Some("HEAD") || asked.is_some() && matches!(self.status(), 100..200 | 204 | 304)
        {
            return Ok(body);
        }
        if self.is_chunked() {
            while read_chunk(from, &mut body)? {}
        } else if let Some(length) = self.header("content-length") {
            let length =
                length.parse().map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            body.resize(length, 0);
            from.read_exact(&mut body)?;
        } else if asked.is_some() {
            from.read_to_end(&mut body)?;
        }
        Ok(body)
    }
}

/// Copies a chunk as it is, and says whether others follow.
fn read_chunk(from: &mut impl BufRead, body: &mut Vec<u8>) -> Result<bool> {
    let size = chunk_size(from, body)?;
    let start = body.len();
    body.resize(start + size + 2, 0);
    from.read_exact(&mut body[start..])?;
    Ok(size > 0)
}

fn chunk_size(from: &mut impl BufRead, copy: &mut Vec<u8>) -> Result<usize> {
    let start = copy.len();
    from.read_until(b'\n', copy)?;
    let line = String::from_utf8_lossy(&copy[start..]);
    let size = line.trim().split(';').next().unwrap_or_default();
    usize::from_str_radix(size, 16).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

fn joined(mut chunks: &[u8]) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let size = chunk_size(&mut chunks, &mut Vec::new())?;
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(&chunks[..size]);
        chunks = &chunks[size + 2..];
    }
}

/// Asks once, on a connection of its own. `address` is host and port.
pub(crate) fn call(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIME_LIMIT))?;
    let mut head = Head {
        first_line: format!("{method} {target} HTTP/1.1"),
        headers: vec![
            ("Host".to_owned(), address.to_owned()),
            ("Content-Length".to_owned(), body.len().to_string()),
            ("Connection".to_owned(), "close".to_owned()),
        ],
    };
    let more = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    head.headers.extend(more);
    stream.write_all(&[&head.bytes(), body].concat())?;
    let mut from = BufReader::new(stream);
    let head = Head::read(&mut from)?.ok_or(ErrorKind::UnexpectedEof)?;
    let sent = head.body(&mut from, Some(method))?;
    let body = if head.is_chunked() { joined(&sent)? } else { sent };
    Ok(Answer { status: head.status(), head, body })
}
