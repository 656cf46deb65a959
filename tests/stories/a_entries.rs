//! Single entries through the admin API: listed, looked at, put there and taken out, by calls and
//! by verbs. What is put must be what a GET gets, and must obey purges like everything else.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::operator;
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, message};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
ttl = "5m"
[type.own]
prefix = "own:"
[[route]]
name = "docs"
match = "GET /docs/{id}"
type = "doc"
key = "{id}"
tags = ["docs", "one-{id}"]
[[route]]
name = "public"
match = "GET /public/{id}"
type = "doc"
key = "p-{id}"
share = "public"
[[route]]
name = "mine"
match = "GET /mine"
type = "own"
key = "mine"
share = "identity"
ttl = "1m"
"#;

fn origin() -> Stage {
    Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "origin")))
}

fn call(node: &Cistern, token: &str, method: &str, path: &str) -> Answer {
    operator::call(node, Some(token), method, path, None)
}

fn put(node: &Cistern, token: &str, query: &str, body: &Value) -> Answer {
    operator::call(node, Some(token), "PUT", &format!("entry?{query}"), Some(body))
}

fn verb(node: &Cistern, token: &str, words: &[&str], input: &[u8]) -> Output {
    let mut command = operator::verb(node, Some(token), words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads, or has ended");
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_list_is_told_in_pages_by_any_selector() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Read);
    let node = setup.start();
    for id in 0..25 {
        node.get(&format!("/docs/{id:02}"));
    }
    node.get("/plain?token=hush");
    for (selector, count) in
        [("all", 26), ("tag:docs", 25), ("type:doc", 25), ("prefix:doc:1", 10), ("rule:mine", 0)]
    {
        let (mut keys, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("keys?selector={selector}&limit=7{after}");
            let page = call(&node, &token, "GET", &path).with_status(200).json();
            let entries = page["entries"].as_array().unwrap();
            assert!(entries.len() <= 7, "{page}");
            keys.extend(entries.iter().map(|one| one["key"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count, "{selector}: {keys:?}");
        assert!(keys.iter().all(|key| !key.contains("hush")), "{keys:?}");
    }
    let row = call(&node, &token, "GET", "keys?selector=key:doc:07").json()["entries"][0].clone();
    assert_eq!(
        (&row["type"], &row["rule"], &row["level"]),
        (&json!("doc"), &json!("docs"), &json!("l1"))
    );
    assert!(row["ttl"].as_i64().is_some_and(|ttl| (290..=300).contains(&ttl)), "{row}");
    assert!(row["bytes"].as_u64().is_some_and(|bytes| bytes > 100), "{row}");
    let listed = verb(&node, &token, &["keys", "tag:docs", "--limit", "3"], b"");
    assert_eq!(text(&listed.stdout).lines().count(), 4, "{}", text(&listed.stdout));
    assert!(text(&listed.stderr).contains("--after s"), "{}", text(&listed.stderr));
    for (path, code, why) in [
        ("keys?limit=0", 400, "1 to 1000"),
        ("keys?limit=1001", 400, "1 to 1000"),
        ("keys?selector=url:/docs/1", 400, "names no site"),
        ("keys?after=nonsense", 400, "no place"),
        ("keys?level=l3", 400, "l1 or l2"),
        ("keys?level=l2", 409, "no shared level"),
        ("keys?lmit=1", 400, "`lmit` is none of"),
        ("keys?limit=1&limit=2", 400, "twice"),
    ] {
        let told = call(&node, &token, "GET", path).with_status(code).json();
        assert!(told["detail"].as_str().unwrap().contains(why), "{path}: {told}");
    }
}

#[test]
fn an_entry_is_told_whole_and_its_body_to_who_may() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    node.get("/docs/1");
    let told = call(&node, &token, "GET", "entry?key=doc:1").with_status(200).json();
    let one = &told["variants"][0];
    assert_eq!(
        (&one["level"], &one["status"], &one["rule"]),
        (&json!("l1"), &json!(200), &json!("docs"))
    );
    assert_eq!((&one["tags"], &one["body_bytes"]), (&json!(["docs", "one-1"]), &json!(6)));
    assert_eq!(one["site"], "http://api.example");
    assert!(!told.to_string().contains("origin\""), "no body is told: {told}");
    let by_url = call(&node, &token, "GET", "entry?url=http://api.example/docs/1").with_status(200);
    assert_eq!(by_url.json()["key"], "doc:1");
    call(&node, &token, "GET", "entry?key=doc:2").with_status(404);
    let body = call(&node, &token, "GET", "entry?key=doc:1&body=1").with_status(200);
    assert_eq!(
        (body.text().as_str(), body.get("content-type").as_deref()),
        ("origin", Some("application/octet-stream"))
    );
    // What is one caller's own takes more.
    node.send(&get("/mine").bearer("ann")).with_status(200);
    let told = call(&node, &token, "GET", "entry?key=own:mine").with_status(200).json();
    assert_eq!(told["variants"][0]["own"], true);
    call(&node, &token, "GET", "entry?key=own:mine&body=1").with_status(403);
    for (path, code) in [
        ("entry", 400),
        ("entry?key=a%20b", 400),
        ("entry?key=doc:1&body=yes", 400),
        ("entry?url=http://api.example/docs/1&key=doc:2", 400),
        ("entry?url=ftp://api.example/x", 400),
    ] {
        call(&node, &token, "GET", path).with_status(code);
    }
    let shown = verb(&node, &token, &["get", "doc:1"], b"");
    assert!(text(&shown.stdout).contains("docs one-1"), "{}", text(&shown.stdout));
    let shown = verb(&node, &token, &["get", "doc:1", "--body"], b"");
    assert_eq!(text(&shown.stdout), "origin");
    let tried = call(&node, &token, "DELETE", "entry?key=doc:1&dry_run=1").json();
    let gone = call(&node, &token, "DELETE", "entry?key=doc:1").with_status(200).json();
    assert_eq!(tried["would_purge"]["entries"], 1);
    assert_eq!((&gone["purged"]["entries"], &gone["exact"]), (&json!(1), &json!(true)));
    call(&node, &token, "GET", "entry?key=doc:1").with_status(404);
    assert_eq!(verb(&node, &token, &["get", "doc:1"], b"").status.code(), Some(1));
}

#[test]
fn a_body_is_not_shown_to_who_only_reads() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Read);
    let node = setup.start();
    node.get("/docs/1");
    call(&node, &token, "GET", "entry?key=doc:1").with_status(200);
    call(&node, &token, "GET", "entry?key=doc:1&body=1").with_status(403);
    call(&node, &token, "DELETE", "entry?key=doc:1").with_status(403);
    put(&node, &token, "key=doc:1&type=doc", &json!(1)).with_status(403);
    node.get("/docs/1").served_from_store();
}

