//! A client with nothing between it and the socket: it says words, waits for each reply, and takes
//! no time of its own. What probes a server and fills it speaks through it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// One connection.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    packed: Vec<u8>,
    waiting: usize,
}

/// A reply.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A word, or an error.
    Word(String),
    /// A number.
    Number(i64),
    /// Bytes; none where nothing stands.
    Bytes(Option<Vec<u8>>),
    /// Several.
    All(Vec<Reply>),
}

impl Wire {
    /// To a server on this machine.
    pub(crate) fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::with_capacity(1 << 16, stream), packed: Vec::new(), waiting: 0 }
    }

    /// One command and its reply, which must be no error.
    pub(crate) fn ask(&mut self, words: &[&[u8]]) -> Reply {
        self.queue(words);
        self.flush().remove(0)
    }

    /// The same, in words that are text.
    pub(crate) fn say(&mut self, words: &[&str]) -> Reply {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.ask(&words)
    }

    /// A command that goes with the next ones.
    pub(crate) fn queue(&mut self, words: &[&[u8]]) {
        write!(self.packed, "*{}\r\n", words.len()).unwrap();
        for word in words {
            write!(self.packed, "${}\r\n", word.len()).unwrap();
            self.packed.extend_from_slice(word);
            self.packed.extend_from_slice(b"\r\n");
        }
        self.waiting += 1;
    }

    /// Sends what is queued, and has the replies.
    pub(crate) fn flush(&mut self) -> Vec<Reply> {
        self.stream.get_mut().write_all(&self.packed).unwrap();
        self.packed.clear();
        let due = std::mem::take(&mut self.waiting);
        (0..due).map(|_| self.reply()).collect()
    }

    fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let line = line.trim_end();
        let (mark, rest) = line.split_at(1);
        match mark {
            "+" => Reply::Word(rest.to_owned()),
            ":" => Reply::Number(rest.parse().unwrap()),
            "$" => Reply::Bytes(rest.parse::<usize>().ok().map(|len| self.bytes(len))),
            "*" => {
                let count: usize = rest.parse().unwrap_or_default();
                Reply::All((0..count).map(|_| self.reply()).collect())
            }
            _ => panic!("the server said {line}"),
        }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len + 2];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes.truncate(len);
        bytes
    }
}

impl Reply {
    /// The number that was said.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Number(number) => u64::try_from(*number).unwrap(),
            _ => self.text().parse().unwrap(),
        }
    }

    /// The text that was said.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Bytes(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("{other:?} is no text"),
        }
    }

    /// The parts of an array.
    pub(crate) fn parts(self) -> Vec<Self> {
        match self {
            Self::All(parts) => parts,
            other => panic!("{other:?} is no array"),
        }
    }
}
