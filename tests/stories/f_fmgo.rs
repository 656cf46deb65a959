//! `fmgo`: tax documents behind three nodes and a Redis Cluster, partitioned by issuer.

use std::time::{Duration, Instant};

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, Setup, example};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK};
use crate::support::operator::{self, said};
use crate::support::redis::cluster::Cluster;
use crate::support::redis::{Server, holds_within, until};
use crate::support::system::System;

const DTE: &str = "/dte/76123456-33-100";
const STATUS: &str = "/dte/76123456-33-100/estado";

/// A key as an operator writes it into the environment.
const KEY: &str = "1:603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";

const NODES: &str = "redis+cluster://127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003";

fn node(fmgo: &System, url: &str) -> Setup {
    example("fmgo", fmgo.address())
        .changed(NODES, url)
        .setting("CISTERN_KEY", KEY)
        .setting("CISTERN_L2__BUDGET", "500ms")
        .setting("CISTERN_L2__LAG_MAX", "500ms")
}

/// Three nodes before a cluster.
fn three(options: &[&str]) -> (Cluster, System, Fleet) {
    let (cluster, fmgo) = (Cluster::with(options), System::start("fmgo"));
    let fleet = Fleet::start((0..3).map(|_| node(&fmgo, &cluster.url())));
    fleet.is_one_on_all_servers();
    (cluster, fmgo, fleet)
}

/// Three nodes before one server, for what a cluster changes nothing in.
fn three_of_one(options: &[&str]) -> (Server, System, Fleet) {
    let (redis, fmgo) = (Server::with(options), System::start("fmgo"));
    let fleet = Fleet::start((0..3).map(|_| node(&fmgo, &redis.url())));
    (redis, fmgo, fleet)
}

fn read(node: &Cistern, target: &str) -> Answer {
    node.get(target).with_status(200)
}

#[track_caller]
fn is_from(answer: &Answer, level: &str) {
    let told = answer.cache_status();
    assert!(answer.is_hit() && told.contains(level), "not from {level}: {told}");
}

/// The frames in the cluster whose names hold this.
fn frames(cluster: &Cluster, word: &str) -> Vec<String> {
    cluster.keys("cistern:e:{*").into_iter().filter(|key| key.contains(word)).collect()
}

/// Every node shows this at a pointer of the answer, at the latest when the bound is over.
#[track_caller]
fn all_show(fleet: &Fleet, target: &str, pointer: &str, value: &Value) {
    for node in &fleet.nodes {
        let shows = || read(node, target).json().pointer(pointer) == Some(value);
        assert!(holds_within(LAG_MAX + SLACK, shows), "{target} is old on {}", node.address());
        assert!((0..5).all(|_| shows()), "{target} came back old on {}", node.address());
    }
}

#[test]
fn f1_a_read_goes_through_the_levels_and_fills_them_on_the_way_back() {
    let (cluster, fmgo, fleet) = three(&[]);
    let first = read(&fleet.nodes[0], DTE).served_by_origin();
    assert!(first.is_stored());
    assert_eq!(first.key().as_deref(), Some("dte:76123456-33-100"));
    until("it is in the shared level", || frames(&cluster, "dte:76123456-33-100").len() == 1);
    is_from(&read(&fleet.nodes[0], DTE), "L1");
    for node in &fleet.nodes[1..] {
        let found = read(node, DTE);
        is_from(&found, "L2");
        assert_eq!(found.json(), first.json());
        is_from(&read(node, DTE), "L1");
    }
    assert_eq!(fmgo.asked(&format!("GET {DTE}")), 1);
}

