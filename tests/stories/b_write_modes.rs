//! What a rule says of its writes: what is fetched anew before the writer is answered, what is kept
//! of the answer, what is purged once more, and for whose word the writer waits.

use std::path::PathBuf;

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{Answer, Ask, ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK, settings};
use crate::support::patience::Patience;
use crate::support::redis::{Server, holds_within, until};
use crate::support::stage::{Stage, message};

const MINUTE: &str = "Cache-Control: max-age=60";

/// Rules for one kind of thing; `more` stands in the route that writes.
fn rules(stage: &Stage, read: &str, write: &str) -> String {
    format!(
        "version = 1\n[origin.o]\nurl = 'http://{}'\n\
         [[route]]\nname = 'read'\nmatch = 'GET /s/{{id}}'\nkey = 's:{{id}}'\nttl = '5m'\n{read}\n\
         [[route]]\nname = 'write'\nmatch = 'PUT|POST /s/{{id}}'\n{write}\n",
        stage.address()
    )
}

const REFRESH: &str = "on_write.refresh = ['key:s:{id}']";

fn setup(stage: &Stage, read: &str, write: &str) -> Setup {
    let config = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";
    let rules = rules(stage, read, write);
    in_front_of(stage.address()).without("--origin").rules(&rules).config(config)
}

fn filled(cistern: &Cistern, stage: &Stage, ask: &Ask, target: &str, body: &str) {
    let reader = cistern.begin(ask);
    stage.expects(&format!("GET {target}")).answers(message(200, &[MINUTE], body));
    reader.finish().with_status(200);
    cistern.send(ask).served_from_store();
}

#[track_caller]
fn note(answer: &Answer, word: &str) {
    let told = answer.cache_status();
    assert!(told.contains(word), "{told}");
}

#[test]
fn what_stood_there_is_fetched_anew_before_the_writer_is_answered() {
    let stage = Stage::start();
    let cistern = setup(&stage, "", REFRESH).start();
    filled(&cistern, &stage, &get("/s/1"), "/s/1", "old");
    let write = cistern.begin(&ask("PUT", "/s/1"));
    stage.expects("PUT /s/1").answers(message(204, &[], ""));
    let scene = stage.expects("GET /s/1");
    assert!(!write.has_come(), "the writer waits for what is fetched anew");
    scene.answers(message(200, &[MINUTE], "new"));
    note(&write.finish().with_status(204), "purged 1; refreshed 1");
    assert_eq!(cistern.get("/s/1").served_from_store().text(), "new");
    // Nothing stands there, so nothing is fetched.
    let write = cistern.begin(&ask("PUT", "/s/2"));
    stage.expects("PUT /s/2").answers(message(204, &[], ""));
    note(&write.finish(), "refreshed 0");
    stage.was_asked_no_more();
    let log = cistern.log();
    assert!(log.contains(" REFRESH count=1 left_out=0 rule=write"), "{log}");
}

#[test]
fn every_variant_is_fetched_as_its_clients_ask() {
    let stage = Stage::start();
    let cistern = setup(&stage, "", REFRESH).start();
    let vary = "Vary: Accept-Language";
    for language in ["es", "en"] {
        let reader = cistern.begin(&get("/s/1").header("Accept-Language", language));
        stage.expects("GET /s/1").answers(message(200, &[MINUTE, vary], "old"));
        reader.finish();
    }
    let write = cistern.begin(&ask("PUT", "/s/1").header("Accept-Language", "de"));
    stage.expects("PUT /s/1").answers(message(204, &[], ""));
    for _ in 0..2 {
        let scene = stage.expects("GET /s/1");
        let language = scene.field("accept-language").unwrap().to_owned();
        scene.answers(message(200, &[MINUTE, vary], &language));
    }
    note(&write.finish(), "refreshed 2");
    for language in ["es", "en"] {
        let ask = get("/s/1").header("Accept-Language", language);
        assert_eq!(cistern.send(&ask).served_from_store().text(), language);
    }
}

#[test]
fn a_writer_waits_no_longer_than_the_rule_says() {
    for (wait, told) in [("0s", "; refreshing"), ("20ms", "; refreshing")] {
        let stage = Stage::start();
        let write = format!("{REFRESH}\non_write.refresh_wait = '{wait}'");
        let cistern = setup(&stage, "", &write).start();
        filled(&cistern, &stage, &get("/s/1"), "/s/1", "old");
        let write = cistern.begin(&ask("PUT", "/s/1"));
        stage.expects("PUT /s/1").answers(message(204, &[], ""));
        let scene = stage.expects("GET /s/1");
        note(&write.finish().with_status(204), told);
        // A reader joins the fetch that runs.
        let reader = cistern.begin(&get("/s/1"));
        scene.answers(message(200, &[MINUTE], "new"));
        assert_eq!(reader.finish().text(), "new");
        stage.was_asked_no_more();
    }
}

