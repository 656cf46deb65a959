use crate::rules::samples::{findings, source};
use crate::rules::{LoadContext, load};

/// The codes of all findings about a text, errors as they are and warnings in lower case.
fn codes(text: &str) -> String {
    let short = |one: &String| {
        let mut words = one.split(' ');
        let error = words.next() == Some("error");
        let code = words.next().unwrap_or_default();
        if error { code.to_owned() } else { code.to_lowercase() }
    };
    findings(text).iter().map(short).collect::<Vec<_>>().join(" ")
}

/// Routes by match, one after another.
fn routes(list: &[&str]) -> String {
    let route = |(at, text): (usize, &&str)| format!("[[route]]\nname = 'r{at}'\n{text}\n");
    list.iter().enumerate().map(route).collect()
}

#[test]
fn routes_that_can_never_match_are_errors() {
    for list in [
        &["match = 'GET /a/{id}'", "match = 'GET /a/b'"][..],
        &["match = '* /{all...}'", "match_regex = 'GET /x.*'"],
        &["match = ['GET /a', 'POST /a']", "match = 'GET|POST /a'"],
        &["match = 'GET /a'", "match = 'HEAD /a'"],
        &["match = 'GET /a'\nhost = '*.b.c'", "match = 'GET /a'\nhost = 'a.b.c'"],
        &["match_regex = 'GET /x.*'", "match_regex = 'GET /x.*'\nwhen = 'query.a'"],
    ] {
        assert_eq!(codes(&routes(list)), "C014", "{list:?}");
    }
    for list in [
        &["match = 'GET /a/b'", "match = 'GET /a/{id}'"][..],
        &["match = 'GET /a/{id}'\nwhen = 'query.x'", "match = 'GET /a/b'"],
        &["match = 'GET /a'\nhost = 'x.y'", "match = 'GET /a'"],
        &["match = 'HEAD /a'", "match = 'GET /a'"],
        &["match = 'GET /a/{id:int}'", "match = 'GET /a/{id}'"],
        &["match = 'GET /a'", "match = '* /a'"],
    ] {
        assert_eq!(codes(&routes(list)), "", "{list:?}");
    }
    let partly = routes(&["match = 'GET /a/{id}'", "match = ['GET /a/b', 'GET /c']"]);
    assert_eq!(codes(&partly), "c014");
}

#[test]
fn an_unreachable_route_names_the_other_in_whatever_file() {
    let text = |name: &str, line: &str| crate::rules::Source {
        name: name.into(),
        text: format!("version = 1\n[[route]]\nname = '{name}'\nmatch = '{line}'\n"),
    };
    let sources = [text("a.toml", "GET /x/{y}"), text("b.toml", "GET /x/z"), source("")];
    let all = load(&sources, &LoadContext::default()).unwrap_err();
    let shown = all[0].render(false);
    assert!(shown.contains("b.toml:3:8") && shown.contains("a.toml:3:8"), "{shown}");
    assert!(shown.contains("`a.toml`, which has no `when`"), "{shown}");
}

#[test]
fn keys_must_tell_requests_apart() {
    assert_eq!(codes("[[route]]\nmatch='GET /{a}/{b}'\nkey='k:{a}{b}'"), "C013");
    assert_eq!(codes("[[route]]\nmatch='GET /{a}/{b}'\nkey='k:{a}_{b}'"), "C013");
    assert_eq!(
        codes("[[route]]\nmatch='GET /{a}/{b}'\nkey='k:{a|take(2)}:{b|before(x)}'"),
        "C013 C013"
    );
    assert_eq!(codes("[[route]]\nmatch='GET /{a}/{b}'\nkey='k:{a}:{b}'"), "");
}

#[test]
fn keys_that_look_like_targets_are_refused() {
    assert_eq!(codes("[[route]]\nmatch='GET /{a}'\nkey='http://{a}'"), "C015");
    assert_eq!(codes("[[route]]\nmatch='GET /{a}/{b...}'\nkey='{a}://{b}'"), "C015");
    // A tail can hold both slashes.
    assert_eq!(codes("[[route]]\nmatch='GET /{a}/{b...}'\nkey='{a}:{b}'"), "C015");
    assert_eq!(codes("[[route]]\nmatch='GET /{a}/{b}'\nkey='{a}:{b}'"), "");
}

