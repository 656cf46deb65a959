//! The calls as the edge serves them: on the listener of their own, and those of the replaced
//! systems on the proxy's port where that is wanted. What holds for any client of the edge holds
//! for operators too; beyond it a call has its time, a date, and is kept by no cache.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use axum::{Router, http};
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapErr;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use crate::admin::calls::{ALIASES, Call};
use crate::admin::door::problem;
use crate::base::clock::Clock;
use crate::base::limits;
use crate::edge::{BoxError, Incoming, Peer, Serve};
use crate::policy::date;

/// The body of an answer.
pub type Answered = MapErr<Body, fn(axum::Error) -> BoxError>;

/// A router that answers calls.
#[derive(Clone, Debug)]
pub struct Calls {
    router: TowerToHyperService<Router>,
    clock: Arc<Clock>,
}

impl Calls {
    pub(super) fn new(router: Router) -> Self {
        let clock = Arc::new(Clock::system());
        Self { router: TowerToHyperService::new(router), clock }
    }

    /// Answers a call.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Answered> {
        let called = self.router.call(request);
        let within = tokio::time::timeout(limits::CALL_WITHIN.to_duration(), called);
        let mut answer = match within.await {
            Ok(Ok(answer)) => answer,
            Err(_) => {
                let detail = format!("the call took longer than {}", limits::CALL_WITHIN);
                problem(StatusCode::REQUEST_TIMEOUT, "too-slow", &detail)
            }
        };
        self.clock.align();
        let head = answer.headers_mut();
        head.entry(header::DATE).or_insert_with(|| date::write(self.clock.now()));
        let no_store = HeaderValue::from_static("no-store");
        head.entry(header::CACHE_CONTROL).or_insert(no_store);
        answer.map(|body| body.map_err(axum::Error::into_inner as fn(_) -> _))
    }
}

impl Serve for Calls {
    type Body = Answered;
    type Begun = ();

    fn serve(
        &self,
        request: Request<Incoming>,
        _begun: Option<()>,
        _peer: Peer,
    ) -> impl Future<Output = Response<Answered>> + Send {
        let calls = self.clone();
        async move { calls.answer(request).await }
    }
}

/// The calls of the replaced systems on the proxy's port. Only the exact path of a call is one:
/// what an origin would have to make one of first goes to the origin.
#[derive(Clone, Debug)]
pub struct OnProxy {
    calls: Calls,
    paths: Arc<[(Method, Shape)]>,
}

/// Which paths are a call's.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// This one.
    Whole(String),
    /// Those with one more part, which is not empty.
    Part(String),
    /// Those that go on behind this.
    Rest(String),
}

impl Shape {
    fn of(path: &str) -> Self {
        match path.split_once('{') {
            None => Self::Whole(path.to_owned()),
            Some((before, part)) if part.starts_with('*') => Self::Rest(before.to_owned()),
            Some((before, _)) => Self::Part(before.to_owned()),
        }
    }

    fn has(&self, path: &str) -> bool {
        match self {
            Self::Whole(own) => own == path,
            Self::Part(before) => path
                .strip_prefix(&**before)
                .is_some_and(|part| !part.is_empty() && !part.contains('/')),
            Self::Rest(before) => path.strip_prefix(&**before).is_some_and(|rest| !rest.is_empty()),
        }
    }
}

fn paths() -> impl Iterator<Item = (Method, Shape)> {
    let method = |call: &Call| if call.method == "GET" { Method::GET } else { Method::POST };
    ALIASES.iter().flat_map(move |call| {
        call.paths().into_iter().map(move |path| (method(call), Shape::of(&path)))
    })
}

impl OnProxy {
    pub(super) fn new(calls: Calls) -> Self {
        Self { calls, paths: paths().collect() }
    }

    /// Whether a request is one of them. HEAD is what GET is.
    pub fn takes<B>(&self, request: &Request<B>) -> bool {
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let path = request.uri().path();
        self.paths.iter().any(|(own, shape)| own == method && shape.has(path))
    }

    /// Answers one that it takes.
    pub async fn answer(&self, request: Request<Incoming>) -> http::Response<Answered> {
        self.calls.answer(request).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::base::tasks;
    use crate::edge::{Watch, attend};

    struct Deaf;
    impl Watch for Deaf {}

    /// A call that reads its body, on one end of a pipe.
    fn called() -> DuplexStream {
        let router = Router::new().route("/x", post(|body: bytes::Bytes| async move { body }));
        let calls = Calls::new(router);
        let (near, far) = tokio::io::duplex(64 * 1_024);
        let address = "127.0.0.1:1".parse().unwrap();
        let peer = Peer { address, local: address, connection: 1, secure: false };
        tasks::tend(attend(far, calls, peer, Arc::new(Deaf)));
        near
    }

    async fn said(pipe: &mut DuplexStream) -> String {
        let mut text = Vec::new();
        let mut piece = [0; 4_096];
        while !text.ends_with(b"}") && !text.ends_with(b"abc") {
            match pipe.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => text.extend_from_slice(&piece[..count]),
            }
        }
        String::from_utf8(text).unwrap()
    }

    const HEAD: &[u8] = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab";

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let mut pipe = called();
        pipe.write_all(HEAD).await.unwrap();
        let before = Duration::from_millis(limits::CALL_WITHIN.as_millis() - 1_000);
        let early = tokio::time::timeout(before, said(&mut pipe)).await;
        assert!(early.is_err(), "it has its time: {early:?}");
        let told = said(&mut pipe).await;
        assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("too-slow"), "{told}");
        let mut pipe = called();
        pipe.write_all(HEAD).await.unwrap();
        tokio::time::sleep(before).await;
        pipe.write_all(b"c").await.unwrap();
        let told = said(&mut pipe).await;
        assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("abc"), "{told}");
        assert!(told.contains("cache-control: no-store") && told.contains("date: "), "{told}");
    }

    fn takes(method: &str, path: &str) -> bool {
        let method: Method = method.parse().unwrap();
        paths().any(|(own, shape)| own == method && shape.has(path))
    }

    #[test]
    fn only_exact_paths_are_calls() {
        for (method, path) in [
            ("GET", "/cache/stats"),
            ("GET", "/api/v1/cache/stats"),
            ("GET", "/api/v1/admin/cache/stats"),
            ("POST", "/cache/clear"),
            ("POST", "/cache/invalidate/a/b"),
            ("POST", "/api/v1/cache/invalidate-pattern/*"),
            ("POST", "/stats/invalidate/user/2"),
            ("POST", "/api/v1/admin/cache/invalidate"),
        ] {
            assert!(takes(method, path), "{method} {path}");
        }
        for (method, path) in [
            ("POST", "/cache/stats"),
            ("GET", "/cache/clear"),
            ("PURGE", "/cache/clear"),
            ("POST", "/cache/clear/"),
            ("POST", "//cache/clear"),
            ("POST", "/./cache/clear"),
            ("POST", "/cache%2Fclear"),
            ("POST", "/Cache/clear"),
            ("POST", "/cache/invalidate/"),
            ("POST", "/cache/invalidate"),
            ("POST", "/stats/invalidate/user/"),
            ("POST", "/stats/invalidate/user/2/3"),
            ("GET", "/api/v1/admin/stats"),
            ("GET", "/metrics"),
        ] {
            assert!(!takes(method, path), "{method} {path}");
        }
    }
}
