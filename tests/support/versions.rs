//! An origin whose objects have versions: every write that it commits raises the version of its
//! path, every read tells it. So an answer shows how old it is, whatever caches it came through.
//! What stands below `/vary/` depends on a field of the request, usually the language, and tells
//! it; what stands below `/weak/` has a weak tag, and below `/dated/` a date in place of one.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::origin::{Gate, Latch, Request, read_request};

/// When everything was changed that has a date.
pub(crate) const LONG_AGO: &str = "Fri, 20 Nov 2020 12:00:00 GMT";

/// A running origin.
pub(crate) struct Versions {
    state: Arc<Mutex<State>>,
    address: String,
}

/// One request that it has answered.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// Method and target.
    pub(crate) what: String,
    /// The version that was told, or that the write made.
    pub(crate) version: u64,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// Whether it was asked only for something newer.
    pub(crate) conditional: bool,
}

#[derive(Default)]
struct State {
    versions: HashMap<String, u64>,
    gates: HashMap<String, Latch>,
    delays: HashMap<String, Duration>,
    served: Vec<Served>,
    lifetime_s: u64,
    /// What answers below `/vary/` depend on.
    varies_by: String,
    /// What makes answers larger than their two members.
    pad: String,
    /// Statuses in place of answers.
    trouble: Option<u16>,
}

impl Versions {
    /// Every object there is has version 1, and answers live for a minute.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let varies_by = "Accept-Language".to_owned();
        let state = State { lifetime_s: 60, varies_by, ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { state, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on answers live so long.
    pub(crate) fn lives_for(&self, seconds: u64) -> &Self {
        self.lock().lifetime_s = seconds;
        self
    }

    /// From now on answers below `/vary/` depend on this field.
    pub(crate) fn varies_by(&self, name: &str) -> &Self {
        name.clone_into(&mut self.lock().varies_by);
        self
    }

    /// From now on answers are larger by so many bytes, which no compression makes small.
    pub(crate) fn pads_with(&self, bytes: usize) -> &Self {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let letters = (0..bytes).map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            char::from(b'a' + (seed % 26) as u8)
        });
        self.lock().pad = letters.collect();
        self
    }

    /// From now on answers to this, such as "GET /a", take so long.
    pub(crate) fn delays(&self, what: &str, by: Duration) -> &Self {
        self.lock().delays.insert(what.to_owned(), by);
        self
    }

    /// From now on everything is answered with this status, and nothing is committed.
    pub(crate) fn fails_with(&self, status: u16) {
        self.lock().trouble = Some(status);
    }

    /// It is well again.
    pub(crate) fn recovers(&self) {
        self.lock().trouble = None;
    }

    /// The next `what` waits at the gate: a read with the version of before in its hands, a write
    /// when it has committed and not answered.
    pub(crate) fn holds(&self, what: &str) -> Gate {
        let (gate, latch) = Gate::with_latch();
        self.lock().gates.insert(what.to_owned(), latch);
        gate
    }

    /// Changes an object behind everybody's back. Its new version.
    pub(crate) fn commit(&self, path: &str) -> u64 {
        self.lock().commit(path)
    }

    /// The version an object has now.
    pub(crate) fn version(&self, path: &str) -> u64 {
        self.lock().version(path)
    }

    /// How often it was asked this, such as "GET /a".
    pub(crate) fn asked(&self, what: &str) -> usize {
        self.lock().served.iter().filter(|one| one.what == what).count()
    }

    /// How many requests it has answered.
    pub(crate) fn asked_in_all(&self) -> usize {
        self.lock().served.len()
    }

    /// Everything it has answered, in order of the ends.
    pub(crate) fn served(&self) -> Vec<Served> {
        self.lock().served.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no connection died in the state")
    }
}

impl State {
    fn version(&self, path: &str) -> u64 {
        self.versions.get(path).copied().unwrap_or(1)
    }

    fn commit(&mut self, path: &str) -> u64 {
        let version = self.version(path) + 1;
        self.versions.insert(path.to_owned(), version);
        version
    }

