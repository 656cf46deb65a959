//! Tags that the origin's answers carry: they name what a purge takes, live as long as the answer
//! in every level, and no client sees them.

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, stored};
use crate::support::redis::Server;
use crate::support::stage::{Stage, head_of, message};

const MINUTE: &str = "Cache-Control: max-age=60";
const PURGERS: &str = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";

/// `GET /spaces` and its kin, each with tags in the field of that name.
fn tagged(what: &str) -> Option<String> {
    let line = match what {
        "GET /spaces" => "Surrogate-Key: news sport",
        "GET /x" => "xkey: news",
        "GET /commas" => "Cache-Tag: news, weather today",
        "GET /odd" => "Surrogate-Key: a\u{f1}o star*",
        "GET /plain" => "X-Other: 1",
        _ => return None,
    };
    Some(message(200, &[MINUTE, line], "x"))
}

fn purge(cistern: &Cistern, field: &str, value: &str) -> u64 {
    let answer = cistern.send(&ask("PURGE", "/").header(field, value)).with_status(200);
    answer.json()["purged"]["entries"].as_u64().unwrap()
}

#[track_caller]
fn shows_no_tags(answer: &Answer) {
    for name in ["surrogate-key", "xkey", "cache-tag"] {
        assert_eq!(answer.get(name), None, "{name}");
    }
}

#[test]
fn every_field_that_names_tags_names_what_others_gave() {
    let stage = Stage::with(tagged);
    let cistern = in_front_of(stage.address()).config(PURGERS).start();
    let fill = || {
        for target in ["/spaces", "/x", "/commas", "/odd", "/plain"] {
            cistern.get(target);
            cistern.get(target).served_from_store();
        }
    };
    for (field, value, gone) in [
        ("Surrogate-Key", "news", &["/spaces", "/x", "/commas"][..]),
        ("xkey", "sport", &["/spaces"]),
        ("Cache-Tag", "weather today, sport", &["/spaces", "/commas"]),
        ("X-Purge-Selector", "tag:weather%20today", &["/commas"]),
        // Read as they are read in answers, and never as a pattern.
        ("Surrogate-Key", "a\u{f1}o", &["/odd"]),
        ("Cache-Tag", "star*", &["/odd"]),
        ("Surrogate-Key", "n* other", &[]),
    ] {
        fill();
        assert_eq!(purge(&cistern, field, value), gone.len() as u64, "{field}: {value}");
        for target in gone {
            cistern.get(target).served_by_origin();
        }
        cistern.get("/plain").served_from_store();
    }
}

#[test]
fn a_purge_whose_fields_name_nothing_takes_nothing() {
    let stage = Stage::with(tagged);
    let cistern = in_front_of(stage.address()).config(PURGERS).start();
    cistern.get("/plain");
    for (field, value) in [("Cache-Tag", ",, ,"), ("Surrogate-Key", " "), ("xkey", "")] {
        let refused = cistern.send(&ask("PURGE", "/plain").header(field, value)).with_status(400);
        assert!(refused.text().contains("name nothing"), "{}", refused.text());
        cistern.get("/plain").served_from_store();
    }
}

#[test]
fn a_purge_that_names_more_than_it_may_is_refused() {
    let stage = Stage::with(tagged);
    let cistern = in_front_of(stage.address()).config(PURGERS).start();
    let many: Vec<_> = (0..=1_000).map(|number| number.to_string()).collect();
    let refused = cistern.send(&ask("PURGE", "/").header("xkey", &many.join(" ")));
    assert!(refused.with_status(400).text().contains("at most 1000"));
}

