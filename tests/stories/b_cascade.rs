//! Cascades: what follows when something is purged goes with it, whoever purged, in one order for
//! all nodes.

use std::process::Command;

use cistern::admin::tokens::Role;
use serde_json::json;

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK, settings};
use crate::support::redis::{Server, holds_within, until};
use crate::support::stage::{Stage, message};

const RULES: &str = r#"
version = 1
[events]
channel = "docs:changes"
[[route]]
name = "doc"
match = "GET /docs/{id}"
key = "doc:{id}"
tags = ["doc:{id}"]
ttl = "5m"
[[route]]
name = "embedding"
match = "GET /docs/{id}/embedding"
key = "emb:{id}"
tags = ["emb:{id}"]
ttl = "5m"
[[route]]
name = "list"
match = "GET /lists/{id}"
key = "list:{id}"
ttl = "5m"
[[route]]
name = "write"
match = "PUT /docs/{id}"
on_write.purge = ["tag:doc:{id}"]
[[cascade]]
when = "tag:doc:*"
then = ["tag:emb:{1}"]
[[cascade]]
when = "tag:emb:*"
then = ["prefix:list:{1}"]
"#;

/// What goes with document 1, and what does not.
const GOES: [&str; 3] = ["/docs/1", "/docs/1/embedding", "/lists/1-all"];
const STAYS: [&str; 3] = ["/docs/2", "/docs/2/embedding", "/lists/2-all"];

fn stage() -> Stage {
    Stage::with(|what| match what.split_once(' ')? {
        ("PUT", path) if path.ends_with("/lost") => None,
        ("PUT", _) => Some(message(200, &[], "")),
        (_, path) => {
            let lifetime = "Cache-Control: max-age=60";
            (!path.ends_with("/slow/embedding")).then(|| message(200, &[lifetime], path))
        }
    })
}

fn setup(stage: &Stage) -> Setup {
    let config = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";
    in_front_of(stage.address()).rules(RULES).config(config)
}

fn fill(cistern: &Cistern) {
    for target in GOES.iter().chain(&STAYS) {
        cistern.get(target);
        cistern.get(target).served_from_store();
    }
}

#[track_caller]
fn gone(cistern: &Cistern) {
    for target in GOES {
        cistern.get(target).served_by_origin();
    }
    for target in STAYS {
        cistern.get(target).served_from_store();
    }
}

#[test]
fn what_follows_goes_with_a_write_a_purge_and_a_call() {
    let stage = stage();
    let (setup, token) = setup(&stage).token(Role::Purge);
    let cistern = setup.start();
    fill(&cistern);
    cistern.send(&ask("PUT", "/docs/1")).with_status(200);
    gone(&cistern);
    fill(&cistern);
    let purge = ask("PURGE", "/").header("Surrogate-Key", "doc:1");
    assert_eq!(cistern.send(&purge).with_status(200).json()["purged"]["entries"], 3);
    gone(&cistern);
    fill(&cistern);
    let call = |tried: bool| {
        let body = json!({"selectors": ["tag:doc:1"], "dry_run": tried});
        let call = ask("POST", "/api/v1/admin/purge").host(&cistern.admin()).bearer(&token);
        call.json(&body).to(&cistern.admin()).with_status(200).json()
    };
    let tried = call(true);
    assert_eq!(tried["would_purge"]["entries"], 3);
    assert_eq!(tried["selectors"], json!(["tag:doc:1", "tag:emb:1", "prefix:list:1"]));
    assert_eq!(call(false)["purged"]["entries"], 3);
    gone(&cistern);
    let log = cistern.log();
    let follows = log.lines().filter(|line| line.contains(" by=cascade")).collect::<Vec<_>>();
    assert_eq!(follows.len(), 3, "{log}");
    let told = "PURGE selector=\"tag:emb:1 prefix:list:1\" count=2 by=cascade";
    assert!(follows.iter().all(|line| line.contains(told)), "{log}");
    assert!(follows[0].contains("rule=write"), "{log}");
}

/// What names many documents makes all follow that could.
#[test]
fn a_wide_purge_takes_all_that_could_follow() {
    let stage = stage();
    let cistern = setup(&stage).start();
    fill(&cistern);
    let purge = ask("PURGE", "/").header("X-Purge-Selector", "tag:doc:*");
    assert_eq!(cistern.send(&purge).with_status(200).json()["purged"]["entries"], 6);
}

#[test]
fn what_is_being_fetched_is_refused_too() {
    let stage = stage();
    let cistern = setup(&stage).start();
    let reader = cistern.begin(&get("/docs/slow/embedding"));
    let slow = stage.expects("GET /docs/slow/embedding");
    cistern.send(&ask("PUT", "/docs/slow")).with_status(200);
    slow.answers(message(200, &["Cache-Control: max-age=60"], "old"));
    reader.finish().passed_because("purged-during-fetch");
}

#[test]
fn what_follows_from_a_write_in_doubt_is_in_doubt() {
    let stage = stage();
    let cistern = setup(&stage).start();
    let embedding = "/docs/lost/embedding";
    cistern.get(embedding);
    cistern.get(embedding).served_from_store();
    let writer = cistern.begin(&ask("PUT", "/docs/lost"));
    stage.expects("PUT /docs/lost").hangs_up();
    writer.finish().with_status(502);
    let again = cistern.get(embedding).served_by_origin();
    assert!(again.ttl() <= 1, "a late commit would wait for {} s", again.ttl());
}

#[test]
fn explain_tells_what_follows() {
    let stage = stage();
    let cistern = setup(&stage).start();
    let admin = format!("http://{}", cistern.admin());
    for words in [
        &["PUT", "/docs/1"][..],
        &["PURGE", "/", "-H", "X-Purge-Selector: tag:doc:1", "--from", "127.0.0.1"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
        let done = command.arg("explain").args(words).args(["--admin", &admin]).output();
        let said = String::from_utf8(done.expect("it runs").stdout).expect("text");
        assert!(said.contains("prefix:list:1  (by a cascade)"), "{said}");
    }
}

#[test]
fn what_would_follow_from_itself_is_refused() {
    let stage = stage();
    let circle = "[[cascade]]\nwhen = 'list:*'\nthen = ['tag:doc:{1}']\n";
    let rules = format!("{RULES}{circle}");
    let (_, said) = in_front_of(stage.address()).rules(&rules).refused();
    assert!(said.contains("C030") && said.contains("could follow from itself"), "{said}");
}

#[test]
fn what_follows_goes_from_all_nodes_and_with_what_programs_say() {
    let (redis, stage) = (Server::start(), stage());
    let node = || in_front_of(stage.address()).rules(RULES).config(&settings(&redis.url()));
    let fleet = Fleet::start([node(), node()]);
    let filled = || {
        for target in GOES {
            for node in &fleet.nodes {
                node.get(target);
                until("it is kept", || node.get(target).is_hit());
            }
        }
    };
    filled();
    fleet.nodes[0].send(&ask("PUT", "/docs/1")).with_status(200);
    for target in GOES {
        fleet.nodes[1].get(target).served_by_origin();
    }
    filled();
    redis.cli(&["PUBLISH", "docs:changes", r#"{"purge":["tag:doc:1"]}"#]);
    for node in &fleet.nodes {
        let heard = || node.log_so_far().contains("by=event");
        assert!(holds_within(LAG_MAX + SLACK, heard), "{}", node.log_so_far());
    }
    for target in GOES {
        fleet.nodes[1].get(target).served_by_origin();
    }
}
