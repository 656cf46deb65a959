//! What is refused, and how it is told.

use crate::rules::samples::{findings, findings_of, source};
use crate::rules::{LoadContext, Source, load};

fn file(name: &str, text: &str) -> Source {
    Source { name: name.into(), text: format!("version = 1\n{text}") }
}

#[test]
fn what_later_versions_bring_is_refused_by_name() {
    let cases = [
        ("[jwt]\n", "`jwt`"),
        ("[[route]]\nmatch='GET /a'\nshare = 'granted'\n", "`granted`"),
        ("[[route]]\nmatch='GET /a'\nmode = 'shadow'\n", "`shadow`"),
        ("[[route]]\nmatch='GET /a'\norigin = ['a', 'b']\n", "a list of origins"),
        ("[[route]]\nmatch='GET /a'\nttl = { from = 'json:/a' }\n", "ttl = { from"),
        ("[[route]]\nmatch='GET /a'\nttl = { by = 'json:/a', map = {} }\n", "ttl = { by"),
        ("[[route]]\nmatch='GET /a'\nttl = { adaptive = 'peak' }\n", "ttl = { adaptive"),
        ("[origin.x]\nurl = 'https://a'\n", "TLS to an origin"),
        ("[[route]]\nmatch='GET /a'\nkey = '{jwt.sub}'\n", "`jwt`"),
        ("[tenant]\nfrom = 'jwt.tenant_id'\n", "`jwt`"),
    ];
    let fields = [
        "keys",
        "levels",
        "store_at",
        "require",
        "refresh_ahead",
        "jitter",
        "grant_ttl",
        "response",
        "count",
        "when_store_down",
        "fallback_on",
    ];
    for (text, word) in cases {
        let all = findings(text);
        let told = all.iter().any(|one| {
            one.starts_with("error C006") && one.contains(word) && one.contains("not built yet")
        });
        assert!(told, "{text}: {all:?}");
    }
    for field in fields {
        let all = findings(&format!("[[route]]\nmatch = 'GET /a'\n{field} = 1\n"));
        assert_eq!(all.len(), 1, "{all:?}");
        let last = field.rsplit('.').next().unwrap();
        assert!(all[0].contains(&format!("`{last}` is not built yet")), "{all:?}");
    }
    for field in ["urls", "queue", "health", "tls"] {
        let all = findings(&format!("[origin.x]\nurl = 'http://a'\n{field} = 1\n"));
        assert!(all[0].contains("not built yet"), "{all:?}");
    }
}

#[test]
fn statuses_that_no_rule_stores_are_refused() {
    for code in [206, 304, 401, 403, 407, 429, 500, 503, 599, 100, 600, 42] {
        for field in [format!("status = [{code}]"), format!("status_ttl = {{ {code} = '1s' }}")] {
            for place in ["[[route]]\nmatch='GET /a'\n", "[type.t]\n", "[defaults]\n"] {
                let all = findings(&format!("{place}{field}\n"));
                assert!(all.iter().any(|one| one.starts_with("error C018")), "{code}: {all:?}");
            }
        }
    }
    assert!(
        findings("[[route]]\nmatch='GET /a'\nstatus_ttl = { 404 = '1s', 302 = 5 }\n").is_empty()
    );
}

#[test]
fn wrong_values_are_told_wherever_they_stand() {
    for (text, code) in [
        ("[[route]]\nmatch='GET /a'\nttl = '@nope'\n", "C008"),
        ("[type.t]\nttl = '@nope'\n", "C008"),
        ("[defaults]\nttl = '@nope'\n", "C008"),
        ("[ttl]\na = '@b'\n", "C003"),
        ("[[route]]\nmatch='GET /a'\nttl = '100000w'\n", "C003"),
        ("[[route]]\nmatch='GET /a'\ntype = 'nope'\n", "C008"),
        ("[[route]]\nmatch='GET /a'\norigin = 'nope'\n", "C008"),
        ("[defaults]\norigin = 'nope'\n", "C008"),
        ("[[route]]\nmatch='GET /a'\ncontent_type = 'json'\n", "C003"),
        ("[[route]]\nmatch='GET /a'\ncontent_type = 'text/*'\n", "C003"),
        ("[[route]]\nmatch='GET /a'\nhost = 'a b'\n", "C003"),
        ("[[route]]\nmatch='GET /a'\nname = 'none'\n", "C003"),
        ("[[route]]\nmatch='PUT /a'\non_write.when = ['6xx']\n", "C003"),
        ("[[route]]\nname = 'x'\n", "C004"),
        ("[[route]]\nmatch='GET a'\n", "C009"),
        ("[[route]]\nmatch_regex='GET (a'\n", "C009"),
        ("[[route]]\nmatch_regex='GET /(?<host>a)'\n", "C009"),
        ("[[route]]\nmatch='GET /a'\nwhen='x ='\n", "C024"),
        ("[[route]]\nmatch='GET /a'\nwhen='query.x ='\n", "C011"),
        ("[origin.x]\nurl = 'ftp://a'\n", "C003"),
        ("[origin.x]\nurl = 'http://u:p@a'\n", "C003"),
        ("[origin.x]\nurl = 'http://a/path'\n", "C003"),
        ("[origin.x]\nhosts = 'a'\n", "C004"),
        ("[origin.x]\nurl = 'http://a'\ntimeout = '0s'\n", "C003"),
        ("[origin.x]\nurl = 'http://a'\nmax_concurrent = 0\n", "C003"),
        ("[origin.'a b']\nurl = 'http://a'\n", "C003"),
        ("[type.none]\n", "C003"),
        ("[type.t]\nprefix = 'a b'\n", "C003"),
        ("[credentials]\nheaders = ['a b']\n", "C003"),
        ("ttl = '5m'\n", "C003"),
    ] {
        let all = findings(text);
        assert!(all.iter().any(|one| one.starts_with(&format!("error {code}"))), "{text}: {all:?}");
        assert_eq!(all.len(), 1, "{text}: {all:?}");
    }
}

