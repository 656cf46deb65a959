//! Calls to a running node's admin API, over plain HTTP on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use crate::base::clock::Timestamp;
use crate::base::{limits, names};
use crate::cli::Exit;
use crate::cli::args::Node;
use crate::node::secret_of;
use crate::telemetry::time::write_rfc3339;

/// How long a node may take to answer an operator; whoever follows hears from it more often.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take where the call says how long to wait for others: what the node gives any
/// call, and a little for the way.
const LONG_PATIENCE: Duration = limits::CALL_WITHIN.to_duration().saturating_add(PATIENCE);

/// One call, as it is sent.
pub(super) struct Sent<'a> {
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) path: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: &'a [u8],
    /// Whether the call says how long it waits for others.
    pub(super) waits: bool,
}

/// Calls the node; prints why not, and what to try, when that fails.
pub(super) fn call(
    node: &Node,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), Exit> {
    let waits = body.is_some_and(|body| body["wait"].is_string());
    let body = body.map(Value::to_string).unwrap_or_default();
    let body = body.as_bytes();
    let (status, answer) =
        send(node, &Sent { method, path, content_type: "application/json", body, waits })?;
    let text = || Value::from(String::from_utf8_lossy(&answer).trim());
    Ok((status, serde_json::from_slice(&answer).unwrap_or_else(|_| text())))
}

/// The same, with bytes both ways.
pub(super) fn send(node: &Node, sent: &Sent<'_>) -> Result<(u16, Vec<u8>), Exit> {
    let token = token(node)?;
    request(&node.admin, sent, token.as_deref()).map_err(|cause| {
        eprintln!("error: {} does not answer: {cause}", node.admin);
        eprintln!("help: start a node with `cistern run`, or name its admin API with --admin");
        Exit::Unreachable
    })
}

/// The query of a call. All that is not plain is escaped (RFC 3986, 2.1).
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(&escaped(value));
    }
    text
}

/// A text as a part of a path or a query.
pub(super) fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = std::fmt::Write::write_fmt(&mut plain, format_args!("%{byte:02X}"));
        }
    }
    plain
}

/// What is shown to the node; never said on the command line, where others could read it.
fn token(node: &Node) -> Result<Option<String>, Exit> {
    let text = if let Some(path) = &node.token_file {
        Some(secret_of(path, limits::SECRET_FILE_BYTES_MAX).map_err(|error| {
            eprintln!("error: {}: {error}", path.display());
            Exit::Usage
        })?)
    } else {
        let mut all = super::environment().into_iter();
        all.find(|(name, _)| name == names::CISTERN_ADMIN_TOKEN).map(|(_, token)| token)
    };
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| !text.bytes().all(|byte| byte.is_ascii_graphic())) {
        eprintln!("error: the token holds characters that no token has");
        return Err(Exit::Usage);
    }
    Ok(text)
}

/// Whether the next line is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Enough,
}

/// A GET whose answer is lines, each taken as it comes; empty ones only show that the node is
/// there.
pub(super) fn lines(node: &Node, path: &str, mut take: impl FnMut(&str) -> Flow) -> Exit {
    let token = match token(node) {
        Ok(token) => token,
        Err(exit) => return exit,
    };
    let away = |cause: std::io::Error| {
        eprintln!("error: {} does not answer any more: {cause}", node.admin);
        Exit::Unreachable
    };
    // In HTTP/1.0 the answer is as it is, without chunks, and ends with its connection.
    let sent = Sent { method: "GET", path, content_type: "", body: &[], waits: false };
    let opened = open(&node.admin, &sent, token.as_deref(), "HTTP/1.0");
    let mut reader = match opened {
        Ok(stream) => BufReader::new(stream),
        Err(cause) => return away(cause),
    };
    let (status, _) = match head(&mut reader) {
        Ok(head) => head,
        Err(cause) => return away(cause),
    };
    if status != 200 {
        let mut problem = Vec::new();
        // What has come of it is told.
        drop(reader.read_to_end(&mut problem));
        return refused(status, &serde_json::from_slice(&problem).unwrap_or_default());
    }
    for line in reader.lines() {
        match line {
            Ok(line) if line.is_empty() => {}
            Ok(line) if take(&line) == Flow::On => {}
            Ok(_) => return Exit::Done,
            Err(cause) => return away(cause),
        }
    }
    Exit::Done
}

