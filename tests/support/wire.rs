//! A client that reads an answer piece by piece, on a connection that it may use again, and that
//! tells a whole body from one that broke off.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::support::PATIENCE;

/// An open connection.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
}

/// How a body ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All of it came.
    Whole(Vec<u8>),
    /// It broke off after this.
    Cut(Vec<u8>),
}

impl Head {
    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| &**value)
    }

    /// The field lines, names in lower case, sorted.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let mut lines = self.fields.clone();
        lines.sort();
        lines
    }

    fn is_chunked(&self) -> bool {
        self.field("transfer-encoding").is_some_and(|coding| coding.contains("chunked"))
    }
}

impl Ended {
    /// Whether all of it came.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// The body, which must be whole.
    #[track_caller]
    pub(crate) fn whole(self) -> Vec<u8> {
        match self {
            Self::Whole(body) => body,
            Self::Cut(body) => panic!("the body broke off after {} bytes", body.len()),
        }
    }

    /// What came of a body that must have broken off.
    #[track_caller]
    pub(crate) fn cut(self) -> Vec<u8> {
        match self {
            Self::Cut(body) => body,
            Self::Whole(body) => panic!("a body of {} bytes looks whole", body.len()),
        }
    }
}

impl Wire {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("something listens at the address");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit for reading");
        stream.set_nodelay(true).expect("a plain connection");
        Self { stream: BufReader::with_capacity(16_384, stream) }
    }

    /// A connection whose kernel takes only so much that nobody reads.
    pub(crate) fn narrow(address: &str) -> Self {
        let wire = Self::open(address);
        let socket = socket2::SockRef::from(wire.stream.get_ref());
        socket.set_recv_buffer_size(128 * 1_024).expect("a plain socket");
        wire
    }

    /// Opens a connection and asks on it.
    pub(crate) fn asking(address: &str, what: &str, lines: &[&str]) -> Self {
        let mut wire = Self::open(address);
        wire.asks(what, lines);
        wire
    }

    /// Sends the head of a request without a body, such as `asks("GET /a", &["Range: bytes=0-1"])`.
    #[track_caller]
    pub(crate) fn asks(&mut self, what: &str, lines: &[&str]) {
        let lines: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
        let head = format!("{what} HTTP/1.1\r\nHost: api.example\r\n{lines}\r\n");
        self.sends(head.as_bytes());
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn sends(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the request is taken");
    }

    /// Reads a head; interim answers are passed over.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Head {
        loop {
            let first = self.line().expect("the head of an answer");
            let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("no status in {first:?}"));
            let mut fields = Vec::new();
            while let Some((name, value)) =
                self.line().expect("a whole head").split_once(':').map(|(n, v)| (n, v.trim()))
            {
                fields.push((name.to_lowercase(), value.to_owned()));
            }
            if status >= 200 {
                return Head { status, fields };
            }
        }
    }

    /// The connection ends without one more byte.
    #[track_caller]
    pub(crate) fn hears_nothing(&mut self) {
        assert_eq!(self.line(), None, "no answer was expected");
    }

    /// So many bytes of a body that has a length.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).expect("more of the body");
        bytes
    }

    /// The next chunk of a chunked body; nothing at its end.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.line()?;
        let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes).ok()?;
        if size > 0 {
            self.line()?;
        }
        Some(bytes)
    }

    /// What follows the last chunk.
    pub(crate) fn trailers(&mut self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            match self.line()? {
                line if line.is_empty() => return Some(lines),
                line => lines.push(line),
            }
        }
    }

    /// The rest of a body, of which `before` was read already.
    pub(crate) fn rest(&mut self, head: &Head, before: usize) -> Ended {
        let mut body = Vec::new();
        if head.is_chunked() {
            loop {
                match self.chunk() {
                    Some(more) if more.is_empty() => {
                        return match self.trailers() {
                            Some(_) => Ended::Whole(body),
                            None => Ended::Cut(body),
                        };
                    }
                    Some(more) => body.extend_from_slice(&more),
                    None => return Ended::Cut(body),
                }
            }
        }
        let length = head.field("content-length").map(str::parse::<u64>);
        let Some(Ok(length)) = length else { panic!("a body without an end: {head:?}") };
        let left = length - before as u64;
        // A reset is an end like any other here: what counts is how much came before.
        drop(self.stream.by_ref().take(left).read_to_end(&mut body));
        if body.len() as u64 == left { Ended::Whole(body) } else { Ended::Cut(body) }
    }

    /// The head and the whole body, as a text.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> (Head, String) {
        let head = self.head();
        let body = self.rest(&head, 0).whole();
        (head, String::from_utf8_lossy(&body).into_owned())
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).ok().filter(|count| *count > 0)?;
        line.ends_with(b"\r\n").then(|| line.truncate(line.len() - 2))?;
        String::from_utf8(line).ok()
    }
}
