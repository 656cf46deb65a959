//! What the tests of this floor share: an engine with rules, and an origin that a test makes
//! answer, hold back or say nothing at all. Time is the runtime's, so that a test may pause it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::base::clock::{Clock, Timestamp};
use crate::base::tasks;
use crate::engine::admit::{self, Admission};
use crate::engine::lookup::{self, Look};
use crate::engine::options::{Forwarding, KeyShown, Options, Told};
use crate::engine::transit::{Account, Answer, Caller, Outcome, Transit};
use crate::engine::{Book, Engine, Parts, Worker, imagine, miss, write};
use crate::origin::Upstreams;
use crate::policy::{Law, Manner, Profile};
use crate::rules::{LoadContext, Source, load};
use crate::store::l1::Eviction;
use crate::store::redis::fleet::Fleet;
use crate::telemetry::Telemetry;

/// A worker whose rules are these, with an origin `o` at this address as their default.
pub(super) fn worker(origin: SocketAddr, rules: &str) -> Worker {
    worker_with(origin, rules, options())
}

/// The same with these settings.
pub(super) fn worker_with(origin: SocketAddr, rules: &str, options: Options) -> Worker {
    worker_in(None, origin, rules, options)
}

/// The same in a fleet that nobody runs.
pub(super) fn worker_in(
    fleet: Option<Arc<Fleet>>,
    origin: SocketAddr,
    rules: &str,
    options: Options,
) -> Worker {
    let text = format!(
        "version = 1\n[defaults]\norigin = 'o'\n{rules}\n[origin.o]\nurl = 'http://{origin}'\n\
         timeout = '10s'\nfirst_byte_timeout = '3s'\n"
    );
    let source = Source { name: "r.toml".into(), text };
    let rules = load(&[source], &LoadContext::default()).expect("rules without errors").book;
    let engine = Engine::new(Parts {
        book: Book::new(rules).expect("an origin that can be asked"),
        options,
        transit_size: 1_000_000_000,
        l1_size: 8 << 20,
        l1_policy: Eviction::TinyLfu,
        fleet,
        shares_identities: false,
        telemetry: Telemetry::default(),
        clock: Clock::starting_at(Timestamp::from_secs(1_000_000)),
        identity_key: [7; 32],
    });
    Worker { engine: Arc::new(engine), upstreams: Arc::new(Upstreams::new()) }
}

/// Settings that nobody has set.
pub(super) fn options() -> Options {
    Options {
        speaks_tls: false,
        manner: Manner::of(Profile::Safe),
        plain_law: Law::default(),
        cache_status: Told::All,
        key_shown: KeyShown::Plain,
        via: true,
        forwarding: Forwarding { x_forwarded: true, forwarded: false },
        x_cache: false,
        strip_tags: true,
        trust_peers: Vec::new(),
        trust_clients: Vec::new(),
        purge_networks: Vec::new(),
        purge_token: None,
        max_object: 1 << 20,
    }
}

/// A request from loopback, as `GET /a`.
pub(super) fn transit(worker: &Worker, what: &str, fields: &[(&'static str, &str)]) -> Transit {
    let (method, target) = what.split_once(' ').expect("a method and a target");
    let mut request = Request::builder().method(method).uri(target).header("host", "shop.example");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let loopback = SocketAddr::from(([127, 0, 0, 1], 9));
    let caller = Caller { peer: loopback, local: loopback, secure: false };
    imagine(&worker.engine, request.body(()).expect("a request"), caller)
}

/// An answer that has been read to its end.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) account: Account,
    pub(super) text: String,
}

impl Seen {
    async fn of(answer: Answer) -> Self {
        let Answer { status, reply, account, .. } = answer;
        let body = reply.collect().await.expect("a whole body").to_bytes();
        Self { status, account, text: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Whether it came from the store.
    pub(super) fn is_hit(&self) -> bool {
        self.account.outcome.is_hit()
    }
}

/// Reads like `GET /a` as [`crate::engine::serve()`] does.
pub(super) async fn read(worker: &Worker, what: &str, fields: &[(&'static str, &str)]) -> Seen {
    let transit = transit(worker, what, fields);
    let engine = &worker.engine;
    let Admission::Read(plan) = admit::admit(engine, &transit, false) else {
        panic!("{what} is no read")
    };
    let answer = match lookup::look(engine, &transit, &plan) {
        Look::Fresh(entry) => {
            let account = lookup::account(engine, &plan, &entry, Outcome::Hit);
            lookup::from_entry(engine, &transit, &plan, &entry, account)
        }
        _ => miss::miss(worker, &transit, &plan).await,
    };
    Seen::of(answer).await
}

/// Writes without a body.
pub(super) async fn send(worker: &Worker, what: &str) -> Seen {
    let transit = transit(worker, what, &[]);
    let Admission::Write(routed) = admit::admit(&worker.engine, &transit, false) else {
        panic!("{what} is no write")
    };
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    Seen::of(write::write(worker, &transit, &routed, body).await).await
}

/// What an origin says to a request such as `GET /a`; nothing, and it is silent for ever.
pub(super) type Says = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// An origin on loopback that has seen these requests.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    pub(super) async fn start(
        says: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (says, seen): (Says, _) = (Arc::new(says), Arc::clone(&asked));
        tasks::tend(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tasks::tend(play(stream, Arc::clone(&says), Arc::clone(&seen)));
            }
        });
        Self { address, asked }
    }

    /// How often it was asked this.
    pub(super) fn asked(&self, what: &str) -> usize {
        self.asked.lock().expect("whole").iter().filter(|one| *one == what).count()
    }
}

async fn play(mut stream: TcpStream, says: Says, asked: Arc<Mutex<Vec<String>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let what = head.split(" HTTP/").next().unwrap_or_default().to_owned();
        let answer = says(&what);
        asked.lock().expect("whole").push(what);
        let Some(answer) = answer else { return std::future::pending().await };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A whole answer with a length.
pub(super) fn message(status: u16, lines: &[&str], body: &str) -> String {
    let lines: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
    format!("HTTP/1.1 {status} So\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len())
}
