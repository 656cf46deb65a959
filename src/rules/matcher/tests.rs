use crate::rules::samples::{Request, book};

fn route_of(rules: &str, line: &str) -> Option<String> {
    Request::new(line).route(&book(rules))
}

#[test]
fn the_first_route_that_fits_is_taken() {
    let rules = "[[route]]\nname = 'a'\nmatch = 'GET /p/mine'\n\
                 [[route]]\nname = 'b'\nmatch = 'GET /p/{id:int}'\n\
                 [[route]]\nname = 'c'\nmatch = ['GET /p/{id}', 'PUT|DELETE /p/{id}']\n\
                 [[route]]\nname = 'd'\nmatch = '* /{all...}'\n";
    for (line, wanted) in [
        ("GET /p/mine", "a"),
        ("HEAD /p/mine", "a"),
        ("POST /p/mine", "d"),
        ("GET /p/7?x=1", "b"),
        ("GET /p/x", "c"),
        ("DELETE /p/7", "c"),
        ("GET /p/", "d"),
        ("GET /p", "d"),
        ("BREW /", "d"),
        ("GET /q/r", "d"),
    ] {
        assert_eq!(route_of(rules, line).as_deref(), Some(wanted), "{line}");
    }
    assert_eq!(route_of(rules, "OPTIONS *"), None);
}

#[test]
fn trailing_slashes_and_case_count() {
    let rules = "[[route]]\nname = 'a'\nmatch = ['GET /a/', 'GET /B/{id}/']\n";
    assert!(route_of(rules, "GET /a/").is_some());
    for line in ["GET /a", "GET /A/", "GET /B/7", "GET /b/7/", "GET /B//", "GET /a//", "get /a/"] {
        assert_eq!(route_of(rules, line), None, "{line}");
    }
}

#[test]
fn every_spelling_of_a_path_is_the_same_path() {
    let rules = "[[route]]\nname = 'a'\nmatch = 'DELETE /caf\u{e9}s/x-{id}.json'\n";
    for line in [
        "DELETE /caf%C3%A9s/x-7.json",
        "DELETE /%63af%c3%a9s/x-7.json",
        "DELETE /caf%C3%A9s/%78%2D%37%2Ejson",
    ] {
        assert_eq!(route_of(rules, line).as_deref(), Some("a"), "{line}");
    }
    assert_eq!(route_of(rules, "DELETE /cafes/x-7.json"), None);
    assert_eq!(route_of(rules, "DELETE /caf%C3%A9s/x-.json"), None);
}

#[test]
fn shapes_see_decoded_values() {
    let rules = "[[route]]\nname = 'a'\nmatch = 'GET /{id:int}'\nkey = 'k:{id}'\n";
    assert_eq!(Request::new("GET /%37").key(&book(rules)).unwrap(), "k:7");
    assert_eq!(route_of(rules, "GET /07"), None);
}

#[test]
fn hosts_and_conditions_choose_too() {
    let rules = "[[route]]\nname = 'a'\nmatch = 'GET /x'\nhost = ['A.example', '*.b.example']\n\
                 [[route]]\nname = 'c'\nmatch = ['GET /x', 'GET /{y}']\nwhen = \"header.x-c || y \
                 == 'z'\"\n\
                 [[route]]\nname = 'd'\nmatch = 'GET /x'\n";
    let book = book(rules);
    let at = |line: &str, host: &str| Request::new(line).host(host).route(&book);
    assert_eq!(at("GET /x", "a.EXAMPLE:80").as_deref(), Some("a"));
    assert_eq!(at("GET /x", "q.b.example").as_deref(), Some("a"));
    assert_eq!(at("GET /x", "b.example").as_deref(), Some("d"));
    assert_eq!(at("GET /z", "b.example").as_deref(), Some("c"));
    assert_eq!(at("GET /w", "b.example"), None);
    let with = Request::new("GET /x").with("x-c", "");
    assert_eq!(with.route(&book).as_deref(), Some("c"));
}

#[test]
fn expressions_fit_whole_paths_and_name_values() {
    let rules = "[[route]]\nname = 'a'\nmatch_regex = 'GET \
                 /v(?<v>[0-9]+)/(?:(?<id>[a-z]+)|x[0-9])'\n\
                 key = 'k:{v}:{id|default(none)}'\n";
    let book = book(rules);
    assert_eq!(Request::new("GET /v2/abc?").key(&book).unwrap(), "k:2:abc");
    assert_eq!(Request::new("GET /v2/x7").key(&book).unwrap(), "k:2:none");
    assert_eq!(Request::new("GET /v2/abc/").route(&book), None);
    assert_eq!(Request::new("GET /a/v2/abc").route(&book), None);
}

#[test]
fn tails_take_what_is_left_and_keep_their_slashes() {
    let rules = "[[route]]\nmatch = 'GET /f/{rest...}'\nkey = 'f:{rest}'\n";
    let book = book(rules);
    assert_eq!(Request::new("GET /f/x/y%20z").key(&book).unwrap(), "f:x/y%20z");
    assert_eq!(Request::new("GET /f/a/").key(&book).unwrap(), "f:a/");
    assert_eq!(Request::new("GET /f/").key(&book).unwrap(), "f:%~");
    assert_eq!(Request::new("GET /f").route(&book), None);
}

#[test]
fn a_thousand_routes_keep_their_order() {
    let mut rules = String::from("[[route]]\nname = 'first'\nmatch = 'GET /{a}/special'\n");
    let route = |n| format!("[[route]]\nname = 'r{n}'\nmatch = 'GET /p{n}/{{id}}'\n");
    rules.extend((0..1_000).map(route));
    let book = book(&rules);
    assert_eq!(Request::new("GET /p7/special").route(&book).as_deref(), Some("first"));
    assert_eq!(Request::new("GET /p999/x").route(&book).as_deref(), Some("r999"));
    assert_eq!(Request::new("GET /q/special").route(&book).as_deref(), Some("first"));
    assert_eq!(Request::new("GET /q/x").route(&book), None);
}
