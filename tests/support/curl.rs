//! curl as a client: what most people ask a server with first.

use std::path::Path;
use std::process::Command;

/// curl, with what it believes.
pub(crate) struct Curl {
    words: Vec<String>,
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Said {
    /// curl's own code; zero where all went well.
    pub(crate) code: i32,
    pub(crate) status: u16,
    /// `1.1` or `2`.
    pub(crate) version: String,
    /// The last head, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) errors: String,
}

impl Curl {
    /// Believes this authority, and finds `NAME:PORT` of every name at 127.0.0.1.
    pub(crate) fn believing(ca: &Path) -> Self {
        let ca = ca.to_str().expect("a plain path");
        Self::plain().with(&["--cacert", ca, "--connect-to", "::127.0.0.1:"])
    }

    pub(crate) fn plain() -> Self {
        Self { words: ["-sS", "-q", "-i", "--max-time", "20"].map(str::to_owned).to_vec() }
    }

    /// With more words.
    pub(crate) fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Runs it with these words besides.
    pub(crate) fn says(&self, words: &[&str]) -> Said {
        let output = Command::new("curl")
            .args(&self.words)
            .args(words)
            .args(["-w", "\n%{http_code} %{http_version}"])
            .env_clear()
            .output()
            .expect("curl must be installed");
        let all = &output.stdout;
        let at = all.iter().rposition(|byte| *byte == b'\n').expect("a last line");
        let last = String::from_utf8_lossy(&all[at + 1..]).into_owned();
        let (status, version) = last.split_once(' ').expect("two words");
        let (head, body) = split(&all[..at]);
        Said {
            code: output.status.code().expect("an end"),
            status: status.parse().expect("a number"),
            version: version.to_owned(),
            head: head.to_ascii_lowercase(),
            body: body.to_vec(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The last head and what is behind it; heads of interim answers come before it.
fn split(all: &[u8]) -> (String, &[u8]) {
    let mut rest = all;
    loop {
        let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
            return (String::new(), rest);
        };
        let (head, body) = (&rest[..end], &rest[end + 4..]);
        if !body.starts_with(b"HTTP/") {
            return (String::from_utf8_lossy(head).into_owned(), body);
        }
        rest = body;
    }
}

impl Said {
    /// The call must have gone well, with this status.
    #[track_caller]
    pub(crate) fn with_status(self, status: u16) -> Self {
        assert_eq!((self.code, self.status), (0, status), "{self:?}");
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let line = |line: &str| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
        self.head.lines().find_map(line)
    }
}

/// A port in an address.
pub(crate) fn port(address: &str) -> &str {
    address.rsplit_once(':').expect("an address with a port").1
}
