//! What scrapers read, held to the grammar of both formats and to what clients did.

use std::fs;
use std::process::Command;

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::ask;
use crate::support::exposition::Exposed;
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, chunk, head_of, message};
use crate::support::versions::Versions;
use crate::support::wire::Wire;

const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
ttl = "5m"
[[route]]
name = "docs"
match = "GET /docs/{id}"
type = "doc"
key = "{id}"
tags = ["docs"]
[[route]]
name = 'the "odd" \ one'
match = "GET /odd"
key = "odd"
ttl = "5m"
[[route]]
name = "saved"
match = "POST /docs/{id}"
on_write.purge = ["tag:docs"]
"#;

/// `/docs/500` fails, what is slow comes to the story, all else is answered.
fn origin() -> Stage {
    Stage::with(|what| match what {
        "GET /slow" => None,
        "GET /docs/500" => Some(message(500, &[], "broken")),
        "GET /private" => Some(message(200, &["Cache-Control: private"], "x")),
        _ => Some(message(200, &["Cache-Control: max-age=60"], "hello")),
    })
}

fn scrape(node: &Cistern, token: Option<&str>) -> Exposed {
    let admin = node.admin();
    let call = ask("GET", "/metrics").host(&admin);
    let call = token.iter().fold(call, |call, token| call.bearer(token));
    Exposed::text(&call.to(&admin).with_status(200).text())
}

/// What is counted when all that clients have seen the end of is.
fn counted(node: &Cistern, token: Option<&str>, requests: u64) -> Exposed {
    let all = |seen: &Exposed| seen.count("cistern_requests_total", &[]);
    until("every request is counted", || all(&scrape(node, token)) >= requests);
    let seen = scrape(node, token);
    assert_eq!(all(&seen), requests);
    seen
}

/// The first chunk of an answer.
fn begins(wire: &mut Wire) -> Vec<u8> {
    assert_eq!(wire.head().status, 200);
    wire.chunk().expect("a chunk")
}

#[track_caller]
fn is(seen: &Exposed, name: &str, labels: &[(&str, &str)], wanted: usize) {
    let sum = seen.sum(name, labels);
    assert!((sum - wanted as f64).abs() < 1e-9, "{name}{labels:?} is {sum}, not {wanted}");
}