#[test]
fn routes_with_equal_keys_share_type_and_origin() {
    let types = "[type.a]\n[type.b]\nprefix='b:'\n";
    let two = |x: &str, y: &str| format!("{types}{}", routes(&[x, y]));
    let x = "match='GET /x/{id}'\ntype='a'\nkey='p:{id}'";
    assert_eq!(codes(&two(x, "match='GET /y/{id}'\nkey='p:{id}'")), "C015");
    assert_eq!(codes(&two(x, "match='GET /y/{id}'\nkey='{id}:7'")), "C015");
    assert_eq!(codes(&two(x, "match='GET /y/{id}'\ntype='a'\nkey='p:{id}'")), "");
    assert_eq!(codes(&two(x, "match='GET /y/{id}'\ntype='b'\nkey='p:{id}'")), "");
    assert_eq!(codes(&two(x, "match='GET /y/{id}'\nkey='q:{id}'")), "");
    assert_eq!(codes(&two(x, "match='GET /y/{id}'\ntype='a'\norigin='o'\nkey='p:{id}'")), "C015");
    let fixed = "match='GET /y'\nkey='p:all'";
    assert_eq!(codes(&routes(&["match='GET /x/{id:int}'\nkey='p:{id}'\norigin='o'", fixed])), "");
}

#[test]
fn what_the_origin_gets_belongs_into_the_key() {
    let route = |lines: &str| codes(&format!("[[route]]\nmatch='GET /x/{{id}}'\n{lines}"));
    for lines in [
        "key='x:{id}'\ntags=['by:{query.a}']",
        "key='x:{id}'\nwhen=\"query.a == '1'\"",
        "key='x:{id}'\nwhen=\"query.a || query.b\"\ntags=['by:{query.b}']",
        "key='x:{id}'\nwhen=\"!query.a || header.x-a\"",
        "key='x:{id}:{query.b}'\ntags=['by:{query.a}']",
        "key='x:{id}'\ntags=['by:{query}']",
        "key='x:{id}'\ntags=['by:{query.a}']\nquery.unnamed='strip'",
        "key='x:{id}'\ntags=['by:{query.a}']\nquery.ignore=['b*']",
    ] {
        assert_eq!(route(lines), "c028", "{lines}");
    }
    for lines in [
        "key='x:{id}:{query.a}'\ntags=['by:{query.a}']\nwhen='query.a'",
        "key='x:{id}:{query.b|or(query.a)}'\ntags=['by:{query.a}']",
        "key='x:{id}:{query}'\ntags=['by:{query.a}', 'all:{query}']",
        "key='x:{id}'\ntags=['by:{id}']\nwhen=\"!query.a && header.x-a\"",
        "key='x:{id}'\nbypass=\"query.a == '1'\"",
        "key='x:{id}'\ntags=['by:{query.a}']\nquery.ignore=['a*']",
        "key='x:{id}'\ntags=['by:{query.a}']\nmode='pass'",
        "tags=['by:{query.a}']\nwhen='query.b'",
    ] {
        assert_eq!(route(lines), "", "{lines}");
    }
    let found =
        findings("[[route]]\nmatch='GET /x'\nkey='x'\ntags=['{query.b}:{query.a}', 'c:{query.b}']");
    assert_eq!(found, ["warning C028 4: `b`, `a` is named by the rule, not by its key"]);
}

#[test]
fn a_body_that_is_asked_belongs_into_the_key() {
    assert_eq!(codes("[[route]]\nmatch='POST /q'\nkey='q:{query.a}'"), "C016");
    assert_eq!(codes("[[route]]\nmatch='QUERY /q'\nkey='q'"), "C016");
    assert_eq!(codes("[[route]]\nmatch='POST /q'\nkey='q:{req.body|sha256}'"), "");
    assert_eq!(codes("[[route]]\nmatch='GET|POST /q'\nkey='q'"), "");
    assert_eq!(codes("[[route]]\nmatch='PUT /q'\nkey='q'"), "C021");
}

#[test]
fn what_has_no_effect_is_said() {
    assert_eq!(codes("[[route]]\nmatch='GET /q'\nquery.ignore=['a']"), "C021");
    assert_eq!(codes("[[route]]\nmatch='GET /q'\nquery.unnamed='strip'"), "C021");
    assert_eq!(codes("[[route]]\nmatch='GET /q'\nkey='q'\nquery.sort=false"), "c021");
    assert_eq!(codes("[[route]]\nmatch='GET /q'\nkey='q:{query}'\nquery.sort=false"), "");
    assert_eq!(codes("[[route]]\nmatch='GET /q'\nkey='q:{query}'\nquery.unnamed='strip'"), "c021");
    assert_eq!(codes("[[route]]\nmatch='GET /q'\non_write.purge='key:q'"), "C021 c017");
}

