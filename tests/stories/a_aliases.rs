//! The calls of replaced systems, made as their own documents show them, and answered as those
//! systems did.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, Setup, example, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, message};
use crate::support::system::System;

const ON: &str = "[compat]\naliases = \"admin\"\ngad = { type = \"stats\" }\n";

const GAD_RULES: &str = r#"
version = 1
[type.stats]
prefix = "gad:"
ttl = "5m"
[type.other]
prefix = "other:"
ttl = "5m"
[[route]]
name = "user-stats"
match = "GET /api/v1/stats/user/{id}"
type = "stats"
key = "stats:user:{id}:days:{query.days|default(30)}"
[[route]]
name = "other"
match = "GET /other/{id}"
type = "other"
key = "{id}"
"#;

fn origin() -> Stage {
    Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "x")))
}

fn call(node: &Cistern, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let admin = node.admin();
    let asked = ask(method, path).host(&admin).bearer(token);
    body.map_or(asked.clone(), |body| asked.json(body)).to(&admin)
}

fn post(node: &Cistern, token: &str, path: &str) -> Value {
    call(node, token, "POST", path, None).with_status(200).json()
}

/// Numbers of users 2 and 3, of two spans of days each, and something that is not theirs.
fn filled(node: &Cistern) {
    for target in ["2", "2?days=7", "3", "3?days=7"] {
        node.get(&format!("/api/v1/stats/user/{target}")).with_status(200);
    }
    node.get("/other/1").with_status(200);
}

fn alone(role: Role) -> (Stage, Cistern, String) {
    let stage = origin();
    let setup = in_front_of(stage.address()).config(ON).rules(GAD_RULES);
    let (setup, token) = setup.token(role);
    (stage, setup.start(), token)
}

#[test]
fn gads_calls_answer_as_its_document_shows_them() {
    let (_stage, node, token) = alone(Role::Operate);
    for root in ["", "/api/v1"] {
        filled(&node);
        let told = post(&node, &token, &format!("{root}/cache/invalidate/stats:user:2:days:30"));
        assert_eq!(told, json!({ "key": "stats:user:2:days:30", "deleted": true }));
        let told = post(&node, &token, &format!("{root}/cache/invalidate/stats:user:2:days:30"));
        assert_eq!(told, json!({ "key": "stats:user:2:days:30", "deleted": false }));
        node.get("/api/v1/stats/user/2?days=7").served_from_store();
        let told = post(&node, &token, &format!("{root}/stats/invalidate/user/2"));
        let expected = json!({ "user_id": 2, "deleted_keys": 1, "pattern": "stats:user:2:*" });
        assert_eq!(told, expected);
        node.get("/api/v1/stats/user/3").served_from_store();
        // Clients that escape what stands in a path mean the same.
        let told =
            post(&node, &token, &format!("{root}/cache/invalidate-pattern/stats%3Auser%3A%2A"));
        assert_eq!(told, json!({ "pattern": "stats:user:*", "deleted_keys": 2 }));
        node.get("/other/1").served_from_store();
        let told = post(&node, &token, &format!("{root}/cache/clear"));
        let expected = json!({ "cleared": true, "message": "Cache cleared successfully" });
        assert_eq!(told, expected);
        node.get("/other/1").served_by_origin();
        call(&node, &token, "POST", &format!("{root}/cache/clear"), None).with_status(200);
    }
    let changes = call(&node, &token, "GET", "/api/v1/admin/audit", None).json();
    let noted = changes["changes"].as_array().expect("a list");
    assert_eq!(noted.len(), 12, "{changes}");
    for what in ["key:gad:stats:user:2:days:30", "pattern:gad:stats:user:2:*", "all"] {
        assert!(noted.iter().any(|one| one["what"] == what && one["who"] == "story"), "{what}");
    }
}

#[test]
fn gads_numbers_are_those_of_the_node() {
    let (_stage, node, token) = alone(Role::Read);
    filled(&node);
    for _ in 0..5 {
        node.get("/api/v1/stats/user/2").served_from_store();
    }
    for root in ["", "/api/v1"] {
        let path = format!("{root}/cache/stats");
        let tell = || call(&node, &token, "GET", &path, None).with_status(200).json();
        until("all requests are counted", || tell()["keyspace_hits"] == 5);
        let mut told = tell();
        let memory = told["used_memory"].take();
        assert!(memory.as_str().is_some_and(|text| text.ends_with('K')), "{memory}");
        let expected = json!({
            "connected": true, "keys_count": 4, "keyspace_hits": 5, "keyspace_misses": 5,
            "hit_rate": 0.5, "evicted_keys": 0, "used_memory": null, "db_size": 5,
        });
        assert_eq!(told, expected);
    }
}