#[test]
fn counts_are_what_clients_did() {
    let stage = origin();
    let node = in_front_of(stage.address()).rules(RULES).start();
    // One miss and two hits of a rule, and another miss.
    for target in ["/docs/1", "/docs/1", "/docs/1", "/docs/2", "/odd", "/docs/500", "/private"] {
        node.get(target);
    }
    // A write takes both documents.
    node.send(&ask("POST", "/docs/1").json(&json!({}))).with_status(200);
    node.get("/docs/1").with_status(200).served_by_origin();
    // Nobody may PURGE: an error of ours.
    node.send(&ask("PURGE", "/docs/1")).with_status(403);
    let seen = counted(&node, None, 10);
    let requests = "cistern_requests_total";
    is(&seen, requests, &[("rule", "docs"), ("outcome", "hit"), ("level", "l1")], 2);
    is(&seen, requests, &[("rule", "docs"), ("outcome", "miss"), ("level", "none")], 4);
    is(&seen, requests, &[("rule", "the \"odd\" \\ one"), ("outcome", "miss")], 1);
    is(&seen, requests, &[("rule", "none"), ("outcome", "miss")], 1);
    is(&seen, requests, &[("rule", "saved"), ("outcome", "bypass")], 1);
    is(&seen, requests, &[("rule", "none"), ("outcome", "error")], 1);
    is(&seen, "cistern_request_duration_seconds_count", &[("rule", "docs")], 6);
    is(&seen, "cistern_request_duration_seconds_count", &[], 10);
    is(&seen, "cistern_overhead_seconds_count", &[("outcome", "hit")], 2);
    is(&seen, "cistern_overhead_seconds_count", &[], 9);
    is(&seen, "cistern_bypass_total", &[("rule", "saved"), ("reason", "method")], 1);
    is(&seen, "cistern_not_stored_total", &[("rule", "docs"), ("reason", "status")], 1);
    is(&seen, "cistern_not_stored_total", &[("rule", "none"), ("reason", "private")], 1);
    is(&seen, "cistern_not_stored_total", &[], 2);
    let origin = [("origin", "--origin")];
    is(&seen, "cistern_origin_requests_total", &origin, 7);
    is(&seen, "cistern_origin_requests_total", &[("status_class", "5xx")], 1);
    is(&seen, "cistern_origin_duration_seconds_count", &[("status_class", "2xx")], 6);
    is(&seen, "cistern_purges_total", &[("by", "write"), ("scope", "tag")], 1);
    is(&seen, "cistern_purged_entries_total", &[("by", "write")], 2);
    is(&seen, "cistern_entries", &[("type", "doc"), ("level", "l1")], 1);
    is(&seen, "cistern_entries", &[], 2);
    assert!(seen.sum("cistern_bytes", &[("type", "doc")]) > 5.0);
    is(&seen, "cistern_budget_bytes", &[("type", "doc")], 256_000_000);
    is(&seen, "cistern_evictions_total", &[], 0);
    is(&seen, "cistern_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    assert!(seen.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(seen.sum("process_start_time_seconds", &[]) > 1.6e9);
    // What a node without a shared level cannot tell it does not tell.
    assert!(seen.kind("cistern_store_operations_total").is_none());
    assert!(seen.kind("cistern_coherence_gaps_total").is_none());
}

#[test]
fn who_waits_for_anothers_fetch_is_counted_with_the_wait() {
    let stage = origin();
    let node = in_front_of(stage.address()).start();
    let mut leader = Wire::asking(node.address(), "GET /slow", &[]);
    let mut slow = stage.expects("GET /slow");
    let lines = ["Cache-Control: max-age=60", "Transfer-Encoding: chunked"];
    slow.says(head_of(200, &lines)).says(chunk(b"first"));
    assert_eq!(begins(&mut leader), b"first");
    let mut followers: Vec<_> =
        (0..3).map(|_| Wire::asking(node.address(), "GET /slow", &[])).collect();
    for follower in &mut followers {
        assert_eq!(begins(follower), b"first");
    }
    slow.answers("0\r\n\r\n");
    let seen = counted(&node, None, 4);
    is(&seen, "cistern_requests_total", &[("outcome", "coalesced")], 3);
    is(&seen, "cistern_coalesced_total", &[("rule", "none"), ("scope", "node")], 3);
    is(&seen, "cistern_coalesce_wait_seconds_count", &[("scope", "node")], 3);
    is(&seen, "cistern_origin_requests_total", &[], 1);
    is(&seen, "cistern_not_stored_total", &[], 0);
}

#[test]
fn a_client_chooses_the_format() {
    let stage = origin();
    let node = in_front_of(stage.address()).rules(RULES).start();
    node.get("/docs/1");
    node.get("/odd");
    let admin = node.admin();
    let asked = |accept: &str| {
        ask("GET", "/metrics").host(&admin).header("Accept", accept).to(&admin).with_status(200)
    };
    let open = asked("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    let kind = open.get("content-type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let seen = Exposed::open_metrics(&open.text());
    is(&seen, "cistern_requests_total", &[("outcome", "miss")], 2);
    assert_eq!(seen.kind("cistern_build"), Some("info"));
    assert_eq!(seen.kind("cistern_requests"), Some("counter"));
    let plain = asked("text/plain");
    assert_eq!(plain.get("content-type").unwrap(), "text/plain; version=0.0.4; charset=utf-8");
    let seen = Exposed::text(&plain.text());
    assert_eq!(seen.kind("cistern_requests_total"), Some("counter"));
    assert_eq!(seen.kind("cistern_build_info"), Some("gauge"));
}

#[test]
fn reading_metrics_needs_a_token_where_there_are_any() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).token(Role::Read);
    let node = setup.start();
    let admin = node.admin();
    ask("GET", "/metrics").host(&admin).to(&admin).with_status(401);
    scrape(&node, Some(&token));
    // Nothing of it on the proxy's own port.
    node.get("/metrics").with_status(200).served_by_origin();
}

