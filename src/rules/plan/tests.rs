use super::*;
use crate::base::limits::TAGS_PER_ENTRY_MAX;
use crate::rules::Rulebook;
use crate::rules::samples::{Request, book};

fn gad() -> Rulebook {
    book(
        "[type.stats]\nprefix = 'gad:'\nttl = '5m'\n\
          [[route]]\nname = 'stats'\nmatch = 'GET /stats/user/{id:int}'\ntype = 'stats'\n\
          key = 'stats:user:{id}:days:{query.days|default(30)}'\n\
          bypass = \"query.use_cache|lower in ['false', '0', 'no', 'off']\"\n\
          tags = ['user:{id}', 'days:{query.days}', 'who:{json:/who}']\n\
          [[route]]\nname = 'tasks'\nmatch = ['POST /tareas', 'PUT|PATCH|DELETE /tareas/{tid}']\n\
          on_write.purge = ['prefix:gad:stats:user:{req.json:/user|or(json:/user)}:', \
          'tag:tarea:{tid|or(json:/id)}:x']\n",
    )
}

#[test]
fn a_key_has_its_prefix_its_defaults_and_nothing_that_was_not_asked() {
    let book = gad();
    let key = |line: &str| Request::new(line).key(&book);
    assert_eq!(key("GET /stats/user/2?use_cache=true").unwrap(), "gad:stats:user:2:days:30");
    assert_eq!(key("GET /stats/user/2?days=7").unwrap(), "gad:stats:user:2:days:7");
    assert_eq!(key("GET /stats/user/2?d%61ys=%37").unwrap(), "gad:stats:user:2:days:7");
    assert_eq!(key("GET /stats/user/2?use_cache=OFF").unwrap_err(), "bypass-rule");
    assert_eq!(key("GET /stats/user/2?days=7&days=8").unwrap_err(), "query-repeated days");
    assert_eq!(key("GET /stats/user/2?x=1").unwrap_err(), "query-unnamed x");
    assert_eq!(key("GET /stats/user/2?%78=1").unwrap_err(), "query-unnamed x");
    assert_eq!(key("GET /stats/user/2?days=1;use_cache=no").unwrap_err(), "odd-target");
    assert_eq!(key("GET /stats/user/2?days=%0a").unwrap_err(), "odd-target");
}

#[test]
fn unnamed_parameters_are_ignored_or_stripped_where_the_rule_says_so() {
    let rules = |how: &str| {
        format!(
            "[[route]]\nmatch = 'GET /p'\nkey = 'p:{{query.page|default(1)}}'\n\
             query.ignore = ['utm_*', 'fbclid']\nquery.unnamed = '{how}'\n"
        )
    };
    let plan = |how: &str, target: &str| {
        let book = book(&rules(how));
        let request = Request::new(&format!("GET {target}"));
        let asked = request.asked();
        let (route, captures) = book.route(&asked).unwrap();
        route
            .read_plan(&asked, &captures, None, Veil::default())
            .map(|plan| (plan.key.unwrap(), plan.forward_target))
    };
    let key = |text: &str| text.to_owned();
    assert_eq!(plan("bypass", "/p?utm_source=a&fbclid=1"), Ok((key("p:1"), None)));
    assert!(plan("bypass", "/p?utm=1").is_err());
    assert_eq!(plan("ignore", "/p?utm=1&page=2"), Ok((key("p:2"), None)));
    assert_eq!(
        plan("strip", "/p?x=1&page=2&utm_a=3&y"),
        Ok((key("p:2"), Some("/p?page=2&utm_a=3".to_owned())))
    );
    assert_eq!(plan("strip", "/p?page=2"), Ok((key("p:2"), None)));
}

#[test]
fn the_whole_query_names_everything_but_what_is_ignored() {
    let rules =
        "[[route]]\nmatch = 'GET /p'\nkey = 'p:{query|default()}'\nquery.ignore = 'utm_*'\n";
    let book = book(rules);
    let key = |target: &str| Request::new(&format!("GET {target}")).key(&book).unwrap();
    assert_eq!(key("/p?b=1&a=2&utm_x=3"), key("/p?a=2&utm_y=4&b=1"));
    assert_ne!(key("/p?a=1&a=2"), key("/p?a=2&a=1"));
    assert_eq!(key("/p?utm_x=3"), "p:");
    assert_eq!(key("/p"), "p:");
}