#[test]
fn f4_what_is_kept_goes_by_time_by_event_and_by_hand() {
    let (redis, _fmgo, fleet) = three_of_one(&[]);
    // By time: each type has its own.
    for (target, seconds) in [(DTE, 86_400), (STATUS, 43_200), ("/token/76123456", 3_600)] {
        let left = read(&fleet.nodes[0], target).ttl();
        assert!((seconds - 60..=seconds).contains(&left), "{target}: {left}");
    }
    // By event: a state that changes.
    fleet.each(&get(STATUS));
    let accepted = ask("PUT", STATUS).json(&json!({"estado": "aceptado"}));
    fleet.nodes[2].send(&accepted).with_status(200);
    assert_eq!(read(&fleet.nodes[2], STATUS).json()["estado"], "aceptado");
    all_show(&fleet, STATUS, "/estado", &json!("aceptado"));
    all_show(&fleet, DTE, "/revision", &json!(2));
    // By hand: everything of one issuer, and nothing of another.
    let other = "/dte/76999999-33-100";
    for _ in 0..2 {
        fleet.each(&get(DTE));
        fleet.each(&get(other));
    }
    let by_hand = ask("PURGE", "/").header("X-Purge-Selector", "tag:rut:76123456");
    let told = fleet.nodes[1].send(&by_hand).with_status(200).json();
    assert_ne!(told["level"], "local", "{told}");
    read(&fleet.nodes[1], DTE).served_by_origin();
    for node in &fleet.nodes {
        read(node, other).served_from_store();
    }
    assert!(redis.info("expired_keys").parse::<u64>().is_ok());
}

#[test]
fn f6_everything_of_an_issuer_lies_in_one_slot_and_replicas_answer() {
    let (cluster, fmgo, fleet) = three(&[]);
    for rut in ["76123456", "76999999"] {
        for number in 100..103 {
            for target in
                [format!("/dte/{rut}-33-{number}"), format!("/dte/{rut}-33-{number}/estado")]
            {
                read(&fleet.nodes[0], &target);
            }
        }
    }
    let of = |rut: &str| frames(&cluster, &format!("{rut}-33-"));
    until("all are in the shared level", || of("76123456").len() == 6 && of("76999999").len() == 6);
    let slots = ["76123456", "76999999"].map(|rut| {
        let mut slots: Vec<_> = of(rut).iter().map(|key| cluster.slot_of(key)).collect();
        slots.dedup();
        assert_eq!(slots.len(), 1, "{rut} is scattered: {slots:?}");
        slots[0]
    });
    assert_ne!(slots[0], slots[1]);
    // Reads of documents may be answered by a replica, and are never older than a purge for that.
    for round in 2..6 {
        let changed = json!({ "estado": format!("v{round}") });
        fleet.nodes[round % 3].send(&ask("PUT", DTE).json(&changed)).with_status(200);
        all_show(&fleet, DTE, "/revision", &json!(round));
        all_show(&fleet, STATUS, "/estado", &json!(format!("v{round}")));
    }
    // The fleet asked once for each document that nobody changed.
    assert_eq!(fmgo.asked("GET /dte/76999999-33-101"), 1);
}

#[test]
fn f7_entries_have_an_end_and_what_redis_lets_go_nodes_let_go() {
    let (redis, fmgo, fleet) = three_of_one(&["--notify-keyspace-events", "Exe"]);
    // Who was started a moment ago may not listen yet, and what is said then nobody hears.
    let listening = || redis.cli(&["PUBSUB", "NUMSUB", "__keyevent@0__:expired"]);
    until("all nodes listen", || listening().lines().last() == Some("3"));
    fleet.each(&get(DTE));
    let key = || redis.keys("cistern:e:{*").into_iter().find(|key| key.contains("dte:76123456"));
    until("it is in the shared level", || key().is_some());
    for node in &fleet.nodes {
        // A node that was not heard in time by its own poll asks again first.
        until("it is in each L1", || {
            let answer = read(node, DTE);
            answer.is_hit() && answer.cache_status().contains("L1")
        });
    }
    let key = key().expect("it was there");
    let left: i64 = redis.cli(&["PTTL", &key]).parse().expect("a number");
    assert!(left >= 86_000_000, "{left}");
    let asked = fmgo.asked(&format!("GET {DTE}"));
    // It is a hint, late and lossy in general; here nothing loses it. A put that was still under
    // way brings the frame back, with all its time.
    until("the copies are gone", || {
        redis.cli(&["PEXPIRE", &key, "1"]);
        fleet.each(&get(DTE));
        fmgo.asked(&format!("GET {DTE}")) > asked
    });
}

