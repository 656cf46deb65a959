//! Whole stories over the functions of this floor, in the order a proxy calls them.

mod model;

use http::{HeaderMap, Method};

use self::model::{Answer, Asked, Came, Model};
use super::testing::{NOW, lines, map};
use super::{Law, Manner, Profile};
use crate::base::units::Span;

const HERE: &str = "http://shop.example/goods";

/// A cache, and an origin whose next answer the story sets.
struct Story {
    model: Model,
    next: Option<Answer>,
    heard: Vec<(Method, HeaderMap)>,
}

impl Story {
    fn new(profile: Profile) -> Self {
        let model = Model::new(Law::default(), Manner::of(profile), NOW);
        Self { model, next: None, heard: Vec::new() }
    }

    fn says(&mut self, status: u16, fields: &[(&str, &str)], body: &str) -> &mut Self {
        self.next = Some(Answer { status, fields: map(fields), body: body.into() });
        self
    }

    fn hangs_up(&mut self) -> &mut Self {
        self.next = None;
        self
    }

    fn after(&mut self, secs: u64) -> &mut Self {
        self.model.now = self.model.now.plus(Span::from_secs(secs));
        self
    }

    fn ask(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) -> (Answer, Came) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let asked = Asked { method, target: target.to_owned(), fields: map(fields) };
        let (next, heard) = (&self.next, &mut self.heard);
        self.model.ask(&asked, &mut |sent| {
            heard.push((sent.method.clone(), sent.fields.clone()));
            next.clone()
        })
    }

    /// The body that a plain GET gets, and where from.
    fn get(&mut self) -> (String, Came) {
        let (answer, came) = self.ask("GET", HERE, &[]);
        (String::from_utf8(answer.body).unwrap(), came)
    }
}

fn got(body: &str, came: Came) -> (String, Came) {
    (body.to_owned(), came)
}

#[test]
fn an_answer_is_reused_until_its_life_ends() {
    let mut story = Story::new(Profile::Safe);
    assert_eq!(story.says(200, &[("cache-control", "max-age=60")], "one").get().1, Came::Origin);
    story.says(200, &[("cache-control", "max-age=60")], "two");
    assert_eq!(story.after(59).get(), got("one", Came::Hit));
    let (answer, _) = story.ask("GET", HERE, &[]);
    assert_eq!(lines(&answer.fields, "age"), ["59"]);
    assert_eq!(story.after(1).get(), got("two", Came::Origin));
}

#[test]
fn a_renewal_starts_a_new_life_with_the_fields_it_brings() {
    let mut story = Story::new(Profile::Safe);
    let first = [("cache-control", "max-age=5"), ("etag", "\"a\""), ("x", "old"), ("kept", "1")];
    story.says(200, &first, "one").get();
    story.says(304, &[("x", "new"), ("y", "added"), ("set-cookie", "a=1")], "").after(9);
    let (answer, came) = story.ask("GET", HERE, &[]);
    assert_eq!((came, answer.body.as_slice()), (Came::Renewed, &b"one"[..]));
    assert_eq!(lines(&story.heard[1].1, "if-none-match"), ["\"a\""]);
    let (answer, came) = story.after(4).ask("GET", HERE, &[]);
    assert_eq!(came, Came::Hit);
    for (name, value) in [("x", "new"), ("y", "added"), ("kept", "1"), ("age", "4")] {
        assert_eq!(lines(&answer.fields, name), [value]);
    }
    assert!(!answer.fields.contains_key("set-cookie"));
}

#[test]
fn a_304_about_something_else_is_asked_again_without_condition() {
    let mut story = Story::new(Profile::Rfc);
    story.says(200, &[("cache-control", "max-age=5"), ("etag", "\"a\"")], "one").get();
    story.says(304, &[("etag", "\"b\"")], "").after(9).get();
    assert_eq!(story.heard.len(), 3);
    assert!(story.heard[1].1.contains_key("if-none-match"));
    assert!(!story.heard[2].1.contains_key("if-none-match"));
}

#[test]
fn the_clients_condition_is_answered_here_and_never_sent_on() {
    let mut story = Story::new(Profile::Safe);
    story.says(200, &[("cache-control", "max-age=5"), ("etag", "\"a\"")], "one");
    let condition = [("if-none-match", "\"a\""), ("range", "bytes=0-0")];
    assert_eq!(story.ask("GET", HERE, &condition[..1]).0.status, 200);
    assert!(!story.heard[0].1.contains_key("if-none-match"));
    assert_eq!(story.ask("GET", HERE, &condition).0.status, 304);
    let (part, came) = story.ask("GET", HERE, &condition[1..]);
    assert_eq!((part.status, part.body.as_slice(), came), (206, &b"o"[..], Came::Hit));
    // A stale one is renewed without the range, and then cut.
    story.says(304, &[("etag", "\"a\"")], "").after(9);
    let (part, came) = story.ask("GET", HERE, &condition[1..]);
    assert_eq!((part.status, came), (206, Came::Renewed));
    assert!(!story.heard[1].1.contains_key("range"));
}

#[test]
fn behind_the_clients_back_the_new_answer_replaces_the_old_or_removes_it() {
    let mut story = Story::new(Profile::Safe);
    let window = [("cache-control", "max-age=1, stale-while-revalidate=10")];
    story.says(200, &window, "one").get();
    assert_eq!(story.says(200, &window, "two").after(5).get(), got("one", Came::StaleHit));
    assert_eq!(story.get(), got("two", Came::Hit));
    story.says(200, &[("cache-control", "no-store")], "three").after(5);
    assert_eq!(story.get(), got("two", Came::StaleHit));
    assert_eq!(story.get(), got("three", Came::Origin));
    assert_eq!(story.model.entries(), 0);
}