#[test]
fn windows_that_cannot_open_are_warned_about() {
    let rules = "[[route]]\nmatch='GET /a'\nttl='forever'\nstale_while_revalidate='1s'\n\
                 stale_if_error='1s'\n\
                 [[route]]\nmatch='GET /b'\nttl='0s'\nstale_while_revalidate='1s'\n";
    let all = findings(rules);
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one.starts_with("warning C019")), "{all:?}");
}

#[test]
fn a_field_in_the_wrong_table_is_sent_home() {
    let help = |text: &str| {
        let all = load(&[file("r.toml", text)], &LoadContext::default()).unwrap_err();
        format!("{} | {}", all[0].message, all[0].help.clone().unwrap_or_default())
    };
    assert_eq!(
        help("[type.token]\nversion = 1\n"),
        "`version` is not a field of [type.token] | did you mean it for the top of the file? it \
         must stand above the first [table]"
    );
    assert_eq!(
        help("[[route]]\nmatch = 'GET /a'\nprefix = 'x'\n"),
        "`prefix` is not a field of [[route]] | `prefix` is a field of [type.NAME]"
    );
    assert_eq!(
        help("[[route]]\nmatch = 'GET /a'\nquery.srot = true\n"),
        "`srot` is not a field of `query` of [[route]] | did you mean `sort`?"
    );
}

#[test]
fn all_errors_of_all_files_are_told_at_once() {
    let files = [
        file("a.toml", "[[route]]\nmatch = 'GET a'\nttl = '5'\ntype = 'x'\nzzz = 1\n"),
        file("b.toml", "[[route]]\nmatch = 'GET /b'\nkey = '{nope}'\nwhen = '('\n"),
    ];
    let all = findings_of(&files);
    assert_eq!(all.len(), 6, "{all:#?}");
    let broken =
        [file("a.toml", "x = \n"), file("b.toml", "[[route]]\nmatch='GET /b'\ntype='t'\nfoo=1\n")];
    let all = findings_of(&broken);
    assert_eq!(all.len(), 2, "what the broken file may define is not missed: {all:#?}");
}

#[test]
fn the_version_is_asked_for() {
    let all = |text: &str| findings_of(&[Source { name: "r.toml".into(), text: text.into() }]);
    assert!(all("").iter().any(|one| one.starts_with("error C004") && one.contains("version")));
    assert_eq!(
        all("version = 2\nnew = 1\n"),
        ["error C005 1: this file is written for version 2 of the rules"]
    );
    assert!(all("version = '1'\n")[0].starts_with("error C003"));
    let json = Source {
        name: "r.rules.json".into(),
        text: r#"{"version":1,"origin":{"o":{"url":"http://a"}}}"#.into(),
    };
    assert!(findings_of(&[json]).is_empty());
}

#[test]
fn json_has_the_same_shape_and_the_same_errors() {
    let text = "{\n \"version\": 1,\n \"origin\": {\"o\": {\"url\": \"http://a\"}},\n \"route\": \
                [\n  \
                {\"match\": \"GET /a/{id}\", \"key\": \"{di}\"}\n ]\n}\n";
    let all = load(&[Source { name: "r.json".into(), text: text.into() }], &LoadContext::default())
        .unwrap_err();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].place.as_ref().unwrap().line_column(), (5, 37));
    assert!(all[0].render(false).contains("did you mean `id`?"));
}

#[test]
fn a_caret_stands_under_what_is_meant() {
    let all = load(&[source("[[route]]\nmatch = \"GET /a/{id:itn}\"\n")], &LoadContext::default());
    let text = all.unwrap_err()[0].render(false);
    let lines: Vec<_> = text.lines().collect();
    let code = lines.iter().position(|line| line.contains("match =")).unwrap();
    let column = lines[code].find("{id:itn}").unwrap();
    assert_eq!(lines[code + 1].find("^^^^^^^^"), Some(column), "{text}");
}

proptest::proptest! {
    #[test]
    fn no_file_panics(text in proptest::prelude::any::<String>()) {
        drop(findings_of(&[
            Source { name: "a.toml".into(), text: text.clone() },
            Source { name: "a.json".into(), text },
        ]));
    }

    #[test]
    fn no_route_panics(
        line in "(GET|POST|\\*|\\||/|a|\\{b\\}|\\{c\\.\\.\\.\\}| ){0,8}",
        key in "(a|:|\\{b\\}|\\{query\\}|\\{query\\.x\\|default\\(1\\)\\}|\\*|\\{){0,6}",
        purge in "(key:|tag:|prefix:|url:|all|\\{b\\}|\\{json:/x\\}|/|\\*){0,5}",
    ) {
        drop(findings(&format!("[[route]]\nmatch='{line}'\nkey='{key}'\non_write.purge='{purge}'\n\
                                ")));
    }
}