fn request(url: &str, sent: &Sent<'_>, token: Option<&str>) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = BufReader::new(open(url, sent, token, "HTTP/1.1")?);
    let (status, told) = head(&mut stream)?;
    let mut body = Vec::new();
    stream.read_to_end(&mut body)?;
    if told.is_some_and(|told| told != body.len()) {
        return Err(wrong("the answer breaks off"));
    }
    Ok((status, body))
}

fn wrong(text: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, text.to_owned())
}

/// Connects and sends a call. A node that has seen enough answers and closes before it is sent, and
/// what it says counts.
fn open(
    url: &str,
    sent: &Sent<'_>,
    token: Option<&str>,
    version: &str,
) -> std::io::Result<TcpStream> {
    let authority = url.strip_prefix("http://").ok_or_else(|| wrong("write http://HOST:PORT"))?;
    let authority = authority.trim_end_matches('/');
    let address = authority.to_socket_addrs()?.next().ok_or_else(|| wrong("no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    let patience = if sent.waits { LONG_PATIENCE } else { PATIENCE };
    stream.set_read_timeout(Some(patience))?;
    let shown = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let shown = shown.unwrap_or_default();
    let Sent { method, path, content_type, body, .. } = sent;
    let kind = if content_type.is_empty() {
        String::new()
    } else {
        format!("Content-Type: {content_type}\r\n")
    };
    write!(
        stream,
        "{method} {path} {version}\r\nHost: {authority}\r\nConnection: close\r\n{shown}{kind}\
         Content-Length: {}\r\n\r\n",
        body.len()
    )?;
    // Where it was not taken there may be an answer all the same; where there is none, reading says
    // so.
    drop(stream.write_all(body));
    Ok(stream)
}

/// The head of an answer: its status, and its length if that is told.
fn head(stream: &mut impl BufRead) -> std::io::Result<(u16, Option<usize>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head)? == 0 {
            return Err(wrong("no HTTP answer"));
        }
        if head.len() > limits::ORIGIN_HEAD_BYTES_MAX {
            return Err(wrong("the head of the answer has no end"));
        }
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| wrong("no HTTP status"))?;
    let told = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok((status, told))
}

/// `cistern health`.
pub(super) fn health(node: &Node) -> Exit {
    match call(node, "GET", &format!("{}/health", names::ADMIN_ROOT), None) {
        Ok((200, health)) => {
            let ready = health["ready"] == true;
            if node.json {
                println!("{health}");
            } else {
                println!("{}", if ready { "ready" } else { "not ready" });
            }
            if ready { Exit::Done } else { Exit::Failed }
        }
        Ok((status, problem)) => refused(status, &problem),
        Err(exit) => exit,
    }
}

/// `cistern audit`.
pub(super) fn audit(node: &Node) -> Exit {
    match call(node, "GET", &format!("{}/audit", names::ADMIN_ROOT), None) {
        Ok((200, told)) if node.json => {
            println!("{told}");
            Exit::Done
        }
        Ok((200, told)) => {
            for change in told["changes"].as_array().into_iter().flatten() {
                let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
                let at = Timestamp::from_millis(change["at_ms"].as_u64().unwrap_or_default());
                let mut line = Vec::new();
                write_rfc3339(at, &mut line);
                let at = String::from_utf8_lossy(&line);
                println!(
                    "{at} {:16} {:12} {} -> {}",
                    text("who"),
                    text("call"),
                    text("what"),
                    text("outcome")
                );
            }
            Exit::Done
        }
        Ok((status, problem)) => refused(status, &problem),
        Err(exit) => exit,
    }
}

/// An answer that is a problem document.
pub(super) fn refused(status: u16, problem: &Value) -> Exit {
    eprintln!("error: {status}: {}", problem["detail"].as_str().unwrap_or("refused"));
    if matches!(status, 401 | 403) { Exit::Unauthorised } else { Exit::Failed }
}
