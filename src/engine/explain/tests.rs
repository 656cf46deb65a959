//! What is told must be what serving does, and telling it must change nothing.

use std::sync::Arc;

use ipnet::IpNet;

use super::*;
use crate::engine::Worker;
use crate::engine::options::Options;
use crate::engine::samples::{Origin, message, options, read, worker, worker_in, worker_with};
use crate::entry::seal::KeyRing;
use crate::store::redis::Slot;
use crate::store::redis::config::{Address, Layout};
use crate::store::redis::fleet::{Effects, Fleet};
use crate::store::redis::samples::config;

const RULES: &str = "
[[route]]
name = 'ask'
match = 'POST /search'
key = 'search:{req.json:/q}'
tags = ['by:{req.json:/who}']
ttl = '1m'
json_max = '64B'
";

fn question<'a>(method: &'a str, url: &'a str) -> Question<'a> {
    Question { method, url, headers: &[], body: b"", node: None, from: LOOPBACK }
}

async fn origin() -> Origin {
    Origin::start(|_| Some(message(200, &["Cache-Control: max-age=600"], "x"))).await
}

fn told(worker: &Worker, question: &Question<'_>) -> Told {
    explain(&worker.engine, question, true).unwrap()
}

#[tokio::test]
async fn parts_of_the_body_are_those_of_the_body_that_is_given() {
    let worker = worker(origin().await.address, RULES);
    let asked = Question { body: br#"{"q":"lamp","who":"ann"}"#, ..question("POST", "/search") };
    let seen = told(&worker, &asked);
    assert_eq!(seen.key.as_deref(), Some("search:lamp"));
    assert_eq!(seen.tags, ["by:ann"]);
    let values: Vec<_> = seen.parts.iter().map(|part| part.value.as_deref()).collect();
    assert_eq!(values, [Some("lamp")], "{seen}");
    let seen = told(&worker, &question("POST", "/search"));
    assert_eq!((seen.outcome.as_str(), seen.reason.as_deref()), ("pass", Some("key-part-missing")));
    let long = format!(r#"{{"q":"{}"}}"#, "x".repeat(64));
    let asked = Question { body: long.as_bytes(), ..question("POST", "/search") };
    assert_eq!(told(&worker, &asked).reason.as_deref(), Some("key-part-missing"));
}

#[tokio::test]
async fn only_requests_of_http_are_explained() {
    let worker = worker(origin().await.address, "");
    for url in ["ftp://h/a", "ws://h/"] {
        let wrong = explain(&worker.engine, &question("GET", url), true).unwrap_err();
        assert!(matches!(wrong, NoQuestion::Scheme(_)), "{url}: {wrong}");
    }
    for url in ["", "a", "shop.example", "shop.example:80", "http://", "/a b", "file:///a"] {
        let wrong = explain(&worker.engine, &question("GET", url), true).unwrap_err();
        assert!(matches!(wrong, NoQuestion::Url(_)), "{url}: {wrong}");
    }
    for (method, url) in [("GET", "/a"), ("GET", "HTTP://h/a?b=1"), ("OPTIONS", "*")] {
        told(&worker, &question(method, url));
    }
}

#[tokio::test]
async fn who_asks_decides_whose_words_are_believed() {
    let network: IpNet = "10.0.0.0/8".parse().unwrap();
    let trusting =
        Options { trust_peers: vec![network], trust_clients: vec![network], ..options() };
    let worker = worker_with(origin().await.address, "", trusting);
    let (peer, stranger) = ("10.1.2.3".parse().unwrap(), "192.0.2.1".parse().unwrap());
    // A field that could change the answer and is in no key.
    let headers = [("x-original-url".to_owned(), "/b".to_owned())];
    let asked = Question { headers: &headers, ..question("GET", "http://shop.example/a") };
    let reason = |from| told(&worker, &Question { from, ..asked }).reason;
    assert_eq!(reason(stranger).as_deref(), Some("unkeyed-input"));
    assert_eq!(reason(peer), None);
    // The scheme of a site is what a trusted peer says.
    let asked = question("GET", "https://shop.example/a");
    let key = |from| told(&worker, &Question { from, ..asked }).key;
    assert_eq!(key(peer).as_deref(), Some("https://shop.example/a"));
    assert_eq!(key(stranger).as_deref(), Some("http://shop.example/a"));
    // And so are wishes of clients.
    read(&worker, "GET /a", &[]).await;
    let headers = [("cache-control".to_owned(), "no-cache".to_owned())];
    let asked = Question { headers: &headers, ..question("GET", "http://shop.example/a") };
    let outcome = |from| told(&worker, &Question { from, ..asked }).outcome;
    assert_eq!((outcome(stranger).as_str(), outcome(peer).as_str()), ("hit", "miss"));
}

#[tokio::test]
async fn who_asks_decides_what_a_purge_or_a_write_would_take() {
    let network: IpNet = "10.0.0.0/8".parse().unwrap();
    let open = Options { purge_networks: vec![network], ..options() };
    let rules = "[[route]]\nmatch = 'PUT /touch'\non_write.purge = ['tag:of:{identity}']\n";
    let worker = worker_with(origin().await.address, rules, open);
    let asked = question("PURGE", "http://h/a");
    let outcome = |from: &str| {
        let seen = told(&worker, &Question { from: from.parse().unwrap(), ..asked });
        (seen.outcome, seen.reason)
    };
    assert_eq!(outcome("10.1.2.3"), ("purge".to_owned(), None));
    assert_eq!(outcome("192.0.2.1"), ("refused".to_owned(), Some("forbidden".to_owned())));
    let purges = |token: &str| {
        let headers = [("authorization".to_owned(), token.to_owned())];
        told(&worker, &Question { headers: &headers, ..question("PUT", "/touch") }).purges
    };
    let (ann, bob) = (purges("Bearer ann"), purges("Bearer bob"));
    assert!(ann.iter().any(|one| one.starts_with("tag:of:") && !one.contains('*')), "{ann:?}");
    assert_ne!(ann, bob);
}

#[tokio::test]
async fn a_purge_takes_what_its_fields_name() {
    let open = Options { purge_networks: vec![IpAddr::from([127, 0, 0, 1]).into()], ..options() };
    let worker = worker_with(origin().await.address, "", open);
    let seen = |fields: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers: Vec<_> = fields.iter().map(owned).collect();
        told(&worker, &Question { headers: &headers, ..question("PURGE", "http://h/a") })
    };
    assert_eq!(seen(&[]).purges, ["url:http://h/a"]);
    let named = seen(&[("x-purge-selector", "prefix:shop:"), ("surrogate-key", "one two")]);
    assert_eq!(named.purges, ["prefix:shop:", "tag:one", "tag:two"]);
    assert_eq!(seen(&[("x-purge-selector", "url:/b")]).purges, ["url:http://h/b"]);
    let wrong = seen(&[("x-purge-selector", "tenant:a*")]);
    assert_eq!((wrong.outcome.as_str(), wrong.reason.as_deref()), ("refused", Some("bad-request")));
}

#[tokio::test(start_paused = true)]
async fn explaining_is_no_use_of_what_is_stored() {
    let worker = worker(origin().await.address, "");
    read(&worker, "GET /a", &[]).await;
    let used = || {
        let bundle = worker.engine.l1.peek("http://shop.example/a\u{1}\u{1}").unwrap();
        bundle.used_secs()
    };
    let before = used();
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    let seen = told(&worker, &question("GET", "http://shop.example/a"));
    assert_eq!((seen.outcome.as_str(), seen.stored.unwrap().age), ("hit", 30));
    assert_eq!(used(), before);
    assert!(read(&worker, "GET /a", &[]).await.is_hit());
    assert_eq!(used(), before + 30);
}

const SHARING: &str = "
[[route]]
match = 'GET /items/{id}'
key = 'item:{id}'
ttl = '5m'
[[route]]
match = 'GET /own'
key = 'own:{identity}'
share = 'identity'
ttl = '5m'
[[route]]
match = 'GET /near'
key = 'near'
ttl = '5m'
l2 = false
[[route]]
match = 'GET /secret'
key = 'secret'
ttl = '5m'
encrypt = true
compress = false
";

/// A node of a fleet that nobody runs: its server is away.
fn fleet(ring: Option<&str>) -> Arc<Fleet> {
    let only = Address { host: "redis".to_owned(), port: 6_379 };
    let ring = ring.map(|text| KeyRing::parse(text).unwrap());
    Arc::new(Fleet::new(config(Layout::Single(only)), ring, 1, |_| ()).unwrap())
}

#[tokio::test]
async fn a_shared_read_says_where_its_frame_would_be() {
    let worker = worker_in(Some(fleet(None)), origin().await.address, SHARING, options());
    let seen = told(&worker, &question("GET", "http://h/items/1"));
    let level = seen.l2.clone().unwrap();
    assert!(level.used && !level.sealed);
    let name = level.name.unwrap();
    assert!(name.starts_with("cistern:e:{item:1}\u{1}"), "{name}");
    assert_eq!(level.slot, Some(Slot::of(b"item:1").number()));
    assert_eq!(level.server.as_deref(), Some("redis:6379 is away, and is not asked"));
    assert!(seen.because.clone().unwrap().contains("the shared level is asked"));
    let lines = seen.to_string();
    assert!(lines.contains("l2        used: in the clear, zstd 3"), "{lines}");
    assert!(lines.contains("\"cistern:e:{item:1}\\x01"), "{lines}");
    let offline = explain(&worker.engine, &question("GET", "/items/1"), false).unwrap();
    assert_eq!(offline.l2.unwrap().server, None);
}

#[tokio::test]
async fn a_read_that_is_not_shared_says_why() {
    const RING: &str = "1:0001020304050607080910111213141516171819202122232425262728293031";
    let address = origin().await.address;
    let headers = [("authorization".to_owned(), "Bearer ann".to_owned())];
    let level = |worker: &Worker, path| {
        let headers = if path == "/own" { &headers[..] } else { &[] };
        told(worker, &Question { headers, ..question("GET", path) }).l2.unwrap()
    };
    let why = |worker: &Worker, path| level(worker, path).because.unwrap_or_default();
    let alone = worker_in(None, address, SHARING, options());
    assert!(why(&alone, "/own").contains("no shared level"));
    let without = worker_in(Some(fleet(None)), address, SHARING, options());
    assert!(why(&without, "/near").contains("l2 = false"));
    assert!(why(&without, "/own").contains("digest of credentials"));
    assert!(why(&without, "/secret").contains("encrypt = true"));
    let with = worker_in(Some(fleet(Some(RING))), address, SHARING, options());
    let sealed = level(&with, "/secret");
    assert_eq!((sealed.used, sealed.sealed, sealed.compressed), (true, true, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_trusted_after_a_silence_or_a_gap_says_so() {
    let worker = worker_in(Some(fleet(None)), origin().await.address, SHARING, options());
    read(&worker, "GET /items/1", &[]).await;
    let seen = || told(&worker, &question("GET", "http://shop.example/items/1"));
    assert_eq!(seen().outcome, "hit");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let silent = seen();
    assert_eq!(
        (silent.outcome.as_str(), silent.reason.as_deref()),
        ("miss", Some("coherence-gap"))
    );
    assert!(silent.because.unwrap().contains("has not heard from its fleet"));
    let trust = &worker.engine.trust;
    trust.renew(trust.at(tokio::time::Instant::now()));
    assert_eq!(seen().outcome, "hit", "an answer of the fleet brings trust back");
    worker.engine.distrust();
    let gap = seen();
    assert_eq!(gap.reason.as_deref(), Some("coherence-gap"));
    assert!(gap.because.unwrap().contains("may have been missed"));
}