/// What is fetched anew is older than the next purge.
#[test]
fn the_next_purge_overtakes_what_is_being_fetched_anew() {
    let stage = Stage::start();
    let write = format!("{REFRESH}\non_write.refresh_wait = '0s'");
    let setup = setup(&stage, "", &write).setting("CISTERN_LOG__EVENTS", "stdout");
    let cistern = setup.start();
    filled(&cistern, &stage, &get("/s/1"), "/s/1", "first");
    let write = cistern.begin(&ask("PUT", "/s/1"));
    stage.expects("PUT /s/1").answers(message(204, &[], ""));
    let slow = stage.expects("GET /s/1");
    write.finish().with_status(204);
    cistern.send(&ask("PURGE", "/").header("X-Purge-Selector", "key:s:1")).with_status(200);
    let reader = cistern.begin(&get("/s/1"));
    stage.expects("GET /s/1").answers(message(200, &[MINUTE], "third"));
    assert_eq!(reader.finish().text(), "third");
    slow.answers(message(200, &[MINUTE], "second"));
    cistern.says(" REFRESH ");
    assert_eq!(cistern.get("/s/1").served_from_store().text(), "third");
}

fn job_token() -> PathBuf {
    let path = std::env::temp_dir().join(format!("cistern-job-{}", std::process::id()));
    std::fs::write(&path, "Bearer of-the-job\n").unwrap();
    path
}

#[test]
fn a_credential_goes_along_where_all_callers_share() {
    let token = job_token();
    let file = format!("job_headers = {{ Authorization = {{ file = '{}' }} }}", token.display());
    for (origin, carried) in [("", "Bearer of-the-writer"), (&*file, "Bearer of-the-job")] {
        let stage = Stage::start();
        let rules = rules(&stage, "share = 'public'", REFRESH);
        let rules = rules.replacen("\n[[route]]", &format!("\n{origin}\n[[route]]"), 1);
        let cistern = in_front_of(stage.address()).without("--origin").rules(&rules).start();
        filled(&cistern, &stage, &get("/s/1").bearer("of-a-reader"), "/s/1", "old");
        let write = cistern.begin(&ask("PUT", "/s/1").bearer("of-the-writer"));
        stage.expects("PUT /s/1").answers(message(204, &[], ""));
        let scene = stage.expects("GET /s/1");
        assert_eq!(scene.field("authorization"), Some(carried));
        scene.answers(message(200, &[MINUTE], "new"));
        note(&write.finish(), "refreshed 1");
        assert_eq!(cistern.get("/s/1").served_from_store().text(), "new");
        assert!(!cistern.log().contains("of-the-job"));
    }
    std::fs::remove_file(&token).unwrap();
    let stage = Stage::start();
    let rules =
        rules(&stage, "", REFRESH).replacen("\n[[route]]", &format!("\n{file}\n[[route]]"), 1);
    let (_, said) = in_front_of(stage.address()).without("--origin").rules(&rules).refused();
    assert!(said.contains("cistern-job-"), "{said}");
}

#[test]
fn what_belongs_to_one_caller_is_left_to_that_caller() {
    let stage = Stage::start();
    let cistern = setup(&stage, "share = 'identity'", REFRESH).start();
    filled(&cistern, &stage, &get("/s/1").bearer("one"), "/s/1", "old");
    let write = cistern.begin(&ask("PUT", "/s/1").bearer("one"));
    stage.expects("PUT /s/1").answers(message(204, &[], ""));
    note(&write.finish(), "refreshed 0");
    stage.was_asked_no_more();
    assert!(cistern.log().contains(" REFRESH count=0 left_out=1 rule=write"));
    // Nor does a credential go along where an entry was made without one.
    let cistern = setup(&stage, "", REFRESH).start();
    filled(&cistern, &stage, &get("/s/1"), "/s/1", "old");
    let write = cistern.begin(&ask("PUT", "/s/1").bearer("one"));
    stage.expects("PUT /s/1").answers(message(204, &[], ""));
    let scene = stage.expects("GET /s/1");
    assert_eq!(scene.field("authorization"), None);
    scene.answers(message(200, &[MINUTE], "new"));
    write.finish();
}

#[test]
fn the_answer_is_kept_where_it_is_the_new_state_of_its_target() {
    let own = "Content-Location: /s/1";
    for (method, status, line, kept) in [
        ("PUT", 200, own, true),
        ("PUT", 201, own, true),
        ("POST", 200, "Content-Location: http://api.example/s/1", true),
        ("PUT", 200, "X-Other: 1", false),
        ("PUT", 200, "Content-Location: /s/2", false),
        ("PUT", 202, own, false),
    ] {
        let stage = Stage::start();
        let cistern = setup(&stage, "", "on_write.store = true").start();
        filled(&cistern, &stage, &get("/s/1"), "/s/1", "old");
        let write = cistern.begin(&ask(method, "/s/1"));
        stage.expects(&format!("{method} /s/1")).answers(message(status, &[line, MINUTE], "new"));
        let written = write.finish().with_status(status);
        assert_eq!(written.text(), "new");
        if kept {
            let stored = || cistern.get("/s/1");
            let read = stored().with_status(200).served_from_store();
            assert_eq!(read.text(), "new", "{method} {status} {line}");
        } else {
            let reader = cistern.begin(&get("/s/1"));
            stage.expects("GET /s/1").answers(message(200, &[MINUTE], "newer"));
            assert_eq!(reader.finish().text(), "newer", "{method} {status} {line}");
        }
        stage.was_asked_no_more();
    }
}

