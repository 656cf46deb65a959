//! An origin that answers from a script, counts, and can hold an answer back until the story says.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::support::PATIENCE;

/// What is answered: a status, fields, a body.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    fields: Vec<String>,
    body: String,
}

/// A plain 200.
pub(crate) fn text(body: &str) -> Reply {
    Reply { status: 200, fields: Vec::new(), body: body.to_owned() }
}

/// An answer with a status and no more.
pub(crate) fn status(status: u16) -> Reply {
    Reply { status, ..text("") }
}

impl Reply {
    /// With a field line, such as "Cache-Control: max-age=60".
    pub(crate) fn field(mut self, line: &str) -> Self {
        self.fields.push(line.to_owned());
        self
    }

    /// Fresh for a minute.
    pub(crate) fn for_a_minute(self) -> Self {
        self.field("Cache-Control: max-age=60")
    }
}

#[derive(Default)]
struct Script {
    replies: HashMap<String, Reply>,
    gates: HashMap<String, Latch>,
    asked: Vec<String>,
    heads: HashMap<String, String>,
}

/// A running origin.
pub(crate) struct Origin {
    script: Arc<Mutex<Script>>,
    address: String,
}

/// Where an answer waits: the story sees it arrive and lets it go.
pub(crate) struct Gate {
    arrived: Receiver<()>,
    open: Sender<()>,
}

/// The origin's side of a gate.
pub(crate) struct Latch {
    arrive: Sender<()>,
    opened: Receiver<()>,
}

impl Latch {
    /// Stands at the gate until it opens; whether it did.
    pub(crate) fn passes(self) -> bool {
        self.arrive.send(()).is_ok() && self.opened.recv_timeout(PATIENCE).is_ok()
    }
}

impl Gate {
    /// A gate and its latch.
    pub(crate) fn with_latch() -> (Self, Latch) {
        let (arrive, arrived) = channel();
        let (open, opened) = channel();
        (Self { arrived, open }, Latch { arrive, opened })
    }

    /// Waits until the request stands at the gate.
    pub(crate) fn reached(&self) {
        self.arrived.recv_timeout(PATIENCE).expect("the request never reached the origin");
    }

    /// Lets it go.
    pub(crate) fn open(&self) {
        self.open.send(()).expect("the origin is there");
    }
}

impl Origin {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let script = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &script));
            }
        });
        Self { script, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on `what`, such as "GET /a", is answered so; everything unknown with 404.
    pub(crate) fn answers(&self, what: &str, reply: Reply) -> &Self {
        self.lock().replies.insert(what.to_owned(), reply);
        self
    }

    /// The next `what` waits at the gate. Its answer is taken before it waits: what a slow origin
    /// read from its tables before somebody changed them.
    pub(crate) fn holds(&self, what: &str) -> Gate {
        let (gate, latch) = Gate::with_latch();
        self.lock().gates.insert(what.to_owned(), latch);
        gate
    }

    /// How often it was asked this.
    pub(crate) fn asked(&self, what: &str) -> usize {
        self.lock().asked.iter().filter(|one| *one == what).count()
    }

    /// The head of the last `what`, in lower case.
    pub(crate) fn last(&self, what: &str) -> String {
        self.lock().heads.get(what).cloned().expect("it was asked")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().expect("no connection died in the script")
    }
}

fn serve(stream: TcpStream, script: &Mutex<Script>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let (reply, gate) = {
            let Ok(mut script) = script.lock() else { return };
            script.asked.push(request.what.clone());
            script.heads.insert(request.what.clone(), request.head.clone());
            let reply = script.replies.get(&request.what).cloned().unwrap_or_else(|| status(404));
            (reply, script.gates.remove(&request.what))
        };
        let passed = gate.is_none_or(Latch::passes);
        let head_only = request.what.starts_with("HEAD ");
        if !passed || writer.write_all(&bytes_of(&reply, head_only)).is_err() || request.last {
            return;
        }
    }
}

/// What of a request an answer depends on.
pub(crate) struct Request {
    /// Method and target.
    pub(crate) what: String,
    /// Its field lines, in lower case.
    pub(crate) head: String,
    /// Whether the client wants the connection closed afterwards.
    pub(crate) last: bool,
}

impl Request {
    /// What it says in a field, in lower case; nothing when it does not have it.
    pub(crate) fn said(&self, name: &str) -> String {
        let name = name.to_lowercase();
        let said =
            |line: &str| Some(line.strip_prefix(&*name)?.strip_prefix(':')?.trim().to_owned());
        self.head.lines().find_map(said).unwrap_or_default()
    }
}

pub(crate) fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let first = read_line(reader)?;
    let (what, _) = first.rsplit_once(' ')?;
    let (mut length, mut last, mut head) = (0, false, String::new());
    loop {
        let line = read_line(reader)?.to_lowercase();
        if line.is_empty() {
            break;
        }
        head.push_str(&line);
        head.push('\n');
        match line.split_once(':')? {
            ("content-length", value) => length = value.trim().parse().ok()?,
            ("connection", value) => last = value.contains("close"),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(Request { what: what.to_owned(), head, last })
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    Some(line.trim_end().to_owned())
}

fn bytes_of(reply: &Reply, head_only: bool) -> Vec<u8> {
    let bodiless = matches!(reply.status, 204 | 304);
    let mut lines = vec![format!("HTTP/1.1 {} Scripted", reply.status)];
    lines.extend(reply.fields.iter().cloned());
    if !bodiless {
        lines.push(format!("Content-Length: {}", reply.body.len()));
    }
    let mut message = lines.join("\r\n") + "\r\n\r\n";
    if !bodiless && !head_only {
        message.push_str(&reply.body);
    }
    message.into_bytes()
}