#[test]
fn what_is_put_is_what_a_get_gets_until_it_is_purged() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    // It takes the place of what stands, for the site that it stands for.
    node.get("/docs/1");
    let told = put(&node, &token, "key=doc:1&type=doc&ttl=1h&tag=mine", &json!({ "a": 1 }));
    let told = told.with_status(200).json();
    assert_eq!((&told["l1"], &told["l2"]), (&json!(true), &Value::Null), "{told}");
    assert_eq!((&told["purged"]["entries"], &told["ttl"]), (&json!(1), &json!(3600)), "{told}");
    let got = node.get("/docs/1").served_from_store();
    assert_eq!(got.text(), "{\"a\":1}");
    assert_eq!(got.get("content-type").as_deref(), Some("application/json"));
    assert!((3_590..=3_600).contains(&got.ttl()), "{}", got.ttl());
    // Purges name it by its own tags and by its key, type and rule.
    for (selector, query) in [
        ("tag:mine", "key=doc:1&type=doc&tag=mine&site=http://api.example"),
        ("key:doc:1", "key=doc:1&type=doc&tag=a&site=http://api.example"),
        ("rule:docs", "key=doc:1&type=doc&tag=a&site=http://API.example:80"),
        ("tag:docs", "url=http://api.example/docs/1"),
        ("tag:one-1", "url=http://api.example/docs/1&tag=more"),
        ("tag:more", "url=http://api.example/docs/1&tag=more"),
        ("url:http://api.example/docs/1", "url=http://api.example/docs/1"),
        ("type:doc", "url=http://api.example/docs/1&key=doc:1"),
    ] {
        put(&node, &token, query, &json!(selector)).with_status(200);
        assert_eq!(node.get("/docs/1").served_from_store().json(), selector);
        let body = json!({ "selectors": [selector] });
        let admin = node.admin();
        let purge = ask("POST", "/api/v1/admin/purge").host(&admin).bearer(&token).json(&body);
        purge.to(&admin).with_status(200);
        assert_eq!(node.get("/docs/1").served_by_origin().text(), "origin", "{selector}");
    }
    // A rule that shares with all has another word for it.
    put(&node, &token, "key=doc:p-7&type=doc&rule=public&site=http://api.example", &json!(7))
        .with_status(200);
    assert_eq!(node.send(&get("/public/7").bearer("ann")).served_from_store().json(), 7);
    let admin = ask("GET", "/api/v1/admin/audit").host(&node.admin()).bearer(&token);
    let audit = admin.to(&node.admin()).with_status(200).json();
    let puts = audit["changes"].as_array().unwrap().iter().filter(|one| one["call"] == "put");
    assert_eq!(puts.count(), 10, "{audit}");
}

