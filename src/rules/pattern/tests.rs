use proptest::prelude::*;

use super::*;

fn path(text: &str) -> PathPattern {
    PathPattern::parse(text, 0).unwrap()
}

fn refused(text: &str) -> String {
    match parse_methods(text) {
        Err(slip) => slip.message,
        Ok((_, at)) => PathPattern::parse(&text[at..], at).unwrap_err().message,
    }
}

#[test]
fn methods_are_read_and_get_brings_head() {
    let (methods, at) = parse_methods("GET|PURGE /a").unwrap();
    assert_eq!(at, 10);
    assert!(methods.fit(&Method::GET) && methods.fit(&Method::HEAD));
    assert!(methods.fit(&Method::from_bytes(b"PURGE").unwrap()));
    assert!(!methods.fit(&Method::POST));
    let (head, _) = parse_methods("HEAD /a").unwrap();
    assert!(head.fit(&Method::HEAD) && !head.fit(&Method::GET));
    let (all, _) = parse_methods("* /a").unwrap();
    assert!(all.fit(&Method::from_bytes(b"BREW").unwrap()));
}

#[test]
fn shapes_are_strict() {
    let fits = |shape: Shape, text: &str| shape.fits(text.as_bytes());
    for text in ["0", "7", "-7", "120"] {
        assert!(fits(Shape::Int, text), "{text}");
    }
    for text in ["", "-", "+7", "07", "-0", "1.0", "1a", "--1"] {
        assert!(!fits(Shape::Int, text), "{text}");
    }
    assert!(fits(Shape::Uuid, "123e4567-e89b-12d3-A456-426614174000"));
    assert!(!fits(Shape::Uuid, "123e4567-e89b-12d3-a456-42661417400"));
    assert!(!fits(Shape::Uuid, "123e4567ae89b-12d3-a456-426614174000"));
    assert!(fits(Shape::Date, "2026-11-20"));
    for text in ["2026-13-01", "2026-00-01", "2026-01-32", "2026-1-1", "2026-01-0a"] {
        assert!(!fits(Shape::Date, text), "{text}");
    }
    assert!(fits(Shape::Word, "a_B-9") && !fits(Shape::Word, "a.b") && !fits(Shape::Word, ""));
    assert!(fits(Shape::Hex, "00fF") && !fits(Shape::Hex, "g") && !fits(Shape::Hex, ""));
}

#[test]
fn wrong_matches_say_what_is_wrong() {
    for (text, wanted) in [
        ("/a", "methods, one space"),
        ("GET a", "begins with a slash"),
        ("GET  /a", "one space"),
        ("get /a", "write GET"),
        ("GE T /a", "begins with a slash"),
        ("G(T /a", "not a method"),
        (" /a", "not a method"),
        ("GET| /a", "not a method"),
        ("GET /a/{id", "not closed"),
        ("GET /a/id}", "closes nothing"),
        ("GET /{a}{b}", "at most one part"),
        ("GET /{a:float}", "not a shape"),
        ("GET /{rest...}/b", "behind the tail"),
        ("GET /x{rest...}", "stands alone"),
        ("GET /{rest...:int}", "stands alone"),
        ("GET /{1a}", "not a name"),
        ("GET /{}", "not a name"),
        ("GET /{host}", "already means"),
        ("GET /{a}/{a}", "stands twice"),
        ("GET /a?b=1", "cannot stand in a path"),
        ("GET /a/*", "{rest...}"),
        ("GET /a b", "spaces"),
    ] {
        assert!(refused(text).contains(wanted), "{text}: {}", refused(text));
    }
}

#[test]
fn coverage_is_never_claimed_wrongly() {
    let covers = |a: &str, b: &str| path(a).covers(&path(b));
    for (a, b) in [
        ("/a/{id}", "/a/b"),
        ("/a/{id}", "/a/{id:int}"),
        ("/a/{id}", "/a/x{y}.json"),
        ("/a/{id:word}", "/a/{id:int}"),
        ("/a/{id:int}", "/a/7"),
        ("/a/{rest...}", "/a/b/c"),
        ("/a/{rest...}", "/a/"),
        ("/a/{rest...}", "/a/b/{rest...}"),
        ("/{rest...}", "/"),
        ("/x-{id}", "/x-a-{y}"),
    ] {
        assert!(covers(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("/a/b", "/a/{id}"),
        ("/a/{id}", "/a/"),
        ("/a/{id}", "/a"),
        ("/a/{id:int}", "/a/{id}"),
        ("/a/{id:int}", "/a/07"),
        ("/a/{rest...}", "/a"),
        ("/a/{id}", "/a/{rest...}"),
        ("/a/b/{rest...}", "/a/{rest...}"),
        ("/x-{id}", "/{y}"),
        ("/a/{id:hex}", "/a/{id:int}"),
        ("/a/", "/a"),
    ] {
        assert!(!covers(a, b), "{a} {b}");
    }
}

proptest! {
    #[test]
    fn no_match_panics(text in any::<String>()) {
        if let Ok((_, at)) = parse_methods(&text) {
            drop(PathPattern::parse(&text[at..], at));
        }
    }

    #[test]
    fn no_path_panics(text in "/[a{}:./int%2]{0,12}") {
        drop(PathPattern::parse(&text, 0));
    }
}