#[test]
fn beyond_the_window_the_origin_is_asked_first() {
    let mut story = Story::new(Profile::Safe);
    story.says(200, &[("cache-control", "max-age=1, stale-while-revalidate=4")], "one").get();
    assert_eq!(story.says(200, &[], "two").after(5).get(), got("two", Came::Origin));
}

#[test]
fn stale_stands_in_for_errors_where_nothing_forbids_it() {
    for (cache_control, stands_in) in [
        ("max-age=2, stale-if-error=60", true),
        ("max-age=2", false),
        ("max-age=2, stale-if-error=60, must-revalidate", false),
        ("max-age=2, stale-if-error=60, proxy-revalidate", false),
        ("s-maxage=2, stale-if-error=60", false),
        ("max-age=2, stale-if-error=60, no-cache", false),
    ] {
        let mut story = Story::new(Profile::Rfc);
        story.says(200, &[("cache-control", cache_control), ("etag", "\"a\"")], "one").get();
        let came = story.hangs_up().after(5).get().1;
        assert_eq!(came == Came::StaleHit, stands_in, "{cache_control}");
        for status in [500, 502, 503, 504] {
            let came = story.says(status, &[], "error").get().1;
            assert_eq!(came == Came::StaleHit, stands_in, "{cache_control} {status}");
        }
        assert_eq!(story.says(404, &[], "gone").get(), got("gone", Came::Origin));
    }
}

#[test]
fn writes_with_any_unsafe_method_drop_what_they_touch() {
    for method in ["POST", "PUT", "DELETE", "M-SEARCH"] {
        let mut story = Story::new(Profile::Rfc);
        story.says(200, &[("cache-control", "max-age=60")], "one");
        let other = "http://shop.example/list";
        story.ask("GET", HERE, &[]);
        story.ask("GET", other, &[]);
        story.says(500, &[("location", "/list")], "").ask(method, HERE, &[]);
        assert_eq!(story.model.entries(), 2, "{method}");
        story.says(201, &[("location", "/list")], "").ask(method, HERE, &[]);
        assert_eq!(story.model.entries(), 0, "{method}");
    }
}

#[test]
fn a_head_renews_or_outdates_what_is_stored() {
    let mut story = Story::new(Profile::Rfc);
    let first = [("cache-control", "max-age=2"), ("etag", "\"a\"")];
    story.says(200, &first, "one").get();
    let (head, came) = story.ask("HEAD", HERE, &[]);
    assert_eq!((head.status, came), (200, Came::Hit));
    story.says(200, &[("cache-control", "max-age=60"), ("etag", "\"a\""), ("x", "new")], "");
    assert_eq!(story.after(5).ask("HEAD", HERE, &[]).1, Came::Origin);
    assert_eq!(story.heard[1].0, Method::HEAD);
    let (answer, came) = story.ask("GET", HERE, &[]);
    assert_eq!((came, lines(&answer.fields, "x")), (Came::Hit, vec!["new".to_owned()]));
    story.says(200, &[("etag", "\"b\"")], "").after(90).ask("HEAD", HERE, &[]);
    assert_eq!(story.model.entries(), 0);
}

#[test]
fn variants_stand_side_by_side_and_the_newest_is_chosen() {
    let mut story = Story::new(Profile::Safe);
    let vary = [("cache-control", "max-age=60"), ("vary", "Foo")];
    story.says(200, &vary, "one").ask("GET", HERE, &[("foo", "1")]);
    story.says(200, &vary, "two").after(1).ask("GET", HERE, &[("foo", "2")]);
    let (answer, came) = story.ask("GET", HERE, &[("foo", "1"), ("bar", "x")]);
    assert_eq!((came, answer.body.as_slice()), (Came::Hit, &b"one"[..]));
    assert_eq!(story.ask("GET", HERE, &[("foo", "3")]).1, Came::Origin);
    // An answer that varies on nothing is newer than all of them.
    story.says(200, &[("cache-control", "max-age=60")], "all").after(1);
    assert_eq!(story.ask("GET", HERE, &[("foo", "4")]).1, Came::Origin);
    assert_eq!(story.ask("GET", HERE, &[("foo", "1")]).0.body, b"all");
}

#[test]
fn only_if_cached_never_reaches_the_origin() {
    for profile in [Profile::Safe, Profile::Rfc] {
        let mut story = Story::new(profile);
        let asks = [("cache-control", "only-if-cached")];
        assert_eq!(story.ask("GET", HERE, &asks).0.status, 504);
        assert!(story.heard.is_empty());
        story.says(200, &[("cache-control", "max-age=60")], "one").get();
        assert_eq!(story.ask("GET", HERE, &asks).1, Came::Hit);
    }
}

#[test]
fn a_post_that_stands_for_its_target_answers_the_next_get() {
    let mut story = Story::new(Profile::Rfc);
    story.says(200, &[("cache-control", "max-age=60"), ("content-location", "/goods")], "made");
    story.ask("POST", HERE, &[]);
    assert_eq!(story.get(), got("made", Came::Hit));
    assert_eq!(story.ask("POST", HERE, &[]).1, Came::Origin);
}
