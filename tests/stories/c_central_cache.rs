//! `central-cache`: what the services of an AI back end keep, in the memory of each instance and in
//! one Redis for all, either of which may be missing.

use serde_json::json;

use crate::support::cistern::{Setup, example};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK};
use crate::support::redis::{Server, holds_within, until};
use crate::support::system::System;

const CONFIG: &str = "/config/limits?agent=7";

fn instance(ai: &System, redis: &Server) -> Setup {
    example("central-cache", ai.address())
        .changed("redis://127.0.0.1:6379/0", &redis.url())
        .setting("CISTERN_L2__BUDGET", "500ms")
        .setting("CISTERN_L2__LAG_MAX", "500ms")
}

fn two() -> (Server, System, Fleet) {
    let (redis, ai) = (Server::start(), System::start("central_cache"));
    let fleet = Fleet::start((0..2).map(|_| instance(&ai, &redis)));
    (redis, ai, fleet)
}

#[track_caller]
fn is_from(answer: &Answer, level: &str) {
    let told = answer.cache_status();
    assert!(answer.is_hit() && told.contains(level), "not from {level}: {told}");
}

/// Waits until Redis holds an answer whose key contains this.
#[track_caller]
fn kept(redis: &Server, word: &str) {
    until(&format!("{word} is kept"), || {
        redis.keys("cistern:e:{*").iter().any(|key| key.contains(word))
    });
}

#[test]
fn instances_share_what_is_in_redis() {
    let (redis, ai, fleet) = two();
    let first = fleet.nodes[0].get(CONFIG).with_status(200).served_by_origin();
    assert_eq!(first.key().as_deref(), Some("agent_config:agent:7:limits"));
    kept(&redis, "agent_config:agent:7:limits");
    is_from(&fleet.nodes[1].get(CONFIG), "L2");
    is_from(&fleet.nodes[1].get(CONFIG), "L1");
    assert_eq!(ai.asked(&format!("GET {CONFIG}")), 1);
    // Another agent is another entry, and one write drops all of them everywhere.
    let other = "/config/limits?agent=8";
    fleet.each(&get(other));
    let write = ask("PUT", "/config/limits").json(&json!({"value": 200}));
    fleet.nodes[1].send(&write).with_status(200);
    for target in [CONFIG, other] {
        for node in &fleet.nodes {
            let fresh = || node.get(target).with_status(200).json()["value"] == 200;
            assert!(holds_within(LAG_MAX + SLACK, fresh), "{target} on {}", node.address());
        }
    }
}

#[test]
fn a_text_is_embedded_once_for_all() {
    let (redis, ai, fleet) = two();
    let embed =
        |text: &str| ask("POST", "/embeddings").json(&json!({"collection_id": "c1", "text": text}));
    let first = fleet.nodes[0].send(&embed("hola")).with_status(200).served_by_origin();
    kept(&redis, "embedding:coll:c1:");
    for node in &fleet.nodes {
        let again = node.send(&embed("hola")).with_status(200).served_from_store();
        assert_eq!(again.body, first.body);
    }
    assert_eq!(ai.asked("POST /embeddings"), 1);
    fleet.nodes[1].send(&embed("adios")).with_status(200).served_by_origin();
    fleet.nodes[1].send(&ask("PUT", "/collections/c1").json(&json!({}))).with_status(200);
    fleet.nodes[1].send(&embed("hola")).with_status(200).served_by_origin();
}

/// A document that changes takes the embeddings of its parts along, on every instance.
#[test]
fn what_was_computed_from_a_document_goes_with_it() {
    let (redis, ai, fleet) = two();
    let embed = |document: &str| {
        let body = json!({"document_id": document, "text": format!("of {document}")});
        ask("POST", "/embeddings").json(&body)
    };
    for document in ["d1", "d2"] {
        fleet.nodes[0].send(&embed(document)).with_status(200).served_by_origin();
    }
    until("both are kept", || {
        let keys = redis.keys("cistern:e:{*");
        keys.iter().filter(|key| key.contains("embedding:")).count() == 2
    });
    fleet.nodes[1].send(&embed("d1")).served_from_store();
    fleet.nodes[1].send(&ask("PUT", "/documents/d1").json(&json!({}))).with_status(200);
    for node in &fleet.nodes {
        node.send(&embed("d2")).with_status(200).served_from_store();
    }
    fleet.nodes[0].send(&embed("d1")).with_status(200).served_by_origin();
    assert_eq!(ai.asked("POST /embeddings"), 3);
}

#[test]
fn the_memory_level_can_be_switched_off() {
    let (redis, ai) = (Server::start(), System::start("central_cache"));
    let without = || instance(&ai, &redis).changed("l1 = true", "l1 = false");
    let fleet = Fleet::start((0..2).map(|_| without()));
    fleet.nodes[0].get(CONFIG).with_status(200).served_by_origin();
    kept(&redis, "agent_config:agent:7:limits");
    for _ in 0..3 {
        for node in &fleet.nodes {
            is_from(&node.get(CONFIG), "L2");
        }
    }
    assert_eq!(ai.asked(&format!("GET {CONFIG}")), 1);
}

#[test]
fn the_shared_level_can_be_switched_off() {
    let (redis, ai) = (Server::start(), System::start("central_cache"));
    let without = || instance(&ai, &redis).changed("l2 = true", "l2 = false");
    let fleet = Fleet::start((0..2).map(|_| without()));
    for node in &fleet.nodes {
        node.get(CONFIG).with_status(200).served_by_origin();
        is_from(&node.get(CONFIG), "L1");
    }
    assert!(!redis.keys("*").iter().any(|key| key.contains("agent_config")));
    // What no instance shares is still dropped by all.
    let write = ask("PUT", "/config/limits").json(&json!({"value": 200}));
    fleet.nodes[0].send(&write).with_status(200);
    for node in &fleet.nodes {
        let fresh = || node.get(CONFIG).with_status(200).json()["value"] == 200;
        assert!(holds_within(LAG_MAX + SLACK, fresh), "old on {}", node.address());
    }
}

#[test]
fn what_redis_keeps_outlives_redis_and_every_instance() {
    let (mut redis, ai, mut fleet) = two();
    let embed = ask("POST", "/embeddings").json(&json!({"text": "hola"}));
    fleet.nodes[0].get(CONFIG).with_status(200);
    fleet.nodes[0].send(&embed).with_status(200);
    kept(&redis, "agent_config:agent:7:limits");
    kept(&redis, "embedding:");
    // Redis is restarted with its file while the instances run.
    redis.save();
    redis.restart();
    fleet.is_one();
    is_from(&fleet.nodes[1].get(CONFIG), "L2");
    // All instances leave in order, then Redis is restarted, then they come back.
    let setups: Vec<_> =
        fleet.nodes.drain(..).map(crate::support::cistern::Cistern::leaves).collect();
    redis.save();
    redis.restart();
    let fleet = Fleet::start(setups);
    is_from(&fleet.nodes[0].get(CONFIG), "L2");
    is_from(&fleet.nodes[1].send(&embed), "L2");
    assert_eq!(ai.asked(&format!("GET {CONFIG}")), 1);
    assert_eq!(ai.asked("POST /embeddings"), 1);
}