#[test]
fn clients_see_no_tags_unless_the_settings_say_so() {
    let stage = Stage::with(|what| match what {
        "PUT /spaces" => Some(message(200, &["Cache-Tag: written"], "")),
        "GET /private" => Some(message(200, &["Cache-Control: private", "Surrogate-Key: a"], "x")),
        "HEAD /private" => Some(head_of(200, &["Surrogate-Key: a", "Content-Length: 1"])),
        other => tagged(other),
    });
    let cistern = in_front_of(stage.address()).start();
    for target in ["/spaces", "/x", "/commas", "/private"] {
        for _ in 0..2 {
            shows_no_tags(&cistern.get(target));
            shows_no_tags(&cistern.send(&ask("HEAD", target)));
        }
        // Not the short way of a hit.
        shows_no_tags(&cistern.send(&get(target).header("Range", "bytes=0-0")));
    }
    shows_no_tags(&cistern.send(&ask("PUT", "/spaces")));
    let cistern = in_front_of(stage.address()).config("[headers]\ntags = \"pass\"\n").start();
    for _ in 0..2 {
        assert_eq!(cistern.get("/spaces").get("surrogate-key").as_deref(), Some("news sport"));
        assert_eq!(cistern.get("/x").get("xkey").as_deref(), Some("news"));
    }
    let (_, said) = in_front_of(stage.address()).config("[headers]\ntags = \"hide\"\n").refused();
    assert!(said.contains("headers.tags") && said.contains("\"strip\", \"pass\""), "{said}");
}

/// A 304 brings fields anew: what it adds can be named, and what was there before still can.
#[test]
fn a_renewed_answer_keeps_its_tags_and_gets_new_ones() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).config(PURGERS).start();
    let short = "Cache-Control: max-age=0";
    let asked = |answer: String| {
        let reader = cistern.begin(&get("/a"));
        stage.expects("GET /a").answers(answer);
        reader.finish()
    };
    for (field, value) in [("Surrogate-Key", "old"), ("Cache-Tag", "new"), ("xkey", "old")] {
        asked(message(200, &[short, "ETag: \"1\"", "Surrogate-Key: old"], "x"));
        let renewed = asked(message(304, &[MINUTE, "ETag: \"1\"", "Cache-Tag: new"], ""));
        assert_eq!((renewed.text().as_str(), renewed.status), ("x", 200));
        shows_no_tags(&renewed);
        shows_no_tags(&cistern.get("/a").served_from_store());
        assert_eq!(purge(&cistern, field, value), 1, "{value}");
    }
    stage.was_asked_no_more();
}

#[test]
fn a_tag_that_nobody_could_name_is_left_out_and_told() {
    let long = "x".repeat(9_000);
    let line = format!("Cache-Tag: news, {long}");
    let stage = Stage::with(move |_| Some(message(200, &[MINUTE, &line], "x")));
    let cistern = in_front_of(stage.address()).config(PURGERS).start();
    cistern.get("/a");
    cistern.get("/a").served_from_store();
    assert_eq!(purge(&cistern, "Cache-Tag", "news"), 1);
    let log = cistern.log();
    assert!(log.contains(" IGNORED field=cache-tag target=http://"), "{log}");
}

#[test]
fn tags_live_in_the_shared_level_too() {
    let redis = Server::start();
    let stage = Stage::with(|what| {
        let path = what.strip_prefix("GET ")?;
        tagged(what).or_else(|| Some(message(200, &[MINUTE], path)))
    });
    let fleet = Fleet::of(2, stage.address(), &redis.url());
    fleet.nodes[0].get("/spaces").served_by_origin();
    stored(&redis, "/spaces", 1);
    // The other node has it from there, and its purge by tag takes it from both.
    shows_no_tags(&fleet.nodes[1].get("/spaces").served_from_store());
    let purge = ask("PURGE", "/").header("Surrogate-Key", "sport");
    let answer = fleet.nodes[1].send(&purge).with_status(200).json();
    assert_eq!((&answer["level"], &answer["purged"]["entries"]), (&"nodes".into(), &1.into()));
    fleet.nodes[0].get("/spaces").served_by_origin();
}

/// A node that passes tags on keeps them in the frame; one that does not shows none of them.
#[test]
fn what_another_node_kept_shows_no_tags_here() {
    let redis = Server::start();
    let stage = Stage::with(|what| {
        let path = what.strip_prefix("GET ")?;
        tagged(what).or_else(|| Some(message(200, &[MINUTE], path)))
    });
    let setup = |tags: &str| {
        let config = crate::support::fleet::settings(&redis.url());
        in_front_of(stage.address()).config(&format!("headers.tags = \"{tags}\"\n{config}"))
    };
    let fleet = Fleet::start([setup("pass"), setup("strip")]);
    assert!(fleet.nodes[0].get("/spaces").get("surrogate-key").is_some());
    stored(&redis, "/spaces", 1);
    for _ in 0..2 {
        shows_no_tags(&fleet.nodes[1].get("/spaces").served_from_store());
    }
}