#[test]
fn rules_that_stay_count_on_through_a_reload() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    let bearer = token.as_str();
    let token = Some(bearer);
    let file = node.file("rules.toml");
    let admin = node.admin();
    let reload = |status| {
        let call = ask("POST", "/api/v1/admin/rules/reload").bearer(bearer).host(&admin);
        call.to(&admin).with_status(status);
    };
    for target in ["/docs/1", "/docs/1", "/odd"] {
        node.get(target);
    }
    let before = counted(&node, token, 3);
    // `docs` moves down, and the odd one has another name.
    let text = RULES.replace("the \"odd\" \\ one", "even");
    fs::write(&file, text).unwrap();
    reload(200);
    for target in ["/docs/1", "/odd", "/odd"] {
        node.get(target);
    }
    let after = counted(&node, token, 6);
    is(&after, "cistern_requests_total", &[("rule", "docs"), ("outcome", "hit")], 2);
    is(&after, "cistern_requests_total", &[("rule", "even")], 2);
    is(&after, "cistern_requests_total", &[("rule", "the \"odd\" \\ one")], 1);
    let since = "cistern_config_last_reload_success_timestamp_seconds";
    assert!(after.sum(since, &[]) > before.sum(since, &[]));
    is(&after, "cistern_config_last_reload_successful", &[], 1);
    fs::write(&file, "version = 2").unwrap();
    reload(422);
    let wrong = scrape(&node, token);
    is(&wrong, "cistern_config_last_reload_successful", &[], 0);
    assert!(wrong.sum(since, &[]) >= after.sum(since, &[]));
}

#[test]
fn orders_of_operators_and_everything_about_the_shared_level() {
    let (redis, origin) = (Server::start(), Versions::start());
    let setup = || in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
    let (first, token) = setup().token(Role::Purge);
    let fleet = Fleet::start([first, setup()]);
    let (one, two) = (&fleet.nodes[0], &fleet.nodes[1]);
    let before = scrape(two, None);
    let l2_hits =
        |seen: &Exposed| seen.count("cistern_requests_total", &[("rule", "docs"), ("level", "l2")]);
    one.get("/docs/1").with_status(200).served_by_origin();
    stored(&redis, "doc:1", 1);
    two.get("/docs/1").with_status(200).served_from_store();
    let seen = scrape(two, None);
    assert_eq!(l2_hits(&seen), l2_hits(&before) + 1);
    let found = [("store", "l2"), ("op", "find"), ("result", "found")];
    assert!(seen.sum("cistern_store_operations_total", &found) >= 1.0);
    assert!(seen.sum("cistern_store_duration_seconds_count", &found) >= 1.0);
    is(&seen, "cistern_store_breaker_state", &[("store", "l2")], 0);
    assert_eq!(seen.values("cistern_store_breaker_state", "role").len(), 1);
    is(&seen, "cistern_coherence_gaps_total", &[], 0);
    assert!(seen.sum("cistern_coherence_lag_seconds", &[]) < 20.0);
    let admin = one.admin();
    let body = json!({ "selectors": ["type:doc", "key:doc:1"], "confirm": "nodes", "wait": "5s" });
    let call = ask("POST", "/api/v1/admin/purge").host(&admin).bearer(&token).json(&body);
    call.to(&admin).with_status(200);
    let here = scrape(one, Some(&token));
    let order = [("by", "admin"), ("scope", "type")];
    is(&here, "cistern_purges_total", &order, 1);
    is(&here, "cistern_purged_entries_total", &order, 1);
    is(&here, "cistern_purge_propagation_seconds_count", &order, 1);
    let stored = [("store", "l2"), ("op", "put"), ("result", "stored")];
    assert!(here.sum("cistern_store_operations_total", &stored) >= 1.0);
    let there = scrape(two, None);
    is(&there, "cistern_purged_entries_total", &[("by", "fleet"), ("scope", "type")], 1);
}

