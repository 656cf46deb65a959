//! Work that a node does by itself once it is told: fetching ahead, comparing what is stored with
//! its origin, and how such jobs are looked at and ended.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::get;
use crate::support::operator::{self, counts, end_of, ended, said, told as call};
use crate::support::redis::until;
use crate::support::stage::{Stage, message};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
[[route]]
name = "docs"
match = "GET /docs/{id}"
type = "doc"
key = "{id}"
[[route]]
name = "rest"
match = "GET /{rest...}"
"#;

fn of_versions(rules: &str) -> (Versions, Cistern, String) {
    let origin = Versions::start();
    let (setup, token) = in_front_of(origin.address()).rules(rules).token(Role::Operate);
    let node = setup.start();
    (origin, node, token)
}

#[test]
fn urls_are_fetched_before_anybody_asks_for_them() {
    let (origin, node, token) = of_versions(RULES);
    let urls: Vec<String> = (1..=5).map(|id| format!("http://api.example/docs/{id}")).collect();
    let job = ended(&node, &token, "warm", &json!({ "urls": urls, "rate": 1000 }));
    assert_eq!((&job["state"], &job["total"]), (&json!("done"), &json!(5)), "{job}");
    assert_eq!(counts(&job), json!({ "fetched": 5 }), "{job}");
    for id in 1..=5 {
        node.get(&format!("/docs/{id}")).served_from_store();
        assert_eq!(origin.asked(&format!("GET /docs/{id}")), 1);
    }
    // What is fresh is not asked for again, and takes no turn.
    let job = ended(&node, &token, "warm", &json!({ "urls": urls, "rate": 1 }));
    assert_eq!(counts(&job), json!({ "fresh": 5 }), "{job}");
    let took = job["ended_ms"].as_u64().unwrap() - job["began_ms"].as_u64().unwrap();
    assert!(took < 3_000, "five turns are four seconds: {job}");
    assert!(node.log().contains(r#" JOB done detail="warm-1 fetched=5""#));
}

#[test]
fn a_template_makes_urls_and_the_verb_waits_for_them() {
    let (origin, node, token) = of_versions(RULES);
    let words = [
        "warm",
        "--template",
        "http://api.example/docs/{n}-{d}",
        "--range",
        "n=2..1",
        "--range",
        "d=2024-02-28..2024-03-01",
        "--rate",
        "1000",
        "--wait",
        "--json",
    ];
    let output = operator::verb(&node, Some(&token), &words).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, 0, "{err}");
    let job: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(counts(&job), json!({ "fetched": 6 }), "{job}");
    node.get("/docs/1-2024-02-29").served_from_store();
    assert_eq!(origin.asked("GET /docs/2-2024-03-01"), 1);
    let shown = operator::verb(&node, Some(&token), &["jobs"]).output().unwrap();
    let (_, out, _) = said(&shown);
    assert!(out.contains("warm-1") && out.contains("6 of 6"), "{out}");
    let list = node.file("urls.txt");
    std::fs::write(&list, "# those that matter\nhttp://api.example/docs/9\n\n").unwrap();
    let from = ["warm", "--from", list.to_str().unwrap(), "--wait"];
    let (code, out, _) = said(&operator::verb(&node, Some(&token), &from).output().unwrap());
    assert!(code == 0 && out.contains("fetched 1"), "{out}");
    let log = node.file("access.log");
    let asked = |n: u32, id: u32| {
        format!("10.0.0.9 - - [28/Nov/2026] \"GET /docs/{id} HTTP/1.1\" 200 1\n").repeat(n as usize)
    };
    std::fs::write(&log, asked(1, 31) + &asked(3, 32) + &asked(2, 33)).unwrap();
    let (log, site) = (log.to_str().unwrap(), "http://api.example");
    let from = ["warm", "--log", log, "--site", site, "--limit", "2", "--wait"];
    let (code, out, err) = said(&operator::verb(&node, Some(&token), &from).output().unwrap());
    assert!(code == 0 && out.contains("fetched 2"), "{out} {err}");
    assert!(err.contains("2 URLs of 6 requests; 0 other lines"), "{err}");
    assert_eq!([31, 32, 33].map(|id| origin.asked(&format!("GET /docs/{id}"))), [0, 1, 1]);
    let (code, _, err) =
        said(&operator::verb(&node, Some(&token), &["warm", "--log", log]).output().unwrap());
    assert!(code == 2 && err.contains("--site"), "{err}");
    let none = ["warm", "--wait"];
    let (code, ..) = said(&operator::verb(&node, Some(&token), &none).output().unwrap());
    assert_eq!(code, 2);
}

#[test]
fn what_stands_old_of_a_type_or_is_hot_is_renewed() {
    let (origin, node, token) = of_versions(RULES);
    origin.lives_for(0);
    for path in ["/docs/1", "/docs/2", "/other/1"] {
        node.get(path).with_status(200);
    }
    origin.lives_for(60);
    let words = ["cache", "warm", "doc", "--wait", "--rate", "1000", "--json"];
    let (code, out, err) = said(&operator::verb(&node, Some(&token), &words).output().unwrap());
    assert_eq!(code, 0, "{err}");
    let job: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(counts(&job), json!({ "fetched": 2 }), "{job}");
    assert!(origin.served().iter().filter(|one| one.conditional).count() >= 2, "by their tags");
    for path in ["/docs/1", "/docs/2"] {
        node.get(path).served_from_store();
    }
    let job = ended(&node, &token, "warm", &json!({ "hot": true, "rate": 1000 }));
    assert_eq!(counts(&job), json!({ "fetched": 1 }), "what is fresh is not hot work: {job}");
    node.get("/other/1").served_from_store();
    // A span of days takes only what was stored or made in it.
    let never = json!({ "type": "doc", "dated": { "from": "2001-01-01", "to": "2001-01-31" } });
    assert_eq!(counts(&ended(&node, &token, "warm", &never)), json!({}));
}

#[test]
fn what_cannot_be_kept_or_needs_a_credential_is_told() {
    let stage = Stage::with(|what| {
        Some(match what {
            "GET /secret" => message(200, &["Cache-Control: no-store"], "x"),
            "GET /shut" => message(401, &[], ""),
            "GET /broken" => message(500, &[], ""),
            _ => message(200, &["Cache-Control: max-age=60"], "x"),
        })
    });
    let (setup, token) = in_front_of(stage.address()).token(Role::Operate);
    let node = setup.start();
    let names = ["secret", "shut", "broken", "fine"];
    let urls = names.map(|name| format!("http://api.example/{name}?token=hush"));
    let urls: Vec<&str> = urls.iter().map(|url| url.trim_end_matches("?token=hush")).collect();
    let job = ended(&node, &token, "warm", &json!({ "urls": urls, "rate": 1000 }));
    let expected = json!({ "fetched": 1, "not-cacheable": 1, "no-credentials": 1, "failed": 1 });
    assert_eq!(counts(&job), expected, "{job}");
    let examples = job["examples"].as_array().unwrap();
    let why = |outcome: &str| {
        let one = examples.iter().find(|one| one["outcome"] == outcome).expect("an example");
        one["why"].as_str().unwrap().to_owned()
    };
    assert!(why("failed").contains("500") && why("no-credentials").contains("job_headers"));
    assert_eq!(why("not-cacheable"), "no-store");
}

#[test]
fn our_own_requests_carry_the_fields_of_the_rules() {
    let stage = Stage::start();
    let rules = format!(
        "version = 1\n[origin.o]\nurl = 'http://{}'\njob_headers = {{ Authorization = 'Bearer \
         ours' }}\n[[route]]\nname = 'all'\nmatch = 'GET /{{rest...}}'\norigin = 'o'\nshare = 'public'\n\
         ttl = '60s'\n",
        stage.address()
    );
    let setup = in_front_of(stage.address()).without("--origin").rules(&rules);
    let (setup, token) = setup.token(Role::Operate);
    let node = setup.start();
    let begun = call(&node, &token, "POST", "warm", &json!({ "urls": ["http://api.example/a"] }));
    let scene = stage.expects("GET /a");
    assert_eq!(scene.field("authorization"), Some("Bearer ours"));
    scene.answers(message(200, &[], "x"));
    let job = end_of(&node, &token, begun["id"].as_str().unwrap());
    assert_eq!(counts(&job), json!({ "fetched": 1 }), "{job}");
}

#[test]
fn jobs_wait_for_their_turn_and_can_be_ended() {
    let (_origin, node, token) = of_versions(RULES);
    let slow = json!({ "template": "http://api.example/docs/{n}", "rate": 1,
        "ranges": { "n": { "from": 1, "to": 1000 } } });
    let ids: Vec<String> = (0..3)
        .map(|_| call(&node, &token, "POST", "warm", &slow)["id"].as_str().unwrap().to_owned())
        .collect();
    let state = |id: &str| {
        let job = call(&node, &token, "GET", &format!("jobs/{id}"), &Value::Null);
        job["state"].as_str().unwrap().to_owned()
    };
    until("two of them run", || state(&ids[0]) == "running" && state(&ids[1]) == "running");
    assert_eq!(state(&ids[2]), "queued");
    let all = call(&node, &token, "GET", "jobs", &Value::Null);
    assert_eq!(all["jobs"][0]["id"].as_str(), Some(&*ids[2]), "the newest first: {all}");
    // Nothing is stored while the switch is on, so nothing is asked for.
    call(&node, &token, "POST", "bypass", &json!({ "on": true }));
    until("they stand still", || state(&ids[0]) == "paused" && state(&ids[1]) == "paused");
    call(&node, &token, "POST", "bypass", &json!({ "on": false }));
    until("they go on", || state(&ids[0]) == "running");
    let path = format!("jobs/{}", ids[0]);
    let ended = call(&node, &token, "DELETE", &path, &Value::Null);
    assert_eq!((&ended["state"], &ended["total"]), (&json!("cancelled"), &json!(1000)));
    until("the next has its turn", || state(&ids[2]) == "running");
    let again = operator::call(&node, Some(&token), "DELETE", &path, None).with_status(409);
    assert_eq!(again.json()["code"], "job-ended");
    let cancel = ["jobs", &ids[1], "--cancel"];
    let (code, out, _) = said(&operator::verb(&node, Some(&token), &cancel).output().unwrap());
    assert!(code == 0 && out.contains("cancelled"), "{out}");
    for method in ["GET", "DELETE"] {
        let unknown = operator::call(&node, Some(&token), method, "jobs/warm-99", None);
        assert_eq!(unknown.with_status(404).json()["code"], "no-job");
    }
}

#[test]
fn a_job_that_says_nothing_sensible_is_refused() {
    let (_origin, node, token) = of_versions(RULES);
    let n = json!({ "n": { "from": 1, "to": 2 } });
    for (path, body, why) in [
        ("warm", json!({}), "one of `urls`"),
        ("warm", json!({ "urls": ["http://h/"], "hot": true }), "one of `urls`"),
        ("warm", json!({ "urls": ["/a"] }), "the whole URL"),
        ("warm", json!({ "urls": ["http://ann:pw@h/"] }), "a user or a password"),
        ("warm", json!({ "template": "http://h/{n}" }), "does not say what `n`"),
        ("warm", json!({ "template": "/docs/{n}", "ranges": n }), "the whole URL"),
        ("warm", json!({ "type": "none" }), "no type `none`"),
        ("warm", json!({ "type": "doc", "dated": { "from": "yesterday" } }), "a day is such as"),
        ("warm", json!({ "hot": true, "dated": {} }), "belongs to a `type`"),
        ("warm", json!({ "hot": true, "rate": 0 }), "`rate` is a number"),
        ("warm", json!({ "hot": true, "at_once": 65 }), "`at_once` is a number"),
        ("warm", json!({ "what": 1 }), "unknown field"),
        ("verify", json!({ "sample": 0 }), "`sample` is a number"),
        ("verify", json!({ "sample": 1, "all": true }), "not both"),
        ("verify", json!({ "level": "l3" }), "l1 or l2"),
        ("verify", json!({ "selectors": ["tag:"] }), "names nothing"),
        ("verify", json!({ "selectors": ["url:/a"] }), "names no site"),
    ] {
        let told = operator::call(&node, Some(&token), "POST", path, Some(&body));
        let detail = told.with_status(400).json()["detail"].to_string();
        assert!(detail.contains(why), "{path} {body}: {detail}");
    }
    let all = call(&node, &token, "GET", "jobs", &Value::Null);
    assert_eq!(all["jobs"], json!([]));
}

#[test]
fn what_differs_from_its_origin_is_found_and_mended() {
    let (origin, node, token) = of_versions(RULES);
    for id in 1..=4 {
        node.get(&format!("/docs/{id}")).with_status(200);
    }
    node.get("/other/1").with_status(200);
    origin.commit("/docs/2");
    let job = ended(&node, &token, "verify", &json!({ "rate": 1000 }));
    assert_eq!(counts(&job), json!({ "same": 4, "differs": 1 }), "{job}");
    let findings = &job["findings"];
    assert_eq!(findings["fresh"], json!({ "compared": 5, "wrong": 1 }), "{job}");
    assert!(job["examples"][0]["what"].as_str().unwrap().ends_with("/docs/2"), "{job}");
    // It is told and left, until somebody wants it mended.
    assert_eq!(node.get("/docs/2").served_from_store().json()["version"], 1);
    let words = ["verify", "type:doc", "--repair", "--wait", "--rate", "1000"];
    let (code, out, _) = said(&operator::verb(&node, Some(&token), &words).output().unwrap());
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("same 3 differs 1") && out.contains("purged 1 keys"), "{out}");
    assert_eq!(node.get("/docs/2").served_by_origin().json()["version"], 2);
    let words = ["cache", "verify", "--all", "--wait", "--rate", "1000"];
    let (code, out, _) = said(&operator::verb(&node, Some(&token), &words).output().unwrap());
    assert_eq!(code, 0, "{out}");
    let job = ended(&node, &token, "verify", &json!({ "level": "l2" }));
    assert_eq!(job["state"], "failed", "{job}");
    assert!(job["error"].as_str().unwrap().contains("no shared level"), "{job}");
    origin.fails_with(404);
    let job = ended(&node, &token, "verify", &json!({ "sample": 2, "rate": 1000 }));
    assert_eq!(counts(&job), json!({ "gone": 2 }), "{job}");
    origin.fails_with(503);
    let job = ended(&node, &token, "verify", &json!({ "repair": true, "rate": 1000 }));
    assert_eq!(counts(&job), json!({ "failed": 5 }), "{job}");
    origin.recovers();
    node.get("/docs/1").served_from_store();
}

