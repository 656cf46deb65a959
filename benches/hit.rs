//! The hit path in one process: requests over a pipe in memory through the edge to the engine and
//! back. The first case is the HTTP library alone with a made answer of the same size; plain hits
//! go beside the library, the others through it. Run: `cargo bench --bench hit`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

mod measure;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use cistern::base::tasks;
use cistern::edge::{Peer, Watch, attend};
use cistern::engine::Worker;
use cistern::node::front::Front;
use cistern::node::settings::{Flags, resolve};
use cistern::node::{build, load};
use cistern::origin::Upstreams;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use measure::{Case, case, table};
use memchr::memmem::find;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::Runtime;

/// What the origin answers with, beside a body of one KiB.
const FIELDS: [(&str, &str); 7] = [
    ("server", "origin"),
    ("date", "Mon, 05 Jan 2026 10:00:00 GMT"),
    ("content-type", "application/json"),
    ("content-length", "1024"),
    ("last-modified", "Mon, 05 Jan 2026 09:00:00 GMT"),
    ("etag", "\"0123456789abcdef\""),
    ("cache-control", "public, max-age=2000000000"),
];

/// The rules of the ruled cases.
const RULES: &str = "
version = 1

[[route]]
name = \"items\"
match = \"GET /items/{id}\"
key = \"items:{id}:page:{query.page|default(1)}\"
ttl = \"1h\"
share = \"public\"
";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = std::env::temp_dir().join(format!("cistern-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let rules = folder.join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    let log = folder.join("log").display().to_string();

    let library = Client::of_library(&runtime);
    let quiet = Client::of_engine(&runtime, "off", None);
    let logged = Client::of_engine(&runtime, &log, None);
    let ruled = Client::of_engine(&runtime, "off", Some(&rules));
    let plain = "GET /items/7?page=2 HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let absolute = "GET http://shop.example/items/7?page=2 HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let browser = "GET /items/7?page=2 HTTP/1.1\r\nHost: shop.example\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n\
        Accept: application/json\r\nAccept-Language: es-CL,es;q=0.9\r\n\
        Accept-Encoding: gzip, deflate, br\r\nReferer: http://shop.example/\r\n\r\n";
    let unchanged = "GET /items/7?page=2 HTTP/1.1\r\nHost: shop.example\r\n\
        If-None-Match: \"0123456789abcdef\"\r\n\r\n";
    let part = "GET /items/7?page=2 HTTP/1.1\r\nHost: shop.example\r\nRange: bytes=0-99\r\n\r\n";
    table(
        "a hit of 1 KiB",
        vec![
            library.asks("the HTTP library alone", plain, None),
            quiet.asks("hit", plain, Some(200)),
            quiet.asks("hit, a browser's fields", browser, Some(200)),
            quiet.asks("hit, through the library", absolute, Some(200)),
            ruled.asks("hit by a rule with a key", plain, Some(200)),
            logged.asks("hit, access log and events", plain, Some(200)),
            quiet.asks("not modified", unchanged, Some(304)),
            quiet.asks("a part", part, Some(206)),
        ],
    );
    std::fs::remove_dir_all(folder).unwrap();
}

/// Nothing happens here that anybody should hear of.
struct Deaf;

impl Watch for Deaf {}

/// One connection, kept alive.
struct Client<'a> {
    runtime: &'a Runtime,
    wire: Rc<RefCell<Wire>>,
}

impl<'a> Client<'a> {
    /// To the library with an answer that is ready.
    fn of_library(runtime: &'a Runtime) -> Self {
        let fields: HeaderMap = FIELDS
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let body = Bytes::from(vec![b'x'; 1_024]);
        let answer = move |_: Request<Incoming>| {
            let mut response = Response::new(Full::new(body.clone()));
            *response.headers_mut() = fields.clone();
            async move { Ok::<_, Infallible>(response) }
        };
        Self::connected(runtime, service_fn(answer))
    }

    /// To an engine that writes both logs to `log`, in front of an origin of its own.
    fn of_engine(runtime: &'a Runtime, log: &str, rules: Option<&Path>) -> Self {
        let flags = Flags {
            origin: Some(format!("http://{}", origin())),
            rules: rules.map(Path::to_owned),
            ..Flags::default()
        };
        let environment =
            ["CISTERN_LOG__ACCESS", "CISTERN_LOG__EVENTS"].map(|n| (n.to_owned(), log.to_owned()));
        let settings = resolve(&flags, &environment).unwrap();
        let (book, _) = load::book(settings.rules.as_deref(), &settings.context()).unwrap();
        let worker = Worker {
            engine: Arc::new(build::engine(&settings, book).unwrap()),
            upstreams: Arc::new(Upstreams::new()),
        };
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let peer =
            Peer { address: address(40_000), local: address(80), connection: 1, secure: false };
        let (ours, theirs) = tokio::io::duplex(64 * 1_024);
        runtime.block_on(async {
            tasks::tend(attend(theirs, Front { worker, calls: None }, peer, Arc::new(Deaf)));
        });
        Self { runtime, wire: Rc::new(RefCell::new(Wire { ours, answer: Vec::new() })) }
    }

    fn connected<S, B>(runtime: &'a Runtime, service: S) -> Self
    where
        S: HttpService<Incoming, ResBody = B> + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (ours, theirs) = tokio::io::duplex(64 * 1_024);
        let mut http = http1::Builder::new();
        // As the edge has it. Without the first the library reads on while a request is being
        // answered, into a new buffer each time.
        http.half_close(true).auto_date_header(false);
        runtime.block_on(async {
            let connection = http.serve_connection(TokioIo::new(theirs), service);
            tasks::spawn(async move { connection.await.unwrap_or_default() });
        });
        Self { runtime, wire: Rc::new(RefCell::new(Wire { ours, answer: Vec::new() })) }
    }

    /// A case that sends `request` and takes its answer. With a status: one that must be a hit.
    fn asks<'c>(&self, name: &'c str, request: &'c str, hit: Option<u16>) -> Case<'c>
    where
        'a: 'c,
    {
        let (runtime, wire) = (self.runtime, Rc::clone(&self.wire));
        let exchange = move || runtime.block_on(wire.borrow_mut().exchange(request.as_bytes()));
        if let Some(status) = hit {
            // The first fills the cache, if nothing has yet.
            exchange();
            exchange();
            let said = String::from_utf8_lossy(&self.wire.borrow().answer).into_owned();
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {said}");
            assert!(said.contains("cistern; hit"), "{name}: {said}");
        }
        case(name, exchange)
    }
}

/// The client's end.
struct Wire {
    ours: DuplexStream,
    answer: Vec<u8>,
}

impl Wire {
    async fn exchange(&mut self, request: &[u8]) {
        self.ours.write_all(request).await.unwrap();
        self.answer.clear();
        while !is_whole(&self.answer) {
            self.ours.read_buf(&mut self.answer).await.unwrap();
        }
    }
}

/// Whether a head and as much as it promises are there. A 304 promises nothing.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = find(answer, b"\r\n\r\n") else { return false };
    let length = match find(answer, b"content-length: ") {
        Some(at) if !answer.starts_with(b"HTTP/1.1 304") => answer[at + 16..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0, |length, digit| length * 10 + usize::from(digit - b'0')),
        _ => 0,
    };
    answer.len() >= end + 4 + length
}

/// An origin that answers one request per connection. It lives as long as the process.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let lines = FIELDS.map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = lines.concat();
    let answer = format!("HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n{}", "x".repeat(1_024));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A small head comes in one piece.
            let read = stream.read(&mut [0; 4_096]).unwrap();
            assert!(read > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}