#[test]
fn f8_a_worker_that_publishes_is_heard_by_all() {
    let (cluster, fmgo, fleet) = three(&[]);
    for _ in 0..2 {
        fleet.each(&get(STATUS));
    }
    // The worker speaks to the tax service and to its database, past every cache.
    let accepted = ask("PUT", STATUS).json(&json!({"estado": "aceptado"}));
    accepted.to(fmgo.address()).with_status(200);
    assert_eq!(read(&fleet.nodes[0], STATUS).served_from_store().json()["estado"], "pendiente");
    let message = r#"{"purge":["key:status:76123456-33-100"],"by":"worker"}"#;
    cluster.cli(&["PUBLISH", "cistern:events", message]);
    all_show(&fleet, STATUS, "/estado", &json!("aceptado"));
}

#[test]
fn f8_a_new_document_is_seen_by_all_and_so_is_its_end() {
    let (_redis, _fmgo, fleet) = three_of_one(&[]);
    fleet.each(&get("/dte/76123456-33-103"));
    let made = ask("POST", "/dte").json(&json!({"rut": "76123456"}));
    let made = fleet.nodes[1].send(&made).with_status(201).json();
    assert_eq!(made["id"], "76123456-33-103");
    all_show(&fleet, "/dte/76123456-33-103", "/revision", &json!(1));
    fleet.nodes[0].send(&ask("DELETE", "/dte/76123456-33-103")).with_status(204);
    for node in &fleet.nodes {
        let gone = || node.get("/dte/76123456-33-103").status == 404;
        assert!(holds_within(LAG_MAX + SLACK, gone), "still there on {}", node.address());
    }
}

#[test]
fn a_token_is_in_redis_alone_and_nobody_can_read_it_there() {
    let (redis, fmgo, fleet) = three_of_one(&["--rdbcompression", "no"]);
    let first = read(&fleet.nodes[0], "/token/76123456").served_by_origin();
    let word = "clave-de-76123456";
    assert_eq!(first.json()["token"], word);
    until("it is in the shared level", || {
        redis.keys("cistern:e:{*").iter().any(|key| key.contains("token:76123456"))
    });
    for _ in 0..2 {
        for node in &fleet.nodes {
            let found = read(node, "/token/76123456");
            is_from(&found, "L2");
            assert_eq!(found.json()["token"], word);
        }
    }
    assert_eq!(fmgo.asked("GET /token/76123456"), 1);
    redis.save();
    let dump = redis.dump();
    let holds = |word: &str| dump.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(holds("token:76123456"), "the key of the entry is there to be read");
    assert!(!holds(word) && !holds("clave-de"), "a token can be read in Redis");
    // A value moved to another issuer's place opens for nobody.
    let keys = redis.keys("cistern:e:{*");
    let own = keys.iter().find(|key| key.contains("token:76123456")).expect("it is there");
    let other = own.replace("76123456", "76999999");
    redis.cli(&["COPY", own, &other]);
    let answer = read(&fleet.nodes[1], "/token/76999999").served_by_origin();
    assert_eq!(answer.json()["token"], "clave-de-76999999");
}

#[test]
fn f11_without_redis_everything_goes_on() {
    let (mut redis, fmgo, fleet) = three_of_one(&[]);
    fleet.each(&get(DTE));
    redis.kill();
    let mut slowest = Duration::ZERO;
    for round in 0..20 {
        for node in &fleet.nodes {
            let begun = Instant::now();
            read(node, &format!("/dte/76123456-33-{}", 100 + round % 3));
            read(node, "/token/76123456");
            slowest = slowest.max(begun.elapsed());
        }
    }
    assert!(slowest < Duration::from_secs(2), "a request waited {slowest:?}");
    let changed = json!({"estado": "rechazado"});
    fleet.nodes[0].send(&ask("PUT", STATUS).json(&changed)).with_status(200);
    all_show(&fleet, STATUS, "/estado", &json!("rechazado"));
    for node in &fleet.nodes {
        until("the log tells of it", || node.log_so_far().contains("REDIS down"));
    }
    redis.restart_empty();
    fleet.is_one();
    for node in &fleet.nodes {
        until("the log tells of it", || node.log_so_far().contains("REDIS up"));
    }
    // What one fetches is everybody's again.
    let target = "/dte/76999999-33-102";
    read(&fleet.nodes[0], target).served_by_origin();
    until("it is in the shared level", || {
        redis.keys("cistern:e:{*").iter().any(|key| key.contains("76999999-33-102"))
    });
    is_from(&read(&fleet.nodes[1], target), "L2");
    assert_eq!(fmgo.asked(&format!("GET {target}")), 1);
}

