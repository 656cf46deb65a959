//! A client of HTTP/1.1 that hides nothing: one request on one connection, the answer as it came.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::PATIENCE;

/// What is asked. Built like a sentence: `get("/a").bearer("t").header("X-A", "1")`.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    target: String,
    host: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(crate) fn ask(method: &str, target: &str) -> Ask {
    Ask {
        method: method.to_owned(),
        target: target.to_owned(),
        host: "api.example".to_owned(),
        fields: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn get(target: &str) -> Ask {
    ask("GET", target)
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, pair: &str) -> Self {
        self.header("Cookie", pair)
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn json(mut self, value: &Value) -> Self {
        self.body = value.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut lines = vec![
            format!("{} {} HTTP/1.1", self.method, self.target),
            format!("Host: {}", self.host),
        ];
        lines.extend(self.fields.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.body.is_empty() || !matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE") {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        lines.push("Connection: close\r\n\r\n".to_owned());
        [lines.join("\r\n").into_bytes(), self.body.clone()].concat()
    }

    /// Sends it and reads the answer to its end.
    pub(crate) fn to(&self, address: &str) -> Answer {
        self.begin(address).finish()
    }

    /// Sends it and leaves the answer for later.
    pub(crate) fn begin(&self, address: &str) -> Asked {
        let mut stream = TcpStream::connect(address).expect("something listens at the address");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit for reading");
        stream.write_all(&self.bytes()).expect("the request is taken");
        let what = format!("{} {}", self.method, self.target);
        Asked { stream, what, bodiless: self.method == "HEAD" }
    }
}

/// A request that is under way.
pub(crate) struct Asked {
    stream: TcpStream,
    what: String,
    bodiless: bool,
}

impl Asked {
    /// Whether anything of the answer is there.
    pub(crate) fn has_come(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let some = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).expect("a socket");
        some
    }

    /// The answer, read to its end.
    pub(crate) fn finish(mut self) -> Answer {
        let mut raw = Vec::new();
        let mut piece = [0; 16_384];
        // The connection is closed after the answer, so the end of the one is that of the other.
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => raw.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{}: {error} after {} bytes", self.what, raw.len()),
            }
        }
        Answer::read(&raw, &self.what, self.bodiless)
    }
}

/// What came back. The `…ed` methods assert and give the answer on, so that a line reads aloud.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    what: String,
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn read(raw: &[u8], what: &str, bodiless: bool) -> Self {
        let mut rest = raw;
        loop {
            let (head, after) = split_head(rest).unwrap_or_else(|| {
                panic!("{what}: no whole head in {:?}", String::from_utf8_lossy(rest))
            });
            let mut lines = head.split("\r\n");
            let status_line = lines.next().unwrap_or_default();
            let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("{what}: {status_line:?}"));
            let fields: Vec<_> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect();
            if (100..200).contains(&status) {
                rest = after;
                continue;
            }
            let mut answer = Self { what: what.to_owned(), status, fields, body: Vec::new() };
            answer.body = answer.take_body(after, bodiless || matches!(status, 204 | 304));
            return answer;
        }
    }

    fn take_body(&self, raw: &[u8], bodiless: bool) -> Vec<u8> {
        if bodiless {
            assert!(raw.is_empty(), "{}: a body where there may be none", self.what);
            return Vec::new();
        }
        if self.get("transfer-encoding").is_some() {
            return dechunk(raw).unwrap_or_else(|| panic!("{}: an incomplete body", self.what));
        }
        if let Some(length) = self.get("content-length") {
            assert_eq!(length, raw.len().to_string(), "{}: an incomplete body", self.what);
        }
        raw.to_vec()
    }

    /// The method of what was asked.
    pub(crate) fn method(&self) -> &str {
        self.what.split(' ').next().unwrap_or_default()
    }

    /// All values of a field as one.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.fields.iter().filter(|(field, _)| field == name).map(|(_, v)| &**v).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text()))
    }

    /// What this cache says of the answer (RFC 9211), without what caches before it said.
    pub(crate) fn cache_status(&self) -> String {
        let all = self.get("cache-status").unwrap_or_default();
        all.rfind("cistern").map_or(String::new(), |at| all[at..].to_owned())
    }

    /// Whether it came from the store.
    pub(crate) fn is_hit(&self) -> bool {
        self.parameters().iter().any(|word| word == "hit")
    }

    /// Whether it was put into the store.
    pub(crate) fn is_stored(&self) -> bool {
        self.parameters().iter().any(|word| word == "stored")
    }

    /// The seconds it has left, as told.
    #[track_caller]
    pub(crate) fn ttl(&self) -> i64 {
        let words = self.parameters();
        let ttl = words.iter().find_map(|word| word.strip_prefix("ttl="));
        ttl.and_then(|value| value.parse().ok()).unwrap_or_else(|| self.not("with a ttl"))
    }

    /// The key it stands under, as told.
    pub(crate) fn key(&self) -> Option<String> {
        let words = self.parameters();
        let key = words.iter().find_map(|word| word.strip_prefix("key="))?;
        Some(key.trim_matches('"').to_owned())
    }

    /// The parameters of `Cache-Status`; a semicolon in a quoted text separates nothing.
    fn parameters(&self) -> Vec<String> {
        let status = self.cache_status();
        let mut quoted = false;
        let separates = |letter: char| {
            quoted ^= letter == '"';
            letter == ';' && !quoted
        };
        status.split(separates).map(|word| word.trim().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn with_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    #[track_caller]
    pub(crate) fn served_from_store(self) -> Self {
        if !self.is_hit() {
            self.not("from the store")
        }
        self
    }

    #[track_caller]
    pub(crate) fn served_by_origin(self) -> Self {
        if self.is_hit() {
            self.not("from the origin")
        }
        self
    }

    /// Not from the store and not into it, for the reason named.
    #[track_caller]
    pub(crate) fn passed_because(self, reason: &str) -> Self {
        let detail = self.cache_status();
        if self.is_hit() || self.is_stored() || !detail.contains(reason) {
            self.not(&format!("passed for {reason}"))
        }
        self
    }

    #[track_caller]
    fn not(&self, wanted: &str) -> ! {
        let status = self.get("cache-status");
        panic!("{} is not {wanted}: {} Cache-Status: {status:?}", self.what, self.status)
    }
}

fn split_head(raw: &[u8]) -> Option<(String, &[u8])> {
    let at = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&raw[..at]).into_owned(), &raw[at + 4..]))
}

fn dechunk(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = raw.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&raw[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        raw = &raw[end + 2..];
        if size == 0 {
            return raw.ends_with(b"\r\n").then_some(body);
        }
        body.extend_from_slice(raw.get(..size)?);
        raw = raw.get(size + 2..)?;
    }
}
