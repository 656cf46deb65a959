//! A client that asks again and again on one connection and never panics: whatever goes wrong is an
//! answer, too, when failures are what is counted.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::PATIENCE;
use crate::support::history::Source;

/// A client of one node.
pub(crate) struct Caller {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    cache_status: String,
    body: Vec<u8>,
}

impl Told {
    /// A member of a body that is a JSON object.
    pub(crate) fn member(&self, name: &str) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok()?.get(name).cloned()
    }

    /// Where it came from, by its own word.
    pub(crate) fn source(&self) -> Source {
        let words = self.cache_status.rsplit("cistern").next().unwrap_or_default();
        let parameter = |name: &str| words.split(';').any(|word| word.trim() == name);
        match (parameter("hit"), words.contains("L2"), parameter("collapsed")) {
            (_, _, true) => Source::Joined,
            (true, true, _) => Source::L2,
            (true, false, _) => Source::L1,
            (false, ..) => Source::Origin,
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Caller {
    pub(crate) fn of(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None }
    }

    /// Asks without a body and reads the whole answer.
    pub(crate) fn asks(&mut self, method: &str, target: &str) -> Result<Told, String> {
        self.asks_with(method, target, "")
    }

    /// The same, with a line of the head, or none.
    pub(crate) fn asks_with(
        &mut self,
        method: &str,
        target: &str,
        field: &str,
    ) -> Result<Told, String> {
        let said = self.exchange(method, target, field);
        if said.is_err() {
            self.stream = None;
        }
        said.map_err(|error| format!("{method} {target}: {error}"))
    }

    fn exchange(&mut self, method: &str, target: &str, field: &str) -> std::io::Result<Told> {
        let length = if matches!(method, "PUT" | "POST" | "PATCH") { LENGTH } else { "" };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: api.example\r\n{length}{field}\r\n");
        // A connection that stood idle may have been closed in order, which is nobody's failure.
        if let Some(mut stream) = self.stream.take()
            && stream.get_mut().write_all(head.as_bytes()).is_ok()
            && stream.fill_buf().is_ok_and(|bytes| !bytes.is_empty())
        {
            return self.told(stream);
        }
        let stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(head.as_bytes())?;
        self.told(stream)
    }

    fn told(&mut self, mut stream: BufReader<TcpStream>) -> std::io::Result<Told> {
        let first = line(&mut stream)?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| broken(&first))?;
        let (mut length, mut chunked, mut last) = (0, false, false);
        let mut cache_status = String::new();
        loop {
            let field = line(&mut stream)?;
            let Some((name, value)) = field.split_once(':') else { break };
            let value = value.trim();
            match &*name.to_ascii_lowercase() {
                "content-length" => length = value.parse().map_err(|_| broken(value))?,
                "transfer-encoding" => chunked = true,
                "connection" => last = value.contains("close"),
                "cache-status" => value.clone_into(&mut cache_status),
                _ => {}
            }
        }
        let body = if chunked { chunks(&mut stream)? } else { exactly(&mut stream, length)? };
        self.stream = (!last).then_some(stream);
        Ok(Told { status, cache_status, body })
    }
}

const LENGTH: &str = "Content-Length: 0\r\n";

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("no answer of HTTP: {what:?}"))
}

fn line(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn exactly(stream: &mut BufReader<TcpStream>, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn chunks(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| broken(&size))?;
        body.extend(exactly(stream, size)?);
        line(stream)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::versions::Versions;

    #[test]
    fn one_connection_serves_many_questions() {
        let origin = Versions::start();
        let mut caller = Caller::of(origin.address());
        for version in 1..4 {
            let told = caller.asks("GET", "/a").expect("an answer");
            assert_eq!((told.status, told.member("version")), (200, Some(version.into())));
            caller.asks("PUT", "/a").expect("an answer");
        }
        assert_eq!(origin.asked_in_all(), 6);
    }

    #[test]
    fn a_failure_is_an_answer() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = nobody.local_addr().expect("an address").to_string();
        drop(nobody);
        let failed = Caller::of(&address).asks("GET", "/a").expect_err("nobody is there");
        assert!(failed.starts_with("GET /a: "), "{failed}");
    }

    #[test]
    fn an_answer_tells_where_it_came_from() {
        let source = |cache_status: &str| {
            Told { status: 200, cache_status: cache_status.to_owned(), body: Vec::new() }.source()
        };
        assert_eq!(source("cistern; hit; ttl=3; detail=\"L1; rule=a\""), Source::L1);
        assert_eq!(source("other; hit, cistern; hit; detail=\"L2\""), Source::L2);
        assert_eq!(source("cistern; fwd=uri-miss; collapsed; detail=\"L2 empty\""), Source::Joined);
        assert_eq!(source("cistern; fwd=uri-miss; stored; detail=\"L2 empty\""), Source::Origin);
        assert_eq!(source(""), Source::Origin);
    }
}