/// Another write while this one was under way: its state may be the newer one.
#[test]
fn an_answer_that_another_write_overtook_is_not_kept() {
    let stage = Stage::start();
    let cistern = setup(&stage, "", "on_write.store = true").start();
    let first = cistern.begin(&ask("PUT", "/s/1"));
    let slow = stage.expects("PUT /s/1");
    let second = cistern.begin(&ask("PUT", "/s/1"));
    stage.expects("PUT /s/1").answers(message(204, &[], ""));
    second.finish();
    slow.answers(message(200, &["Content-Location: /s/1", MINUTE], "overtaken"));
    first.finish();
    let reader = cistern.begin(&get("/s/1"));
    stage.expects("GET /s/1").answers(message(200, &[MINUTE], "newest"));
    assert_eq!(reader.finish().text(), "newest");
}

/// A purge by tag while a write was under way: whether its answer has that tag is not known yet.
#[test]
fn an_answer_that_a_purge_by_tag_overtook_is_not_kept() {
    let stage = Stage::start();
    let read = "tags = ['things']";
    let cistern = setup(&stage, read, "on_write.store = true").start();
    let write = cistern.begin(&ask("PUT", "/s/1"));
    let slow = stage.expects("PUT /s/1");
    cistern.send(&ask("PURGE", "/").header("X-Purge-Selector", "tag:things")).with_status(200);
    slow.answers(message(200, &["Content-Location: /s/1", MINUTE], "overtaken"));
    write.finish();
    let reader = cistern.begin(&get("/s/1"));
    stage.expects("GET /s/1").answers(message(200, &[MINUTE], "newest"));
    assert_eq!(reader.finish().text(), "newest");
}

#[test]
fn a_lagging_copy_is_purged_once_more() {
    let stage = Stage::start();
    let cistern = setup(&stage, "", "on_write.settle = '300ms'").start();
    let write = cistern.begin(&ask("PUT", "/s/1"));
    stage.expects("PUT /s/1").answers(message(204, &[], ""));
    write.finish();
    // The copy that is read has not heard of it.
    filled(&cistern, &stage, &get("/s/1"), "/s/1", "old");
    std::thread::scope(|scope| {
        scope.spawn(|| stage.expects("GET /s/1").answers(message(200, &[MINUTE], "new")));
        let patience = Patience::begins();
        while cistern.get("/s/1").text() != "new" {
            assert!(patience.lasts(), "it was never purged again");
        }
    });
    assert_eq!(cistern.log().matches(" by=write").count(), 2);
}

#[test]
fn the_writer_waits_for_as_much_as_the_rule_says() {
    let stage = Stage::with(|what| {
        let (method, path) = what.split_once(' ')?;
        Some(message(200, if method == "GET" { &[MINUTE] } else { &[] }, path))
    });
    for (confirm, told) in [("local", "; local"), ("shared", "; shared"), ("nodes", "; nodes")] {
        let redis = Server::start();
        let wait = if confirm == "nodes" { "on_write.wait = '5s'" } else { "" };
        let rules = rules(&stage, "", &format!("on_write.confirm = '{confirm}'\n{wait}"));
        let rules = format!("{rules}[[route]]\nname = 'all'\nmatch = '* /{{rest...}}'\n");
        let node = || {
            let setup = in_front_of(stage.address()).without("--origin").rules(&rules);
            setup.config(&settings(&redis.url()))
        };
        let fleet = Fleet::start([node(), node()]);
        for node in &fleet.nodes {
            node.get("/s/1");
            until("it is kept", || node.get("/s/1").is_hit());
        }
        note(&fleet.nodes[0].send(&ask("PUT", "/s/1")).with_status(200), told);
        if confirm == "nodes" {
            fleet.nodes[1].get("/s/1").served_by_origin();
        }
        fleet.nodes[0].get("/s/1").with_status(200);
        let purged = || fleet.nodes[1].log_so_far().contains("key:s:1");
        assert!(holds_within(LAG_MAX + SLACK, purged), "{confirm}: the other node never heard");
        // Nobody repeats what was ordered.
        until("the note is gone", || redis.cli(&["HLEN", "cistern:{c}:open"]) == "0");
    }
}
