use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::engine::samples::{Origin, message, read, worker};

const RULES: &str = r#"
[[route]]
name = "docs"
match = "GET /doc/{id}"
key = "doc:{id}"
ttl = "60s"
[[route]]
name = "own"
match = "GET /own/{id}"
key = "own:{id}"
share = "identity"
ttl = "60s"
"#;

async fn origin() -> Origin {
    Origin::start(|what| match what.rsplit('/').next()? {
        "shut" => Some(message(401, &[], "")),
        "broken" => Some(message(500, &[], "")),
        "secret" => Some(message(200, &["Cache-Control: no-store"], "x")),
        _ => Some(message(200, &["Cache-Control: max-age=60", "ETag: \"1\""], "x")),
    })
    .await
}

async fn brought(worker: &Worker, url: &str) -> Brought {
    bring(worker, &Target::of_url(url).unwrap()).await
}

#[tokio::test]
async fn what_is_not_there_is_fetched_and_a_client_finds_it() {
    let origin = origin().await;
    let worker = worker(origin.address, RULES);
    assert_eq!(brought(&worker, "http://SHOP.example:80/doc/1").await, Brought::Fetched);
    assert_eq!(brought(&worker, "http://shop.example/doc/1").await, Brought::Fresh);
    assert!(read(&worker, "GET /doc/1", &[]).await.is_hit());
    assert_eq!(origin.asked("GET /doc/1"), 1);
}

#[tokio::test]
async fn what_came_of_it_is_told_apart() {
    let origin = origin().await;
    let worker = worker(origin.address, RULES);
    let told = |name: &'static str| {
        let worker = worker.clone();
        async move { brought(&worker, &format!("http://shop.example/{name}")).await }
    };
    assert_eq!(told("secret").await, Brought::NotCacheable("no-store"));
    assert_eq!(told("doc/shut").await, Brought::NoCredentials);
    assert!(matches!(told("doc/broken").await, Brought::Failed(why) if why.contains("500")));
}

#[tokio::test]
async fn what_stands_stale_is_asked_for_by_its_tag() {
    let conditional = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&conditional);
    let origin = Origin::start(move |_| {
        let first = seen.fetch_add(1, Ordering::Relaxed) == 0;
        let lines = ["Cache-Control: max-age=0", "ETag: \"1\""];
        let more = ["Cache-Control: max-age=60", "ETag: \"1\""];
        Some(if first { message(200, &lines, "x") } else { message(304, &more, "") })
    })
    .await;
    let worker = worker(origin.address, "");
    read(&worker, "GET /a", &[]).await;
    assert_eq!(brought(&worker, "http://shop.example/a").await, Brought::Fetched);
    let seen = read(&worker, "GET /a", &[]).await;
    assert!(seen.is_hit() && seen.text == "x");
    assert_eq!(conditional.load(Ordering::Relaxed), 2);
}

#[test]
fn only_whole_urls_without_a_login_are_targets() {
    for wrong in ["/a", "shop.example/a", "ftp://shop.example/a", "", "http://"] {
        assert_eq!(Target::of_url(wrong).unwrap_err(), NoTarget::Relative, "{wrong}");
    }
    assert_eq!(Target::of_url("http://ann:pw@shop.example/").unwrap_err(), NoTarget::Login);
    let target = Target::of_url("https://Shop.Example:443").unwrap();
    assert_eq!(target.uri(), "https://shop.example/");
}

#[tokio::test]
async fn an_entry_of_one_caller_is_left_alone_and_one_of_nobody_is_not() {
    let origin = origin().await;
    let worker = worker(origin.address, RULES);
    read(&worker, "GET /own/1", &[("authorization", "Bearer ann")]).await;
    read(&worker, "GET /own/2", &[]).await;
    let engine = &worker.engine;
    let page = engine.l1.list(&[crate::entry::order::Selector::All], None, 10);
    let mut told: Vec<_> = Vec::new();
    for one in &page.found {
        let target = Target::of_entry(&one.key, &one.entries[0]);
        told.push((target.uri.clone(), bring(&worker, &target).await));
    }
    told.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [("1", Brought::NoCredentials), ("2", Brought::Fresh)];
    let expected = expected.map(|(id, brought)| (format!("http://shop.example/own/{id}"), brought));
    assert_eq!(told, expected);
    assert_eq!(origin.asked("GET /own/1"), 1);
}