#[test]
fn roles_and_mistakes_are_told_apart() {
    let (_stage, node, token) = alone(Role::Purge);
    filled(&node);
    let code = |path: &str, status: u16| {
        let told = call(&node, &token, "POST", path, None).with_status(status).json();
        told["code"].as_str().expect("a code").to_owned()
    };
    assert_eq!(code("/cache/clear", 403), "not-allowed");
    assert_eq!(code("/api/v1/admin/cache/warm", 403), "not-allowed");
    for path in [
        "/stats/invalidate/user/me",
        "/cache/invalidate-pattern/stats:user:?:days:*",
        "/cache/invalidate-pattern/stats:user:%3F:days:*",
        "/cache/invalidate-pattern/stats:user:[23]:*",
    ] {
        assert_eq!(code(path, 400), "bad-request", "{path}");
    }
    let path = "/cache/invalidate/stats:user:2:days:30";
    ask("POST", path).host(&node.admin()).to(&node.admin()).with_status(401);
    for target in ["2", "2?days=7", "3", "3?days=7"] {
        node.get(&format!("/api/v1/stats/user/{target}")).served_from_store();
    }
    // A star in a key is a star.
    assert_eq!(post(&node, &token, "/cache/invalidate/stats:user:*")["deleted"], false);
}

#[test]
fn a_token_reaches_no_further_through_an_alias() {
    let stage = origin();
    let (setup, _) = in_front_of(stage.address()).config(ON).rules(GAD_RULES).token(Role::Admin);
    let node = setup.start();
    let bound = vec!["prefix:gad:stats:user:2:".parse().expect("a selector")];
    let made = cistern::node::tokens::create("bound", Role::Operate, bound).expect("randomness");
    cistern::node::tokens::write(&node.file("tokens.toml"), std::slice::from_ref(&made.1))
        .expect("a file");
    filled(&node);
    assert_eq!(post(&node, &made.0, "/stats/invalidate/user/2")["deleted_keys"], 2);
    for path in ["/stats/invalidate/user/3", "/cache/invalidate-pattern/*", "/cache/clear"] {
        call(&node, &made.0, "POST", path, None).with_status(403);
    }
    node.get("/api/v1/stats/user/3").served_from_store();
}

#[test]
fn nobody_has_them_who_did_not_ask() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(GAD_RULES).token(Role::Admin);
    let node = setup.start();
    for path in ["/cache/clear", "/api/v1/cache/clear", "/api/v1/admin/cache/invalidate"] {
        call(&node, &token, "POST", path, None).with_status(404);
    }
    // On the proxy's port they belong to the origin.
    node.send(&ask("POST", "/cache/clear")).with_status(200);
    let wrong = |config: &str| {
        let setup = in_front_of(stage.address()).config(config).rules(GAD_RULES);
        let (status, words) = setup.refused();
        assert!(!status.success());
        words
    };
    let words = wrong("[compat]\naliases = \"proxy\"\n");
    assert!(words.contains("cistern.toml:2 compat.aliases: "), "{words}");
    assert!(words.contains("admin.tokens_file"), "whoever calls there shows a token: {words}");
    let words = wrong("[compat]\ngad = { type = \"stats\" }\n");
    assert!(
        words.contains("compat.gad.type: ") && words.contains("aliases = \"admin\""),
        "{words}"
    );
    let words = wrong("[compat]\naliases = \"yes\"\n");
    assert!(words.contains("\"admin\", \"proxy\", \"off\""), "{words}");
}

#[test]
fn gads_calls_want_a_type_that_is_there() {
    let stage = origin();
    let node = |name: &str| {
        let setup =
            in_front_of(stage.address()).rules(GAD_RULES).config(&ON.replace("stats", name));
        let (setup, token) = setup.setting("CISTERN_COMPAT__GAD__TYPE", name).token(Role::Operate);
        (setup.start(), token)
    };
    let (lost, token) = node("nothing");
    let told = call(&lost, &token, "POST", "/cache/invalidate/x", None).with_status(409).json();
    assert_eq!(told["code"], "no-such-type", "{told}");
    assert!(told["detail"].as_str().is_some_and(|text| text.contains("`nothing`")), "{told}");
    let (other, token) = node("other");
    other.get("/other/1");
    assert_eq!(post(&other, &token, "/cache/invalidate/1")["deleted"], true);
}

