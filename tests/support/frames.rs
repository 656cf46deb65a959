//! A client of HTTP/2 that hides nothing and corrects nothing: it writes the frames it is told to
//! write (RFC 9113), and shows those that come. Fields go out as literals without any table, so
//! that what no library would send can be sent.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::support::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

/// Flags.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Codes of errors (RFC 9113, 7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const INTERNAL_ERROR: u32 = 2;

/// Settings (RFC 9113, 6.5.2).
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

/// An open connection.
pub(crate) struct Frames {
    stream: TcpStream,
}

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of an error, where it tells one.
    pub(crate) fn code(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        let four = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(four.try_into().ok()?))
    }
}

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The status, where it is one of those that one byte tells; else 0.
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Heads that came: one, or two with trailers.
    pub(crate) heads: usize,
    /// The code with which the stream was reset.
    pub(crate) reset: Option<u32>,
    /// It came to its end.
    pub(crate) whole: bool,
}

impl Frames {
    /// Connects in clear and says nothing yet.
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("something listens at the address");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit for reading");
        stream.set_nodelay(true).expect("a socket");
        Self { stream }
    }

    /// Connects and says hello, with these settings.
    pub(crate) fn greet(address: &str, settings: &[(u16, u32)]) -> Self {
        let mut one = Self::connect(address);
        one.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        one.sends(SETTINGS, 0, 0, &payload);
        one
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the other side takes it");
    }

    /// Writes, unless the other side has gone.
    pub(crate) fn tries(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Whether the other side ends the connection by itself.
    pub(crate) fn is_over(&mut self) -> bool {
        let mut part = [0; 4_096];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }

    pub(crate) fn sends(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.write(&frame(kind, flags, stream, payload));
    }

    /// A request of these fields, pseudo-fields among them, without content.
    pub(crate) fn asks(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.sends(HEADERS, END_HEADERS | END_STREAM, stream, &block(fields));
    }

    /// The next frame; `None` at the end of the connection. Settings are acknowledged.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return None;
            }
            Err(error) => panic!("no frame: {error}"),
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).expect("a whole frame");
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            self.stream.write_all(&self::frame(SETTINGS, ACK, 0, &[])).ok();
        }
        Some(frame)
    }

    /// Reads until one of this kind.
    #[track_caller]
    pub(crate) fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().unwrap_or_else(|| panic!("it ended before a frame {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads until all of these streams have ended, or the connection has.
    pub(crate) fn hears(&mut self, streams: &[u32]) -> Vec<Heard> {
        let mut all: Vec<Heard> = streams.iter().map(|_| Heard::default()).collect();
        while all.iter().any(|one| !one.whole && one.reset.is_none()) {
            let Some(frame) = self.next() else { break };
            let Some(at) = streams.iter().position(|stream| *stream == frame.stream) else {
                continue;
            };
            let one = &mut all[at];
            match frame.kind {
                HEADERS => {
                    one.heads += 1;
                    if one.heads == 1 {
                        one.status = status(&frame.payload);
                    }
                }
                DATA => one.body.extend_from_slice(&frame.payload),
                RST_STREAM => one.reset = frame.code(),
                _ => {}
            }
            one.whole |= matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0;
        }
        all
    }

    /// The same of one stream.
    pub(crate) fn hear(&mut self, stream: u32) -> Heard {
        self.hears(&[stream]).pop().expect("one")
    }
}

/// A frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as literals that enter no table (RFC 7541, 6.2.2), without Huffman's code.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let mut all = Vec::new();
        match text.len() {
            len @ 0..=126 => all.push(len as u8),
            len => {
                all.push(127);
                let mut rest = len - 127;
                while rest >= 128 {
                    all.push((rest % 128) as u8 | 128);
                    rest /= 128;
                }
                all.push(rest as u8);
            }
        }
        all.extend_from_slice(text.as_bytes());
        all
    };
    let one = |(name, value): &(&str, &str)| [vec![0], text(name), text(value)].concat();
    fields.iter().flat_map(one).collect()
}

/// What a GET of this host and target is.
pub(crate) fn get<'a>(host: &'a str, target: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", target)]
}

/// The status at the beginning of a block, by the static table (RFC 7541, appendix A).
fn status(block: &[u8]) -> u16 {
    // A change of the table's size may come first.
    let first = block.iter().find(|byte| **byte & 0xe0 != 0x20);
    match first {
        Some(0x88) => 200,
        Some(0x89) => 204,
        Some(0x8a) => 206,
        Some(0x8b) => 304,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        Some(0x8e) => 500,
        _ => 0,
    }
}