#[test]
fn a_put_says_what_is_wrong_with_it() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.config("[l1]\nmax_object = \"1KB\"\n").start();
    let many = (0..65).map(|tag| format!("&tag={tag}")).collect::<Vec<_>>().concat();
    for (query, code, why) in [
        ("", 400, "key=KEY"),
        ("key=doc:1", 400, "type=TYPE"),
        ("key=doc:1&type=none", 400, "no rule of the type"),
        ("key=doc:1&type=doc", 400, "the rule `docs` gives its entries tags"),
        ("key=dog:1&type=doc", 400, "begin with `doc:`"),
        ("key=own:mine&type=own", 400, "each caller"),
        ("key=doc:1&type=doc&ttl=soon", 400, "`ttl` is a time"),
        ("key=doc:1&type=doc&ttl=0s", 400, "`ttl` is a time"),
        ("key=doc:1&type=doc&tag=a&site=api.example", 400, "a site is such as"),
        ("key=doc:1&type=doc&tag=a*", 400, "without `*`"),
        (&format!("key=doc:1&type=doc{many}"), 400, "at most 64 tags"),
        ("key=doc:1&type=doc&body=1", 400, "is none of"),
        ("url=http://api.example/docs/1&key=doc:2", 400, "looked up under doc:1"),
    ] {
        let told = put(&node, &token, query, &json!(1)).with_status(code).json();
        assert!(told["detail"].as_str().unwrap().contains(why), "{query}: {told}");
    }
    let long = json!("x".repeat(2_000));
    put(&node, &token, "key=doc:1&type=doc&tag=a", &long).with_status(413);
    // A token that is bound to something else may not put either.
    let file = node.file("tokens.toml");
    let words = ["create", "bound", "--role", "operate", "--selector", "prefix:doc:2", "--file"];
    let mut create = Command::new(env!("CARGO_BIN_EXE_cistern"));
    let made = create.arg("tokens").args(words).arg(&file).env_clear().output().unwrap();
    let bound = text(&made.stdout).trim().to_owned();
    put(&node, &bound, "key=doc:1&type=doc&tag=a", &json!(1)).with_status(403);
    put(&node, &bound, "key=doc:21&type=doc&tag=a", &json!(1)).with_status(200);
    call(&node, &bound, "DELETE", "entry?key=doc:1").with_status(403);
}

#[test]
fn a_fetch_from_before_a_put_does_not_take_its_place() {
    let stage = Stage::start();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    let reader = node.begin(&get("/docs/1"));
    let slow = stage.expects("GET /docs/1");
    put(&node, &token, "url=http://api.example/docs/1", &json!("put")).with_status(200);
    slow.answers(message(200, &["Cache-Control: max-age=60"], "old"));
    assert_eq!(reader.finish().text(), "old", "who asked before it gets what was fetched");
    assert_eq!(node.get("/docs/1").served_from_store().json(), "put");
    stage.was_asked_no_more();
}