/// Two nodes that share a level, the first with a token, and what is ours in Redis beside what is
/// not.
#[test]
fn what_goes_is_counted_once_over_two_nodes_and_redis() {
    let (stage, redis) = (origin(), Server::start());
    let (setup, token) = shared(&stage, &redis).token(Role::Operate);
    let fleet = Fleet::start([setup, shared(&stage, &redis)]);
    for node in &fleet.nodes {
        filled(node);
    }
    stored(&redis, "gad:stats:user:2:days:30", 1);
    let first = &fleet.nodes[0];
    let told = call(first, &token, "GET", "/cache/stats", None).with_status(200).json();
    assert_eq!((&told["connected"], &told["keys_count"]), (&json!(true), &json!(4)), "{told}");
    let told = post(first, &token, "/api/v1/stats/invalidate/user/2");
    assert_eq!(told["deleted_keys"], 2, "{told}");
    fleet.nodes[1].get("/api/v1/stats/user/2").served_by_origin();
    fleet.nodes[1].get("/api/v1/stats/user/3").served_from_store();
    // What no node has in memory counts as well.
    let new = Fleet::start([shared(&stage, &redis)]);
    let user = |id: &str| new.nodes[0].get(&format!("/api/v1/stats/user/{id}"));
    for id in ["4", "4?days=7", "4?days=90"] {
        user(id).with_status(200);
    }
    stored(&redis, "gad:stats:user:4:", 3);
    drop(new);
    let told = post(first, &token, "/cache/invalidate-pattern/stats:user:4:*");
    assert_eq!(told["deleted_keys"], 3, "{told}");
    redis.cli(&["SET", "gad:theirs", "kept"]);
    assert_eq!(post(first, &token, "/cache/clear")["cleared"], true);
    fleet.nodes[1].get("/api/v1/stats/user/3").served_by_origin();
    assert_eq!(redis.cli(&["GET", "gad:theirs"]).trim(), "kept");
}

fn shared(stage: &Stage, redis: &Server) -> Setup {
    let config = format!("{ON}{}", settings(&redis.url()));
    in_front_of(stage.address()).config(&config).rules(GAD_RULES)
}

#[test]
fn the_example_of_gad_is_ready_for_its_calls() {
    let gad = System::start("gad");
    let setup = example("gad", gad.address()).setting("CISTERN_COMPAT__ALIASES", "admin");
    let (setup, token) = setup.setting("CISTERN_COMPAT__GAD__TYPE", "stats").token(Role::Purge);
    let node = setup.start();
    let mine = get("/api/v1/stats/user/2").bearer("admin");
    node.send(&mine).served_by_origin();
    node.send(&mine).served_from_store();
    assert_eq!(post(&node, &token, "/api/v1/stats/invalidate/user/2")["deleted_keys"], 1);
    node.send(&mine).served_by_origin();
}

#[test]
fn fmgos_calls_are_bounded_to_their_type() {
    let stage = origin();
    let rules = GAD_RULES.replace("other", "dte");
    let config = "[compat]\naliases = \"admin\"\n";
    let setup = in_front_of(stage.address()).config(config).rules(&rules);
    let (setup, token) = setup.token(Role::Operate);
    let node = setup.start();
    for id in ["76-1", "76-2", "77-1"] {
        node.get(&format!("/dte/{id}"));
    }
    let invalidate = |body: &Value, status: u16| {
        let path = "/api/v1/admin/cache/invalidate";
        call(&node, &token, "POST", path, Some(body)).with_status(status).json()
    };
    let told = invalidate(&json!({ "tipo": "dte", "patron": "dte:76*" }), 200);
    assert_eq!((&told["tipo"], &told["patron"]), (&json!("dte"), &json!("dte:76*")));
    assert_eq!(told["purged"]["entries"], 2, "{told}");
    node.get("/dte/77-1").served_from_store();
    for patron in ["gad:*", "d*"] {
        invalidate(&json!({ "tipo": "dte", "patron": patron }), 400);
    }
    invalidate(&json!({ "tipo": "none" }), 400);
    invalidate(&json!({ "tipo": "dte", "pattern": "dte:*" }), 400);
    let tried = invalidate(&json!({ "tipo": "dte", "dry_run": true }), 200);
    assert_eq!((&tried["would_purge"]["entries"], &tried["tipo"]), (&json!(1), &json!("dte")));
    assert_eq!(invalidate(&json!({ "tipo": "dte" }), 200)["purged"]["entries"], 1);
    let stats = call(&node, &token, "GET", "/api/v1/admin/cache/stats", None).with_status(200);
    assert!(stats.json()["types"].is_array());
    // What stands of the type and was stored in that span; here it is all fresh, or from later.
    let warm = |body: &Value, status: u16| {
        let path = "/api/v1/admin/cache/warm";
        call(&node, &token, "POST", path, Some(body)).with_status(status).json()
    };
    let body = json!({ "tipo": "dte", "fecha_inicio": "2024-01-01", "fecha_fin": "2024-03-15" });
    let told = warm(&body, 202);
    for name in ["tipo", "fecha_inicio", "fecha_fin"] {
        assert_eq!(told[name], body[name], "{told}");
    }
    let path = format!("/api/v1/admin/jobs/{}", told["id"].as_str().unwrap());
    until("the job has ended", || {
        call(&node, &token, "GET", &path, None).with_status(200).json()["state"] == "done"
    });
    warm(&json!({ "tipo": "none" }), 400);
    warm(&json!({ "tipo": "dte", "fecha_inicio": "15-03-2024" }), 400);
}