/// What came of a job, once it has ended.
fn ended(node: &Cistern, token: &str, job: &Value) -> Value {
    let path = format!("jobs/{}", job["id"].as_str().expect("a job"));
    let mut told = Value::Null;
    until("the job has ended", || {
        told = operator::call(node, Some(token), "GET", &path, None).with_status(200).json();
        told["state"] == "done"
    });
    told
}

#[test]
fn f13_f14_f15_a_node_is_warmed_and_verified_by_the_old_calls_and_verbs() {
    let (redis, fmgo) = (Server::start(), System::start("fmgo"));
    let aliased = |setup: Setup| setup.setting("CISTERN_COMPAT__ALIASES", "admin");
    let (second, token) = aliased(node(&fmgo, &redis.url())).token(Role::Operate);
    let fleet = Fleet::start([node(&fmgo, &redis.url()), second]);
    let second = &fleet.nodes[1];
    let targets: Vec<String> = ["76123456", "76999999"]
        .iter()
        .flat_map(|rut| (100..103).map(move |number| format!("/dte/{rut}-33-{number}")))
        .collect();
    for target in &targets {
        read(&fleet.nodes[0], target);
    }
    let frames = || redis.keys("cistern:e:{*").iter().filter(|key| key.contains("dte:")).count();
    until("all are in the shared level", || frames() == targets.len());
    let warm = |from: &str, to: &str| {
        let body = json!({ "tipo": "dte", "fecha_inicio": from, "fecha_fin": to });
        let told = operator::call(second, Some(&token), "POST", "cache/warm", Some(&body));
        ended(second, &token, &told.with_status(202).json())
    };
    assert_eq!(warm("2001-01-01", "2001-12-31")["done"], 0, "nothing is from then");
    // The shared level has them: the database is not asked again.
    let told = warm("2024-01-01", "9999-12-31");
    assert_eq!((&told["done"], &told["counts"]["found"]), (&json!(6), &json!(6)), "{told}");
    for target in &targets {
        is_from(&read(second, target), "L1");
        assert_eq!(fmgo.asked(&format!("GET {target}")), 1);
    }
    let verb = |words: &[&str]| {
        let words = [&["cache"], words].concat();
        said(&operator::verb(second, Some(&token), &words).output().expect("the program"))
    };
    let (code, out, err) = verb(&["verify", "type:dte", "--all", "--rate", "1000", "--wait"]);
    assert!(code == 0 && out.contains("same 6"), "{out}{err}");
    // Tokens are in no node's memory, and sealed.
    read(&fleet.nodes[0], "/token/76123456");
    let sealed = || redis.keys("cistern:e:{*").iter().any(|key| key.contains("token:"));
    until("it is in the shared level", sealed);
    let tokens = ["verify", "type:token", "--level", "l2", "--wait"];
    let (code, out, err) = verb(&tokens);
    assert!(code == 0 && out.contains("same 1"), "{out}{err}");
    // A worker that forgot to say so.
    let accepted = ask("PUT", STATUS).json(&json!({"estado": "aceptado"}));
    accepted.to(fmgo.address()).with_status(200);
    let (code, out, err) = verb(&["verify", "type:dte", "--repair", "--rate", "1000", "--wait"]);
    assert!(code == 3 && out.contains("differs 1"), "{out}{err}");
    all_show(&fleet, DTE, "/estado", &json!("aceptado"));
    until("it is shared again", || frames() == targets.len());
    let again = ask("PUT", STATUS).json(&json!({"estado": "rechazado"}));
    again.to(fmgo.address()).with_status(200);
    let shared = ["verify", "type:dte", "--level", "l2", "--rate", "1000", "--repair", "--wait"];
    let (code, out, err) = verb(&shared);
    assert!(code == 3 && out.contains("differs 1"), "{out}{err}");
    all_show(&fleet, DTE, "/estado", &json!("rechazado"));
    let (code, out, err) = verb(&["warm", "dte", "--wait"]);
    assert!(code == 0 && out.contains("done"), "{out}{err}");
    let (code, out, _) = verb(&["stats"]);
    assert!(code == 0 && out.contains("dte"), "{out}");
    let (code, out, err) = verb(&["flush", "dte", "--yes"]);
    assert!(code == 0 && out.contains("purged"), "{out}{err}");
    read(second, DTE).served_by_origin();
}
