//! What overtakes what: a fetch that read the origin before a write or a purge gives its answer to
//! those who waited for it, and to nobody else. The origin holds back and lets go at the worst
//! moment, so that nothing here depends on luck.

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{ask, get};
use crate::support::stage::{Stage, head_of, message};
use crate::support::wire::Wire;

const RULES: &str = r#"
version = 1
[type.thing]
prefix = "t:"
ttl = "5m"
[[route]]
name = "read"
match = "GET /items/{id}"
type = "thing"
key = "item:{id}"
tags = ["items", "one-{id}"]
[[route]]
name = "write"
match = ["PUT|PATCH|DELETE /items/{id}", "POST /orders/{id}"]
on_write.purge = ["key:t:item:{id}"]
"#;

const MINUTE: &str = "Cache-Control: max-age=60";

fn opened(setup: Setup) -> Setup {
    setup.config("[purge]\nnetworks = [\"127.0.0.0/8\"]\n")
}

fn ruled(stage: &Stage) -> Cistern {
    opened(in_front_of(stage.address())).rules(RULES).start()
}

fn plain(stage: &Stage) -> Cistern {
    opened(in_front_of(stage.address())).start()
}

fn old() -> String {
    message(200, &[MINUTE, "ETag: \"old\""], "old")
}

fn new() -> String {
    message(200, &[MINUTE, "ETag: \"new\""], "new")
}

/// A write that the origin takes at once.
fn written(cistern: &Cistern, stage: &Stage, method: &str, target: &str) {
    let mut writer = Wire::asking(cistern.address(), &format!("{method} {target}"), &[]);
    stage.expects(&format!("{method} {target}")).answers(message(204, &[], ""));
    assert_eq!(writer.head().status, 204);
}

fn purged(cistern: &Cistern, selector: &str) {
    let ask = ask("PURGE", "/").header("X-Purge-Selector", selector);
    cistern.send(&ask).with_status(200);
}

/// Asks, and lets the origin answer so.
fn primed(cistern: &Cistern, stage: &Stage, target: &str, answer: &str) {
    let asked = cistern.begin(&get(target));
    stage.expects(&format!("GET {target}")).answers(answer);
    asked.finish().with_status(200);
}

/// How far a fetch had come when it was overtaken.
#[derive(Clone, Copy, Debug)]
enum Held {
    BeforeItsHead,
    WithinItsBody,
}

/// A fetch is held, `overtake` happens, a reader comes, the fetch ends.
fn overtaken(cistern: &Cistern, stage: &Stage, target: &str, held: Held, overtake: impl FnOnce()) {
    let what = format!("GET {target}");
    let mut before = Wire::asking(cistern.address(), &what, &[]);
    let mut slow = stage.expects(&what);
    let head = head_of(200, &[MINUTE, "ETag: \"old\"", "Content-Length: 3"]);
    if matches!(held, Held::WithinItsBody) {
        slow.says(format!("{head}o"));
        let head = before.head();
        assert_eq!((head.status, before.bytes(1)), (200, b"o".to_vec()));
    }
    overtake();
    // Who begins now must not join the fetch of before: the origin sees a request of its own.
    let after = cistern.begin(&get(target));
    let fresh = stage.expects(&what);
    assert_eq!(fresh.field("if-none-match"), None, "{what}: old validators after {held:?}");
    fresh.answers(new());
    assert_eq!(after.finish().with_status(200).text(), "new", "{what} {held:?}");
    match held {
        Held::BeforeItsHead => {
            slow.answers(format!("{head}old"));
            assert_eq!(before.answer().1, "old", "{what}: it began before");
        }
        Held::WithinItsBody => {
            slow.answers("ld");
            assert_eq!(before.bytes(2), b"ld", "{what}: it began before");
        }
    }
    for _ in 0..2 {
        let later = cistern.get(target).with_status(200).served_from_store();
        assert_eq!(later.text(), "new", "{what}: the old came back after {held:?}");
    }
    stage.was_asked_no_more();
}

