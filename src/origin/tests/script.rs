//! An origin by script: it accepts when told, reads what it expects and says what it is given,
//! byte for byte. Nothing happens by itself, so that the order of events is the test's.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::base::units::Span;
use crate::origin::{
    AskOptions, BoxError, Inbound, Looked, Lookup, OriginFault, PhaseLimits, Spec, Target,
    Upstreams, Whole, whole,
};

/// A listening origin.
pub(super) struct Script {
    listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl Script {
    pub(super) async fn open() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub(super) async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(super) fn spec(&self) -> Spec {
        Spec::new(Target::parse(&format!("http://{}", self.address)).unwrap())
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> Peer {
        Peer { tcp: self.listener.accept().await.unwrap().0 }
    }

    /// Asserts that nobody else has connected.
    pub(super) fn is_left_alone(&self) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(self.listener.poll_accept(&mut cx).is_pending(), "one connection too many");
    }
}

/// The origin's end of one connection.
pub(super) struct Peer {
    tcp: TcpStream,
}

impl Peer {
    /// Asserts that exactly these bytes come next.
    pub(super) async fn expects(&mut self, bytes: &str) {
        let mut read = vec![0; bytes.len()];
        let mut filled = 0;
        while filled < read.len() {
            let count = self.tcp.read(&mut read[filled..]).await.unwrap();
            assert!(count > 0, "ended after {:?}", String::from_utf8_lossy(&read[..filled]));
            filled += count;
            let same = bytes.as_bytes()[..filled] == read[..filled];
            assert!(same, "expected {bytes:?}, got {:?}", String::from_utf8_lossy(&read[..filled]));
        }
    }

    /// Reads one head, whatever it is.
    pub(super) async fn head(&mut self) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(self.tcp.read_u8().await.expect("the whole head"));
        }
        String::from_utf8(read).unwrap()
    }

    pub(super) async fn says(&mut self, bytes: impl AsRef<[u8]>) {
        self.tcp.write_all(bytes.as_ref()).await.unwrap();
    }

    /// As `says`, to somebody who may have left.
    pub(super) async fn says_if_heard(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.tcp.write_all(bytes.as_ref()).await.is_ok()
    }

    /// One exchange without request body.
    pub(super) async fn answers(&mut self, bytes: &str) -> String {
        let head = self.head().await;
        self.says(bytes).await;
        head
    }

    /// Asserts that the other side closed, cleanly or not, and said nothing more.
    pub(super) async fn is_left(&mut self) {
        if let Ok(count) = self.tcp.read(&mut [0; 64]).await {
            assert_eq!(count, 0, "bytes instead of an end");
        }
    }

    /// Reads to the end of the connection.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end as well.
        drop(self.tcp.read_to_end(&mut rest).await);
        rest
    }

    pub(super) async fn half_closes(&mut self) {
        // Whoever has left needs no end.
        drop(self.tcp.shutdown().await);
    }

    /// Closes with a reset.
    pub(super) fn resets(self) {
        socket2::SockRef::from(&self.tcp).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}

/// A body fed by a channel.
pub(super) struct Fed(mpsc::Receiver<Result<Frame<Bytes>, BoxError>>);

pub(super) type Feeder = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

pub(super) fn fed() -> (Feeder, Fed) {
    let (feeder, body) = mpsc::channel(1);
    (feeder, Fed(body))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a feeder takes")]
pub(super) fn part(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

impl Body for Fed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.get_mut().0.poll_recv(cx)
    }
}

pub(super) type AnyBody = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A request without body: `GET /x`, and fields as `name: value`.
pub(super) fn bare(line: &str, fields: &[&str]) -> Request<AnyBody> {
    request(line, fields, Empty::new().map_err(|never| match never {}))
}

/// A request with a body of known length.
pub(super) fn full(line: &str, fields: &[&str], body: &'static str) -> Request<AnyBody> {
    request(line, fields, Full::from(body).map_err(|never| match never {}))
}

pub(super) fn request<B>(line: &str, fields: &[&str], body: B) -> Request<AnyBody>
where
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target).header("host", "h");
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(body.boxed_unsync()).unwrap_or_else(|cause| panic!("{line}: {cause}"))
}

/// Asks and reads the whole answer.
pub(super) async fn fetch(
    upstreams: &Upstreams,
    spec: &Spec,
    request: Request<AnyBody>,
) -> Result<Answer, OriginFault> {
    let inbound = upstreams.ask(spec, request, AskOptions::default()).await?;
    Ok(read(inbound).await.expect("a whole answer"))
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) reused: bool,
}

pub(super) async fn read(inbound: Inbound) -> Result<Answer, BoxError> {
    let (status, reused) = (inbound.head.status.as_u16(), inbound.reused);
    let fields = inbound.head.headers;
    let all = whole(inbound.body, u64::MAX).await.map_err(|cut| cut.cause)?;
    let body = all.bytes().unwrap();
    let Whole::Complete { trailers, .. } = all else { unreachable!("no limit") };
    Ok(Answer { status, fields, body, trailers, reused })
}

/// Limits in milliseconds: connect, first byte, between bytes, total.
pub(super) fn within(connect: u64, first: u64, between: u64, total: Option<u64>) -> AskOptions {
    let limits = PhaseLimits {
        connect: Span::from_millis(connect),
        first_byte: Span::from_millis(first),
        between_bytes: Span::from_millis(between),
        total: total.map(Span::from_millis),
    };
    AskOptions { limits: Some(limits), ..AskOptions::default() }
}

/// A resolver that says what it is told, and how often it was asked.
#[derive(Default)]
pub(super) struct Names {
    says: Mutex<Vec<SocketAddr>>,
    asked: Mutex<u32>,
}

impl Names {
    pub(super) fn saying(addresses: &[SocketAddr]) -> Arc<Self> {
        let names = Arc::new(Self::default());
        names.say(addresses);
        names
    }

    pub(super) fn say(&self, addresses: &[SocketAddr]) {
        *self.says.lock().unwrap() = addresses.to_vec();
    }

    pub(super) fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, _host: &'a str, _port: u16) -> Looked<'a> {
        *self.asked.lock().unwrap() += 1;
        let says = self.says.lock().unwrap().clone();
        Box::pin(async move { Ok(says) })
    }
}