    /// The version that a request reads or makes, and the answer that tells it.
    fn answer(&mut self, request: &Request) -> (u64, Vec<u8>) {
        let (method, target) = request.what.split_once(' ').unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        if let Some(status) = self.trouble {
            return (self.version(path), message(status, "", "trouble", false));
        }
        if method == "PURGE" {
            return (self.version(path), message(405, "", "no such method here", false));
        }
        let reads = matches!(method, "GET" | "HEAD");
        let version = if reads { self.version(path) } else { self.commit(path) };
        let varies = path.starts_with("/vary/");
        let said = if varies { request.said(&self.varies_by) } else { String::new() };
        let weak = if path.starts_with("/weak/") { "W/" } else { "" };
        // Variants are told apart by their tags (RFC 9110, 8.8.3).
        let tag = format!("{weak}\"{version}{said}\"");
        let validator = if path.starts_with("/dated/") {
            format!("Last-Modified: {LONG_AGO}")
        } else {
            format!("ETag: {tag}")
        };
        let lines = format!(
            "Cache-Control: max-age={}\r\n{validator}\r\nContent-Type: application/json\r\n",
            self.lifetime_s
        );
        let condition = format!("if-none-match: {}", tag.to_lowercase());
        if reads && request.head.lines().any(|line| line == condition) {
            return (version, message(304, &lines, "", false));
        }
        let mut body = json!({ "path": path, "version": version });
        if reads && !self.pad.is_empty() {
            body["pad"] = json!(self.pad);
        }
        if varies {
            body["for"] = json!(said);
        }
        let lines = if varies { format!("{lines}Vary: {}\r\n", self.varies_by) } else { lines };
        let lines = if reads { &*lines } else { "Content-Type: application/json\r\n" };
        (version, message(200, lines, &body.to_string(), method == "HEAD"))
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    stream.set_nodelay(true).ok();
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let began = Instant::now();
        let (version, answer, latch, delay) = {
            let Ok(mut state) = state.lock() else { return };
            let (version, answer) = state.answer(&request);
            let latch = state.gates.remove(&request.what);
            (version, answer, latch, state.delays.get(&request.what).copied())
        };
        if let Some(delay) = delay {
            thread::sleep(delay);
        }
        let passed = latch.is_none_or(Latch::passes);
        let conditional = request.head.contains("if-none-match:");
        let served =
            Served { what: request.what, version, began, ended: Instant::now(), conditional };
        // Booked before the answer leaves, so that whoever has the answer finds it counted.
        let Ok(mut state) = state.lock() else { return };
        state.served.push(served);
        drop(state);
        if !passed || writer.write_all(&answer).is_err() || request.last {
            return;
        }
    }
}

fn message(status: u16, lines: &str, body: &str, head_only: bool) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Versioned\r\n{lines}");
    if status == 304 {
        return format!("{head}\r\n").into_bytes();
    }
    let body_sent = if head_only { "" } else { body };
    format!("{head}Content-Length: {}\r\n\r\n{body_sent}", body.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::client::{ask, get};

    #[test]
    fn a_write_raises_the_version_of_its_path_alone() {
        let origin = Versions::start();
        let told = |target: &str| get(target).to(origin.address()).json()["version"].clone();
        assert_eq!(told("/a"), 1);
        assert_eq!(ask("PUT", "/a").to(origin.address()).json()["version"], 2);
        assert_eq!((told("/a"), told("/a?x=1"), told("/b")), (json!(2), json!(2), json!(1)));
        assert_eq!(origin.commit("/b"), 2);
        assert_eq!(told("/b"), 2);
        assert_eq!(origin.asked("GET /b"), 2);
        origin.fails_with(503);
        ask("PUT", "/a").to(origin.address()).with_status(503);
        origin.recovers();
        assert_eq!((told("/a"), origin.version("/a")), (json!(2), 2));
    }

    #[test]
    fn an_answer_that_is_known_is_not_told_again() {
        let origin = Versions::start();
        let again = get("/a").header("If-None-Match", "\"1\"");
        again.to(origin.address()).with_status(304);
        origin.commit("/a");
        again.to(origin.address()).with_status(200);
        assert!(origin.served().iter().all(|one| one.conditional));
    }

    #[test]
    fn what_waits_at_a_gate_read_before_or_has_committed() {
        let origin = Versions::start();
        let (read, write) = (origin.holds("GET /a"), origin.holds("PUT /a"));
        let reading = get("/a").begin(origin.address());
        read.reached();
        let writing = ask("PUT", "/a").begin(origin.address());
        write.reached();
        assert_eq!(origin.version("/a"), 2);
        read.open();
        write.open();
        assert_eq!(reading.finish().json()["version"], 1);
        assert_eq!(writing.finish().json()["version"], 2);
        let served = origin.served();
        assert!(served.iter().all(|one| one.began <= one.ended && one.version > 0));
    }

    #[test]
    fn answers_are_as_large_and_as_slow_as_wanted() {
        let origin = Versions::start();
        origin.pads_with(5_000).lives_for(7).delays("GET /a", Duration::from_millis(30));
        let begun = Instant::now();
        let answer = get("/a").to(origin.address());
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert_eq!(answer.json()["pad"].as_str().map(str::len), Some(5_000));
        assert_eq!(answer.get("cache-control").as_deref(), Some("max-age=7"));
    }
}