#[test]
fn a_fetch_overtaken_by_a_write_is_for_those_who_waited() {
    let stage = Stage::start();
    let cistern = ruled(&stage);
    let plain = plain(&stage);
    for held in [Held::BeforeItsHead, Held::WithinItsBody] {
        for (number, method) in ["PUT", "PATCH", "DELETE", "POST", "BREW"].into_iter().enumerate() {
            let target = format!("/plain/{number}?{held:?}");
            let write = || written(&plain, &stage, method, &target);
            overtaken(&plain, &stage, &target, held, write);
            if method != "BREW" {
                let id = format!("{number}-{held:?}");
                let (written_at, target) = match method {
                    "POST" => (format!("/orders/{id}"), format!("/items/{id}")),
                    _ => (format!("/items/{id}"), format!("/items/{id}")),
                };
                let write = || written(&cistern, &stage, method, &written_at);
                overtaken(&cistern, &stage, &target, held, write);
            }
        }
    }
}

#[test]
fn a_fetch_overtaken_by_a_purge_is_for_those_who_waited() {
    let stage = Stage::start();
    let cistern = ruled(&stage);
    for held in [Held::BeforeItsHead, Held::WithinItsBody] {
        let selectors = [
            "key:t:item:N",
            "prefix:t:item:N",
            "pattern:t:*:N",
            "t:item:N*",
            "tag:one-N",
            "url:http://api.example/items/N",
            "tag:items",
            "rule:read",
            "type:thing",
            "all",
        ];
        for (number, selector) in selectors.into_iter().enumerate() {
            let id = format!("{number}-{held:?}");
            let target = format!("/items/{id}");
            let selector = selector.replace('N', &id);
            overtaken(&cistern, &stage, &target, held, || purged(&cistern, &selector));
        }
        let target = format!("/items/itself-{held:?}");
        overtaken(&cistern, &stage, &target, held, || {
            // Nothing stands there yet, which the answer says; the fetch is overtaken all the same.
            cistern.send(&ask("PURGE", &target)).with_status(404);
        });
    }
}

#[test]
fn a_fetch_that_nothing_names_is_kept() {
    let stage = Stage::start();
    let cistern = ruled(&stage);
    let asked = cistern.begin(&get("/items/1"));
    let slow = stage.expects("GET /items/1");
    // Any tag could be on the answer until it is here, so orders on tags are not among these.
    for other in ["key:t:item:2", "prefix:t:item:12", "pattern:u:*", "type:other"] {
        purged(&cistern, other);
    }
    written(&cistern, &stage, "PUT", "/items/2");
    let mut writer = Wire::asking(cistern.address(), "PUT /items/1", &[]);
    stage.expects("PUT /items/1").answers(message(409, &[], ""));
    assert_eq!(writer.head().status, 409);
    let joining = cistern.begin(&get("/items/1"));
    slow.answers(old());
    assert_eq!(asked.finish().text(), "old");
    assert_eq!(joining.finish().text(), "old");
    cistern.get("/items/1").served_from_store();
    stage.was_asked_no_more();
}

type Overtake = fn(&Cistern, &Stage);