/// What each node keeps after several were told to put under one key at once is one thing.
#[test]
fn nodes_that_put_at_once_end_with_one_entry() {
    let (redis, origin) = (Server::start(), Versions::start());
    let node = || in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
    let (first, one) = node().token(Role::Operate);
    let (second, other) = node().token(Role::Operate);
    let (fleet, tokens) = (Fleet::start([first, second, node()]), [one, other]);
    for round in 0..4 {
        let begin = |at: usize| {
            let admin = fleet.nodes[at].admin();
            let path = "/api/v1/admin/entry?url=http://api.example/docs/1";
            let body = json!({ "version": 100 * (round + 1) + at });
            ask("PUT", path).host(&admin).bearer(&tokens[at]).json(&body).begin(&admin)
        };
        let answers = [begin(0), begin(1)].map(crate::support::client::Asked::finish);
        assert!(answers.iter().all(|one| [200, 409, 503].contains(&one.status)), "{answers:?}");
        if answers.iter().any(|one| one.status == 200 && one.json()["l2"] != true) {
            continue;
        }
        // Who was late follows within the lag; what Redis did not take says so.
        until("all tell one thing", || {
            let told = |node: &Cistern| node.get("/docs/1").with_status(200).json();
            let seen: Vec<Value> = fleet.nodes.iter().map(told).collect();
            seen.iter().all(|one| *one == seen[0])
        });
    }
}

#[test]
fn verbs_put_and_list() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    let words = [
        "put",
        "doc:9",
        "--file",
        "-",
        "--type",
        "doc",
        "--ttl",
        "10m",
        "--tag",
        "a",
        "--tag",
        "b",
        "--site",
        "http://api.example",
    ];
    let done = verb(&node, &token, &words, b"{\"n\":9}");
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).starts_with("put doc:9: L1 stored, L2 no part of it, ttl 600s"));
    let got = node.get("/docs/9").served_from_store();
    assert_eq!(
        (got.json(), got.get("content-type").as_deref()),
        (json!({ "n": 9 }), Some("application/json"))
    );
    let listed = verb(&node, &token, &["keys", "tag:b", "--json"], b"");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    // Under the site that was named, and for who asks the node by its address; for all and by rule.
    assert_eq!(listed["entries"].as_array().unwrap().len(), 4, "{listed}");
    let wrong = verb(&node, &token, &["put", "doc:9", "--file", "none.json", "--type", "doc"], b"");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn nodes_share_what_is_put_and_told() {
    let (redis, origin) = (Server::start(), Versions::start());
    let node = || in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
    let (first, token) = node().token(Role::Operate);
    let fleet = Fleet::start([first, node(), node()]);
    let first = &fleet.nodes[0];
    for node in &fleet.nodes {
        node.get("/docs/1").with_status(200);
    }
    stored(&redis, "doc:1", 1);
    let told = put(first, &token, "url=http://api.example/docs/1", &json!({ "version": 77 }));
    let told = told.with_status(200).json();
    assert_eq!((&told["l1"], &told["l2"]), (&json!(true), &json!(true)), "{told}");
    for node in &fleet.nodes {
        let got = node.get("/docs/1").with_status(200);
        assert_eq!(got.json()["version"], 77, "on {}", node.address());
    }
    let told = call(first, &token, "GET", "entry?key=doc:1").with_status(200).json();
    let levels: Vec<&str> = told["variants"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["level"].as_str())
        .collect();
    assert_eq!(levels, ["l1", "l2"], "{told}");
    let shared = &told["variants"][1];
    assert_eq!((&shared["status"], &shared["rule"]), (&json!(200), &json!("docs")), "{told}");
    assert!(shared["ttl"].as_i64().is_some_and(|ttl| (290..=300).contains(&ttl)), "{told}");
    for id in 2..40 {
        first.get(&format!("/docs/{id}")).with_status(200);
    }
    stored(&redis, "doc:", 39);
    // What is no frame of ours does not end the list.
    redis.cli(&["RPUSH", "cistern:e:{odd}\u{1}\u{1}", "x"]);
    let (mut keys, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("keys?selector=type:doc&level=l2&limit=10{after}");
        let page = call(first, &token, "GET", &path).with_status(200).json();
        let entries = page["entries"].as_array().unwrap().iter();
        keys.extend(entries.map(|one| one["key"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 39, "{keys:?}");
    call(first, &token, "GET", "keys?level=l2&after=junk").with_status(400);
    let gone = call(first, &token, "DELETE", "entry?key=doc:1").with_status(200).json();
    // Somebody may be late on a busy machine, and follows within a moment.
    assert_ne!(gone["level"], "local", "{gone}");
    call(first, &token, "GET", "entry?key=doc:1").with_status(404);
    for node in &fleet.nodes {
        until("it is gone", || node.get("/docs/1").json()["version"] != 77);
    }
}