#[test]
fn without_a_key_the_target_is_the_key_and_nothing_is_odd() {
    let book = book("[[route]]\nmatch = 'GET /{a...}'\nttl = '5m'\n");
    assert_eq!(Request::new("GET /a//b;c?x=1&x=2").key(&book).unwrap(), "the target");
    let pass = Request::new("GET /x");
    let passing = self::book("[[route]]\nmatch = 'GET /x'\nmode = 'pass'\n");
    assert_eq!(pass.key(&passing).unwrap_err(), "mode-pass");
}

#[test]
fn a_body_can_be_the_question() {
    let rules = "[[route]]\nmatch = 'POST /e'\nkey = \
                 'e:{req.json:/c|default()}:{req.json|sha256}'\n\
                 [[route]]\nmatch = 'POST /r'\nkey = 'r:{req.body|sha256}'\n\
                 [[route]]\nmatch = 'POST /w'\n";
    let book = book(rules);
    let key = |path: &str, body: &str| {
        Request::new(&format!("POST {path}")).key_with(&book, Some(body), None)
    };
    assert_eq!(key("/e", r#"{"a":1,"c":"x"}"#), key("/e", r#" {"c":"x","a":1} "#));
    assert_ne!(key("/e", r#"{"a":1}"#), key("/e", r#"{"a":2}"#));
    assert_ne!(key("/r", "{\"a\":1}"), key("/r", "{\"a\":1 }"));
    assert_eq!(key("/e", "not json").unwrap_err(), "key-part-missing req.json|sha256");
    assert_eq!(key("/e", r#"{"a":1,"a":2}"#).unwrap_err(), "key-part-missing req.json|sha256");
    let role = |path: &str| {
        let request = Request::new(&format!("POST {path}"));
        let (route, _) = book.route(&request.asked()).unwrap();
        (route.role(&http::Method::POST), route.needs_request_body(route.role(&http::Method::POST)))
    };
    assert_eq!(role("/e"), (crate::rules::Role::BodyRead, true));
    assert_eq!(role("/w"), (crate::rules::Role::Write, false));
}

#[test]
fn the_key_must_hold_every_credential_of_the_request() {
    let rules = "[[route]]\nname='d'\nmatch='GET /d'\nkey='d:{identity}'\n\
                 [[route]]\nname='h'\nmatch='GET /h'\nkey='h:{header.x-api-key|sha256}'\n\
                 [[route]]\nname='c'\nmatch='GET /c'\nkey='c:{cookie.sid|default(anon)}'\n\
                 [[route]]\nname='o'\nmatch='GET /o'\n\
                 key='o:{header.x-api-key|or(header.accept)}'\n\
                 [[route]]\nname='l'\nmatch='GET /l'\nkey='l:{header.x-api-key|lower}'\n\
                 [[route]]\nname='n'\nmatch='GET /n'\nkey='n:{header.accept|default()}'\n";
    let book = book(rules);
    let apart = |request: Request| {
        let asked = request.asked();
        let (route, captures) = book.route(&asked).unwrap();
        route.read_plan(&asked, &captures, None, Some("digest").into()).unwrap().has_identity
    };
    let get = |path: &str| Request::new(&format!("GET {path}")).with("accept", "x");
    assert!(book.route_named("d").unwrap().needs_identity());
    assert!(!book.route_named("h").unwrap().needs_identity());
    assert!(apart(get("/d").with("authorization", "a").with("cookie", "s=1")));
    assert!(apart(get("/h").with("x-api-key", "k")));
    assert!(!apart(get("/h").with("x-api-key", "k").with("authorization", "a")));
    assert!(!apart(get("/h").with("x-api-key", "k").with("cookie", "s=1")));
    assert!(apart(get("/h").with("x-api-key", "k").with("cookie", "_ga=1")));
    assert!(apart(get("/c").with("cookie", "sid=1; theme=dark")));
    assert!(!apart(get("/c").with("cookie", "other=1")));
    assert!(!apart(get("/o").with("x-api-key", "k")));
    assert!(!apart(get("/l").with("x-api-key", "k")));
    assert!(!apart(get("/n").with("authorization", "a")));
}

#[test]
fn selectors_are_built_from_path_request_and_answer() {
    let book = gad();
    let put = Request::new("PUT /tareas/9");
    assert_eq!(
        put.purges(&book, Some(r#"{"user":2}"#), None),
        ["prefix:gad:stats:user:2:", "tag:tarea:9:x"]
    );
    let post = Request::new("POST /tareas");
    assert_eq!(
        post.purges(&book, None, Some(r#"{"user":"a:b*","id":7}"#)),
        ["prefix:gad:stats:user:a%3Ab%2A:", "tag:tarea:7:x"]
    );
}

#[test]
fn a_missing_part_widens_and_is_never_skipped_unasked() {
    let book = gad();
    let delete = Request::new("DELETE /tareas/9");
    assert_eq!(delete.purges(&book, None, None), ["!prefix:gad:stats:user:", "tag:tarea:9:x"]);
    let post = Request::new("POST /tareas");
    assert_eq!(
        post.purges(&book, Some("no json"), Some("{}")),
        ["!prefix:gad:stats:user:", "!tag:tarea:*:x"]
    );
    let rules = "[[route]]\nmatch = ['POST /p', 'PUT /p/{id}']\n\
                 on_write.purge = ['key:p_{id|or(json:/id)}', 'pattern:q:{id}:*', 'p:list']\n";
    let post = Request::new("POST /p");
    assert_eq!(
        post.purges(&self::book(rules), None, None),
        ["!pattern:p_*", "!pattern:q:*:*", "key:p:list"]
    );
    let skip = format!("{rules}on_write.missing = 'skip'\n");
    assert_eq!(post.purges(&self::book(&skip), None, None), ["key:p:list"]);
}

#[test]
fn a_value_too_long_for_any_key_purges_nothing() {
    let rules = "[[route]]\nmatch = 'PUT /p'\non_write.purge = 'key:p:{req.json:/id}'\n";
    let body = format!(r#"{{"id":"{}"}}"#, "x".repeat(KEY_BYTES_MAX));
    assert!(Request::new("PUT /p").purges(&book(rules), Some(&body), None).is_empty());
}

#[test]
fn targets_and_names_are_selectors_too() {
    let rules = "[type.t]\n[[route]]\nname = 'w'\nmatch = 'PUT /p/{id}/{rest...}'\n\
                 on_write.purge = ['url:/p/{id}/{rest}', 'type:t', 'rule:w', 'all', 'tag:{id}']\n";
    let put = Request::new("PUT /p/a%3Ab/x/");
    assert_eq!(
        put.purges(&book(rules), None, None),
        ["url:/p/a%3Ab/x/", "type:t", "rule:w", "all", "tag:a%3Ab"]
    );
    let put = Request::new("PUT /p/a/");
    assert_eq!(put.purges(&book(rules), None, None)[0], "url:/p/a/");
}

#[test]
fn tags_without_a_part_are_left_off() {
    let book = gad();
    let request = Request::new("GET /stats/user/2?days=7");
    let asked = request.asked();
    let (route, captures) = book.route(&asked).unwrap();
    let answer = Json::read(br#"{"who":"ana"}"#).unwrap();
    let tags = |answer| route.tags(&asked, &captures, None, Veil::default(), answer);
    assert_eq!(tags(Some(&answer)).tags, ["user:2", "days:7", "who:ana"]);
    assert_eq!(tags(None), Tags { tags: vec!["user:2".into(), "days:7".into()], left_off: 1 });
    assert!(route.needs_response_json(crate::rules::Role::Read));
}

#[test]
fn a_route_gives_no_more_tags_than_an_entry_can_have() {
    let many: Vec<_> = (0..=TAGS_PER_ENTRY_MAX).map(|n| format!("'t{n}'")).collect();
    let rules = format!("[[route]]\nmatch = 'GET /x'\nkey = 'x'\ntags = [{}]\n", many.join(","));
    assert!(crate::rules::samples::findings(&rules)[0].starts_with("error C026"));
}

#[test]
fn explain_tells_where_each_part_came_from() {
    let book = gad();
    let request = Request::new("GET /stats/user/2");
    let asked = request.asked();
    let (route, captures) = book.route(&asked).unwrap();
    let notes = route.key_parts(&asked, &captures, None, Veil::default());
    let told: Vec<_> =
        notes.iter().map(|n| (n.text.as_str(), n.value.as_deref(), n.from.as_str())).collect();
    assert_eq!(
        told,
        [
            ("{id}", Some("2"), "part `id` of the path"),
            ("{query.days|default(30)}", Some("30"), "the template's default"),
        ]
    );
    assert_eq!(route.key_template().unwrap(), "gad:stats:user:{id}:days:{query.days|default(30)}");
}

#[test]
fn roles_follow_the_methods() {
    use crate::rules::Role;
    let book = gad();
    let route = book.route_named("stats").unwrap();
    for (method, role) in [
        ("GET", Role::Read),
        ("HEAD", Role::Read),
        ("POST", Role::Write),
        ("PUT", Role::Write),
        ("M-SEARCH", Role::Write),
        ("OPTIONS", Role::Pass),
        ("TRACE", Role::Pass),
        ("CONNECT", Role::Pass),
        ("QUERY", Role::Pass),
    ] {
        assert_eq!(
            route.role(&http::Method::from_bytes(method.as_bytes()).unwrap()),
            role,
            "{method}"
        );
    }
}

#[test]
fn success_is_what_the_rule_calls_so() {
    let rules = "[[route]]\nname='a'\nmatch='PUT /a'\n\
                 [[route]]\nname='b'\nmatch='PUT /b'\non_write.when=['201', '4xx', 500]\n";
    let book = book(rules);
    let success = |route: &str, code: u16| {
        let status = http::StatusCode::from_u16(code).unwrap();
        book.route_named(route).unwrap().on_write.is_success(status)
    };
    assert!(success("a", 200) && success("a", 204) && success("a", 303) && !success("a", 404));
    assert!(success("b", 201) && success("b", 409) && success("b", 500) && !success("b", 200));
}

/// A veil with a key, as serving has it.
fn veil(is_apart: bool) -> Veil<'static> {
    Veil { identity: Some("caller"), key: Some(&[7; 32]), is_apart }
}

#[test]
fn a_digest_stands_for_a_credential_and_for_nothing_else() {
    let rules = "[credentials]\nheaders=['X-Pass']\ncookies_ignored=['theme']\n\
                 [[route]]\nname='all'\nmatch='GET /{id}'\ntags=['t:{header.x-pass|take(3)}']\n\
                 key='k:{id}:{header.x-pass|default(none)}:{header.x-api-key|default()}:\
                 {cookie.sid|or(cookie.theme)|default()}:{header.accept|default()}'\n";
    let book = book(rules);
    let key = |request: Request, veil| {
        let asked = request.asked();
        let (route, captures) = book.route(&asked).unwrap();
        let plan = route.read_plan(&asked, &captures, None, veil).unwrap();
        let tags = route.tags(&asked, &captures, None, veil, None).tags;
        (plan.key.unwrap(), tags.concat(), route.hides(asked.fields))
    };
    let get = || Request::new("GET /7").with("accept", "json");
    let plain = get().with("cookie", "theme=dark");
    assert_eq!(key(plain, veil(false)), ("k:7:none::dark:json".into(), String::new(), false));
    let secret = || {
        let request = get().with("x-pass", "secret").with("x-api-key", "secret");
        request.with("cookie", "sid=secret; theme=dark")
    };
    let (text, tag, hides) = key(secret(), veil(false));
    assert!(hides && !text.contains("secret") && !tag.contains("sec"), "{text} {tag}");
    let parts: Vec<_> = text.split(':').collect();
    assert!(parts[2].len() == 32 && parts[2] == parts[3] && parts[3] == parts[4], "{text}");
    assert_eq!((parts[1], parts[5]), ("7", "json"));
    assert_eq!(key(secret(), veil(false)), (text.clone(), tag.clone(), true));
    let other = Veil { key: Some(&[8; 32]), ..veil(false) };
    assert!(key(secret(), other).0 != text && key(secret(), other).1 != tag);
    let (shown, _, _) = key(secret(), Veil::default());
    assert_eq!(shown, "k:7:secret:secret:secret:json", "tests of rules show what they say");
}

#[test]
fn what_other_nodes_cannot_name_is_widened() {
    let rules = "[[route]]\nname='w'\nmatch='PUT /{id}'\n\
                 on_write.purge=['key:k:{id}:{header.x-api-key}', 'tag:t:{cookie.sid|default(no)}', \
                 'prefix:p:{identity}:{id}']\non_write.missing='skip'\n";
    let book = book(rules);
    let purges = |request: Request, veil| {
        let asked = request.asked();
        let (route, captures) = book.route(&asked).unwrap();
        let all = route.write_selectors(&asked, &captures, None, veil, None);
        all.iter().map(|one| format!("{} {}", one.selector, one.widened)).collect::<Vec<_>>()
    };
    let put = || Request::new("PUT /7").with("x-api-key", "secret");
    let apart = purges(put(), veil(true));
    assert_eq!(apart, ["pattern:k:7:* true", "tag:t:no false", "prefix:p: true"]);
    let known = purges(put(), veil(false));
    assert!(known[0].starts_with("key:k:7:") && known[0].ends_with(" false"), "{known:?}");
    assert_eq!(known[2], "prefix:p:caller:7 false");
    assert!(known.iter().all(|one| !one.contains("secret")), "{known:?}");
    let without = purges(Request::new("PUT /7"), veil(true));
    assert_eq!(without, ["tag:t:no false", "prefix:p: true"], "nothing is kept without it");
}