#[test]
fn nobodys_own_entry_is_compared() {
    let stage = Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "x")));
    let rules = "version = 1\n[[route]]\nname = 'own'\nmatch = 'GET /{rest...}'\n\
                 share = 'identity'\nttl = '60s'\n";
    let (setup, token) = in_front_of(stage.address()).rules(rules).token(Role::Operate);
    let node = setup.start();
    node.send(&get("/a").bearer("ann")).with_status(200);
    node.get("/a").with_status(200);
    let job = ended(&node, &token, "verify", &json!({ "rate": 1000 }));
    assert_eq!(counts(&job), json!({ "same": 1, "skipped": 1 }), "{job}");
    assert_eq!(job["examples"][0]["why"], "no-credentials", "{job}");
}

#[test]
fn a_token_that_is_bound_reaches_no_further() {
    let (origin, node, _) = of_versions(RULES);
    let bound = ["type:doc", "url:http://api.example/docs/1"];
    let bound = bound.map(|text| text.parse().expect("a selector")).to_vec();
    let made = cistern::node::tokens::create("bound", Role::Operate, bound).expect("randomness");
    cistern::node::tokens::write(&node.file("tokens.toml"), std::slice::from_ref(&made.1))
        .expect("a file");
    let url = "url:http://api.example/docs/1";
    let asks = |path: &str, body: Value| {
        operator::call(&node, Some(&made.0), "POST", path, Some(&body)).status
    };
    for (path, body, status) in [
        ("warm", json!({ "urls": ["http://api.example/docs/1"] }), 202),
        ("warm", json!({ "urls": ["http://api.example/docs/2"] }), 403),
        ("warm", json!({ "type": "doc" }), 202),
        ("warm", json!({ "hot": true }), 403),
        ("verify", json!({ "selectors": ["type:doc"], "repair": true }), 202),
        ("verify", json!({ "repair": true }), 403),
        // It purges by key, and another host's may be the same.
        ("verify", json!({ "selectors": [url], "repair": true }), 403),
        ("verify", json!({ "selectors": [url] }), 202),
        ("sync", json!({ "selectors": [url] }), 403),
        ("sync", json!({ "selectors": ["type:doc"] }), 202),
        // What it may not change it may not look at either.
        ("verify", json!({}), 403),
        ("verify", json!({ "selectors": ["type:doc"] }), 202),
    ] {
        assert_eq!(asks(path, body.clone()), status, "{path} {body}");
    }
    assert_eq!(origin.asked("GET /docs/2"), 0);
}
