//! A client that sends exactly what it is told and reads answers as an old reader would.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// One answer as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The value of a field, in lower case; empty when it is missing.
    pub(super) fn field(&self, name: &str) -> String {
        let start = format!("{name}: ");
        let mut lines = self.head.lines();
        lines
            .find_map(|l| l.to_lowercase().strip_prefix(&start).map(str::to_owned))
            .unwrap_or_default()
    }
}

/// A connection.
pub(super) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        // Never reached in a run that passes: it turns a hang into a failure.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends what may meet a closed connection.
    pub(super) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub(super) fn end(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// Reads until the other side ends, and insists that it does so without a reset.
    pub(super) fn rest(&mut self) -> String {
        self.stream.read_to_end(&mut self.read).unwrap();
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    fn more(&mut self) -> bool {
        let mut part = [0; 4_096];
        let read = self.stream.read(&mut part).unwrap();
        self.read.extend_from_slice(&part[..read]);
        read > 0
    }

    /// Exactly `count` bytes.
    pub(super) fn bytes(&mut self, count: usize) -> String {
        while self.read.len() < count {
            assert!(self.more(), "ended after {:?}", String::from_utf8_lossy(&self.read));
        }
        String::from_utf8(self.read.drain(..count).collect()).unwrap()
    }

    fn until(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, mark.as_bytes()) {
                return self.bytes(at + mark.len());
            }
            assert!(self.more(), "ended after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// The next answer to anything but HEAD.
    pub(super) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        if answer.field("transfer-encoding") == "chunked" {
            loop {
                let size = self.until("\r\n");
                let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
                answer.body += &self.bytes(size);
                assert_eq!(self.bytes(2), "\r\n");
                if size == 0 {
                    return answer;
                }
            }
        }
        let bodyless = answer.status < 200 || matches!(answer.status, 204 | 304);
        match answer.field("content-length").parse() {
            Ok(length) => answer.body = self.bytes(length),
            Err(_) if bodyless => {}
            Err(_) => answer.body = self.rest(),
        }
        answer
    }

    /// The next head alone.
    pub(super) fn head(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: String::new() }
    }
}