#[test]
fn credentials_are_separated_and_not_shown() {
    let identity = "[[route]]\nmatch='GET /me'\nwhen='header.authorization'\nkey='me'";
    assert_eq!(codes(identity), "C012");
    assert_eq!(codes(&format!("{identity}\nshare='public'")), "");
    assert_eq!(
        codes("[[route]]\nmatch='GET /me'\nwhen='header.authorization'\nkey='me:{identity}'"),
        ""
    );
    assert_eq!(codes("[[route]]\nmatch='GET /me'\nwhen='!header.authorization'\nkey='me'"), "");
    assert_eq!(
        codes("[[route]]\nmatch='GET /me'\nwhen='header.authorization || header.x-a'\nkey='me'"),
        ""
    );
    assert_eq!(codes("[[route]]\nmatch='GET /me'\nkey='me:{cookie.sid}'"), "");
    assert_eq!(codes("[[route]]\nmatch='GET /me'\nkey='me:{query.token}'"), "c022");
    assert_eq!(codes("[[route]]\nmatch='GET /me'\nkey='me:{query.token|sha256}'"), "");
    assert_eq!(codes("[[route]]\nmatch='GET /me'\nkey='me:{query.code}'"), "");
    let tagged =
        |tag: &str| codes(&format!("[[route]]\nmatch='GET /me'\nkey='me'\ntags=['{tag}']"));
    assert_eq!(tagged("of:{header.x-api-key}"), "");
    assert!(tagged("of:{query.api_key}").contains("c022"));
    let writes = "[[route]]\nmatch='GET /me'\nkey='me:{identity}'\n\
                  [[route]]\nmatch='PUT /me'\non_write.purge=['prefix:me:{query.jwt}']\n";
    assert!(codes(writes).contains("c022"), "{}", codes(writes));
    let test = "[[route]]\nname='me'\nmatch='GET /me'\nkey='me'\n\
                [[test]]\nrequest='GET /me'\nheaders={Authorization='x'}\nroute='me'\n";
    assert_eq!(codes(test), "c012");
    assert_eq!(codes(&format!("{test}reason='credentials'")), "");
}

#[test]
fn selectors_name_something() {
    let route = |purge: &str| {
        format!(
            "[type.t]\nprefix='t:'\n[[route]]\nname='r'\nmatch='GET /p/{{id}}'\ntype='t'\n\
             key='p_{{id}}'\n\
             [[route]]\nname='w'\nmatch=['POST /p', 'PUT /p/{{id}}']\n\
             on_write.purge=[\"{purge}\"]\n"
        )
    };
    for (purge, wanted) in [
        ("key:t:p_{id}", ""),
        ("key:p_{id}", "c017"),
        ("t:p_*", ""),
        ("prefix:t:", ""),
        ("prefix:x:", "c017"),
        ("type:t", ""),
        ("type:tt", "C008"),
        ("rule:r", ""),
        ("rule:x", "C008"),
        ("tag:a", ""),
        ("tag:a:{json:/x}", ""),
        ("all", ""),
        ("tenant:a", ""),
        ("tenant:a*", "C017"),
        ("tenant:{id}", "C017"),
        ("tenant:{tenant}", "C025"),
        ("key:", "C017"),
        ("key:{id}", "C017 c017"),
        ("{json:/x}", "C017"),
        ("tag:{json:/x}", "C017"),
        ("tag:{json:/x|default(none)}", ""),
        ("type:{id}", "C017"),
        ("url:p", "C017"),
        ("url:/p/{id}", "C017"),
        ("url:/p/x?a={method}", ""),
        ("key:t:p_{nope}", "C024"),
        ("key:t:p_{id", "C010"),
    ] {
        let found = codes(&route(purge));
        assert_eq!(
            found.split(' ').next().unwrap_or_default(),
            wanted.split(' ').next().unwrap_or_default(),
            "{purge}: {found}"
        );
    }
}

#[test]
fn no_origin_is_a_warning() {
    let sources = [crate::rules::Source { name: "r.toml".into(), text: "version = 1\n".into() }];
    let loaded = load(&sources, &LoadContext::default()).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    let with = LoadContext { origin: Some("http://127.0.0.1:1".into()), ..LoadContext::default() };
    let loaded = load(&sources, &with).unwrap();
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.book.default_origin, Some(0));
}