/// Each way to overtake a request for `/a` that is under way.
fn overtakers() -> [(&'static str, Overtake); 3] {
    [
        ("a write", |cistern, stage| written(cistern, stage, "PUT", "/a")),
        ("PURGE", |cistern, _| {
            cistern.send(&ask("PURGE", "/a")).with_status(200);
        }),
        ("a prefix", |cistern, _| purged(cistern, "prefix:http://api.example/")),
    ]
}

#[test]
fn a_validation_overtaken_renews_nothing() {
    for (way, overtake) in overtakers() {
        for confirmed in [true, false] {
            let stage = Stage::start();
            let cistern = plain(&stage);
            let stale = message(200, &["Cache-Control: max-age=0", "ETag: \"old\""], "old");
            primed(&cistern, &stage, "/a", &stale);
            let before = cistern.begin(&get("/a"));
            let slow = stage.expects("GET /a");
            assert_eq!(slow.field("if-none-match"), Some("\"old\""));
            overtake(&cistern, &stage);
            let after = cistern.begin(&get("/a"));
            let fresh = stage.expects("GET /a");
            assert_eq!(fresh.field("if-none-match"), None, "validators outlived {way}");
            fresh.answers(new());
            assert_eq!(after.finish().text(), "new", "after {way}");
            slow.answers(if confirmed {
                message(304, &[MINUTE, "ETag: \"old\""], "")
            } else {
                old()
            });
            assert_eq!(before.finish().with_status(200).text(), "old");
            assert_eq!(cistern.get("/a").served_from_store().text(), "new", "after {way}");
            stage.was_asked_no_more();
        }
    }
}

#[test]
fn a_refresh_behind_overtaken_renews_nothing() {
    for (way, overtake) in overtakers() {
        for confirmed in [true, false] {
            let stage = Stage::start();
            let cistern = plain(&stage);
            let behind = "Cache-Control: max-age=0, stale-while-revalidate=60";
            primed(&cistern, &stage, "/a", &message(200, &[behind, "ETag: \"old\""], "old"));
            assert_eq!(cistern.get("/a").served_from_store().text(), "old");
            let slow = stage.expects("GET /a");
            overtake(&cistern, &stage);
            let after = cistern.begin(&get("/a"));
            let fresh = stage.expects("GET /a");
            assert_eq!(fresh.field("if-none-match"), None, "validators outlived {way}");
            fresh.answers(new());
            assert_eq!(after.finish().text(), "new", "after {way}");
            slow.answers(if confirmed {
                message(304, &[MINUTE, "ETag: \"old\""], "")
            } else {
                old()
            });
            // The refresh has no client whose answer would tell that it has ended; what it did to
            // the store shows in any later read.
            for _ in 0..20 {
                assert_eq!(cistern.get("/a").served_from_store().text(), "new", "after {way}");
            }
            stage.was_asked_no_more();
        }
    }
}

#[test]
fn a_head_overtaken_updates_nothing() {
    for (_, overtake) in overtakers() {
        let stage = Stage::start();
        let cistern = plain(&stage);
        // Without a validator, and of one length: nothing but the order of things can tell them
        // apart.
        let stale = "Cache-Control: max-age=0, stale-if-error=60";
        let stale = message(200, &[stale, "X-Of: old"], "old");
        primed(&cistern, &stage, "/a", &stale);
        let mut before = Wire::asking(cistern.address(), "HEAD /a", &[]);
        let slow = stage.expects("HEAD /a");
        overtake(&cistern, &stage);
        primed(&cistern, &stage, "/a", &message(200, &[MINUTE, "X-Of: new"], "new"));
        slow.answers(head_of(200, &[MINUTE, "X-Of: old", "Content-Length: 3"]));
        assert_eq!(before.head().status, 200);
        let later = cistern.get("/a").served_from_store();
        assert_eq!((later.text().as_str(), later.get("x-of").as_deref()), ("new", Some("new")));
    }
}

#[test]
fn all_variants_fall_together() {
    let stage = Stage::start();
    let cistern = plain(&stage);
    let in_language = |language: &str| get("/a").header("Accept-Language", language);
    let answer = |word: &str| message(200, &[MINUTE, "Vary: Accept-Language"], word);
    for language in ["es", "en"] {
        let asked = cistern.begin(&in_language(language));
        stage.expects("GET /a").answers(answer(&format!("old {language}")));
        asked.finish();
    }
    let before = cistern.begin(&in_language("fr"));
    let slow = stage.expects("GET /a");
    written(&cistern, &stage, "PUT", "/a");
    for language in ["es", "en", "fr"] {
        let after = cistern.begin(&in_language(language));
        stage.expects("GET /a").answers(answer(&format!("new {language}")));
        assert_eq!(after.finish().text(), format!("new {language}"));
    }
    slow.answers(answer("old fr"));
    assert_eq!(before.finish().text(), "old fr");
    for language in ["es", "en", "fr"] {
        let later = cistern.send(&in_language(language)).served_from_store();
        assert_eq!(later.text(), format!("new {language}"));
    }
    stage.was_asked_no_more();
}

#[test]
fn a_purged_copy_covers_no_trouble() {
    for (_, overtake) in overtakers() {
        let stage = Stage::start();
        let cistern = plain(&stage);
        let kept = "Cache-Control: max-age=0, stale-if-error=60";
        primed(&cistern, &stage, "/a", &message(200, &[kept, "ETag: \"old\""], "old"));
        let before = cistern.begin(&get("/a"));
        let slow = stage.expects("GET /a");
        overtake(&cistern, &stage);
        slow.answers(message(503, &[], "trouble"));
        // It began before, so the copy of then may cover the trouble for it.
        assert_eq!(before.finish().with_status(200).text(), "old");
        let after = cistern.begin(&get("/a"));
        stage.expects("GET /a").answers(message(503, &[], "trouble"));
        after.finish().with_status(503).served_by_origin();
        let after = cistern.begin(&get("/a"));
        std::thread::scope(|scope| {
            let after = scope.spawn(|| after.finish());
            // What breaks on a connection of before may be asked once more.
            while !after.is_finished() {
                stage.breaks_one();
            }
            after.join().expect("an answer").with_status(502);
        });
    }
}