#[test]
fn stats_tell_requests_apart() {
    let stage = origin();
    let node = in_front_of(stage.address()).rules(RULES).start();
    let admin = node.admin();
    let stats = || ask("GET", "/api/v1/admin/stats").host(&admin).to(&admin).json();
    let idle = stats();
    assert_eq!(idle["whole"]["hit_ratio"], Value::Null);
    assert_eq!(idle["whole"]["p99_ms"], Value::Null);
    for target in ["/docs/1", "/docs/1", "/docs/1", "/odd"] {
        node.get(target);
    }
    node.send(&ask("POST", "/docs/9").json(&json!({}))).with_status(200);
    counted(&node, None, 5);
    let told = stats();
    let of = |list: &str, name: &str, wanted: &str| {
        let all = told[list].as_array().unwrap().iter();
        all.filter(|one| one[name] == wanted).cloned().collect::<Vec<_>>()
    };
    let [docs] = &of("rules", "rule", "docs")[..] else { panic!("{told}") };
    assert_eq!(docs["hits"], json!({ "l1": 2, "l2": 0 }));
    assert_eq!((&docs["misses"], &docs["hit_ratio"]), (&json!(1), &json!(0.6667)));
    assert_eq!(docs["bytes_sent"], 15);
    assert!(docs["p50_ms"].as_f64().unwrap() <= docs["p99_ms"].as_f64().unwrap());
    let [doc] = &of("types", "type", "doc")[..] else { panic!("{told}") };
    assert_eq!((&doc["requests"], &doc["hits"]["l1"]), (&json!(3), &json!(2)));
    assert_eq!(doc["entries"], 0, "the write took it: {doc}");
    let [level] = &of("levels", "level", "l1")[..] else { panic!("{told}") };
    assert_eq!((&level["answered"], &level["entries"]), (&json!(2), &json!(1)));
    assert!(of("levels", "level", "l2").is_empty());
    let [origin] = &of("origins", "origin", "--origin")[..] else { panic!("{told}") };
    assert_eq!((&origin["requests"], &origin["bypass"]), (&json!(5), &json!(1)));
    assert_eq!(origin["asked"], json!({ "2xx": 3 }));
    assert_eq!((&told["whole"]["requests"], &told["requests"]), (&json!(5), &json!(5)));
    assert_eq!(told["events"]["hit"], 2);
}

#[test]
fn an_alert_is_raised_and_cleared_where_operators_look() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let config = settings(&redis.url());
    let node = in_front_of(origin.address()).config(&config).rules(RULES).start();
    let admin = node.admin();
    let alerts = || ask("GET", "/api/v1/admin/alerts").host(&admin).to(&admin).json();
    let down = |told: &Value| {
        let all = told["alerts"].as_array().unwrap();
        all.iter().find(|one| one["alert"] == "redis-down").unwrap().clone()
    };
    let labels = [("alert", "redis-down"), ("severity", "critical")];
    let logs = |line: &str| until(line, || node.log_so_far().contains(line));
    let gauge = || scrape(&node, None).sum("cistern_alert_active", &labels);
    logs(" REDIS joined ");
    assert_eq!(down(&alerts())["active"], false);
    assert!(gauge() < 0.5);
    let verb = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
        command.args(words).args(["--admin", &format!("http://{admin}")]).env_clear();
        String::from_utf8(command.output().expect("the binary").stdout).unwrap()
    };
    assert_eq!(verb(&["alerts"]), "no alerts\n");
    redis.kill();
    node.get("/docs/1").with_status(200);
    logs(" ALERT raised alert=redis-down severity=critical ");
    let told = down(&alerts());
    assert_eq!((&told["active"], &told["command"]), (&json!(true), &json!("cistern doctor")));
    assert!(gauge() > 0.5);
    let text = verb(&["alerts"]);
    assert!(text.starts_with("critical  redis-down") && text.contains("cistern doctor"), "{text}");
    redis.restart();
    logs(" ALERT cleared alert=redis-down severity=critical ");
    assert!(gauge() < 0.5);
}

#[test]
fn a_redis_that_may_not_evict_is_told_before_it_refuses() {
    let (redis, origin) = (Server::start(), Versions::start());
    let node = in_front_of(origin.address()).config(&settings(&redis.url())).start();
    let logs = |line: &str| until(line, || node.log_so_far().contains(line));
    logs(" REDIS joined ");
    // What connections take comes and goes: beside so much it is nothing.
    redis.fill(16);
    let used: u64 = redis.info("used_memory").parse().expect("a number");
    redis.cli(&["CONFIG", "SET", "maxmemory", &(used * 100 / 95).to_string()]);
    logs(" ALERT raised alert=redis-memory severity=critical ");
    // One that may evict is full as a rule.
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-lfu"]);
    logs(" ALERT cleared alert=redis-memory severity=critical ");
}
