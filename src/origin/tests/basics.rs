//! What passes must pass as it is.

use http::HeaderMap;
use http_body::Frame;
use tokio::join;

use super::script::{Script, bare, fed, fetch, full, part, request};
use crate::origin::Upstreams;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn the_target_leaves_byte_for_byte() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    // Every character that a request line may hold here, in path and query.
    let held = |text: &str| text.parse::<http::uri::PathAndQuery>().is_ok();
    let ascii = || ('!'..='~').filter(|c| *c != '#');
    let path: String = ascii().filter(|c| *c != '?' && held(&format!("/{c}"))).collect();
    let query: String = ascii().filter(|c| held(&format!("/?{c}"))).collect();
    assert!(path.contains("%&'()*+,-.") && query.contains("/0123"), "{path} {query}");
    let targets = [
        "/",
        "/?",
        "/?&&=%",
        "/%2e%2E/a%2Fb/%e4?q=%41&q=a+b&empty=",
        "//two//slashes/./../..;p=1",
        &format!("/{path}?{query}"),
        "/caf\u{e9}?q=\u{fc}",
        "*",
    ];
    let server = async {
        let mut peer = script.accept().await;
        for target in targets {
            peer.expects(&format!("OPTIONS {target} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
            peer.says(OK).await;
        }
    };
    let client = async {
        for target in targets {
            let answer = fetch(&upstreams, &spec, bare(&format!("OPTIONS {target}"), &[])).await;
            assert_eq!(answer.unwrap().body, "ok");
        }
    };
    join!(server, client);
    script.is_left_alone();
}

#[tokio::test]
async fn an_absolute_target_leaves_as_its_path() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.expects("GET /a?b HTTP/1.1\r\nhost: h\r\n\r\n").await;
        peer.says(OK).await;
    };
    let client = fetch(&upstreams, &spec, bare("GET http://elsewhere/a?b", &[]));
    assert_eq!(join!(server, client).1.unwrap().status, 200);
}

#[tokio::test]
async fn host_is_given_fixed_or_the_origins_own() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let mut spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        assert!(peer.answers(OK).await.contains(&format!("host: {}\r\n", script.address)));
        assert!(peer.answers(OK).await.contains("host: fixed.example\r\n"));
    };
    let client = async {
        let mut nameless = bare("GET /", &[]);
        nameless.headers_mut().remove("host");
        fetch(&upstreams, &spec, nameless).await.unwrap();
        spec.target = spec.target.clone().with_host("fixed.example").unwrap();
        fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap();
    };
    join!(server, client);
}

#[tokio::test]
async fn repeated_fields_keep_their_order_both_ways() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.expects("GET / HTTP/1.1\r\nhost: h\r\na: 1\r\na: 2\r\nb: x\r\n\r\n").await;
        let fields = "set-cookie: a=1\r\nx: \u{fc}\r\nset-cookie: b=2, c=3\r\nset-cookie: \r\n";
        peer.says(format!("HTTP/1.1 200 Fine By Me\r\n{fields}content-length: 0\r\n\r\n")).await;
    };
    let client = fetch(&upstreams, &spec, bare("GET /", &["a: 1", "a: 2", "b: x"]));
    let answer = join!(server, client).1.unwrap();
    let cookies: Vec<_> = answer.fields.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2, c=3", ""]);
    assert_eq!(answer.fields.get("x").unwrap().as_bytes(), "\u{fc}".as_bytes());
}

#[tokio::test]
async fn a_body_of_known_length_leaves_with_its_length() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.expects("PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello").await;
        peer.says(OK).await;
        peer.expects("GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi").await;
        peer.says(OK).await;
        peer.expects("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n").await;
        peer.says(OK).await;
        peer.expects("POST / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        peer.says(OK).await;
    };
    let client = async {
        let ask = |request| fetch(&upstreams, &spec, request);
        ask(full("PUT /", &["content-length: 5"], "hello")).await.unwrap();
        ask(full("GET /", &[], "hi")).await.unwrap();
        ask(bare("POST /", &["content-length: 0"])).await.unwrap();
        ask(bare("POST /", &[])).await.unwrap();
    };
    join!(server, client);
    script.is_left_alone();
}

#[tokio::test]
async fn a_body_of_unknown_length_leaves_in_chunks_with_its_trailers() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let server = async {
        let mut peer = script.accept().await;
        let head = "trailer: x-sum\r\ntransfer-encoding: chunked\r\n";
        peer.expects(&format!("GET /g HTTP/1.1\r\nhost: h\r\n{head}\r\n")).await;
        // Each part leaves as it comes.
        feeder.send(part("one")).await.unwrap();
        peer.expects("3\r\none\r\n").await;
        feeder.send(part("three")).await.unwrap();
        peer.expects("5\r\nthree\r\n").await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "8".parse().unwrap());
        trailers.insert("x-undeclared", "8".parse().unwrap());
        feeder.send(Ok(Frame::trailers(trailers))).await.unwrap();
        peer.expects("0\r\nx-sum: 8\r\n\r\n").await;
        peer.says(OK).await;
        peer.answers(OK).await;
    };
    // What the client's side called its framing does not matter.
    let fields = ["trailer: x-sum", "transfer-encoding: gzip, chunked"];
    let client = async {
        let answer = fetch(&upstreams, &spec, request("GET /g", &fields, body)).await.unwrap();
        assert_eq!(answer.body, "ok");
        assert!(fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap().reused);
    };
    join!(server, client);
    script.is_left_alone();
}

#[tokio::test]
async fn chunks_and_trailers_come_as_they_are() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        peer.says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n").await;
        peer.says("3;ext=1\r\none\r\n5\r\nthree\r\n0\r\nx-sum: 8\r\nx-sum: 9\r\n\r\n").await;
        peer.answers(OK).await;
    };
    let client = async {
        let answer = fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap();
        assert_eq!(answer.body, "onethree");
        let sums: Vec<_> = answer.trailers.as_ref().unwrap().get_all("x-sum").iter().collect();
        assert_eq!(sums, ["8", "9"]);
        assert!(fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap().reused);
    };
    join!(server, client);
    script.is_left_alone();
}

#[tokio::test]
async fn answers_without_body_announce_what_they_like() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n").await;
        peer.answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        peer.answers("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n").await;
        peer.answers("HTTP/1.1 204 No Content\r\n\r\n").await;
        peer.answers("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await;
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    };
    let client = async {
        let lines = ["HEAD /", "HEAD /", "GET /", "GET /", "DELETE /", "GET /"];
        for (count, line) in lines.into_iter().enumerate() {
            let answer = fetch(&upstreams, &spec, bare(line, &[])).await.unwrap();
            assert_eq!((answer.body.len(), answer.reused), (0, count > 0), "{line} {count}");
            if count == 0 || count == 2 {
                assert_eq!(answer.fields.get("content-length").unwrap(), "99");
            }
        }
    };
    join!(server, client);
    script.is_left_alone();
}

#[tokio::test]
async fn without_framing_the_body_ends_with_the_connection() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    for head in ["HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let server = async {
            let mut peer = script.accept().await;
            peer.answers(head).await;
            peer.says("until the ").await;
            peer.says("end").await;
        };
        let client = fetch(&upstreams, &spec, bare("GET /", &[]));
        assert_eq!(join!(server, client).1.unwrap().body, "until the end");
        assert_eq!(upstreams.idle(), 0);
    }
}
