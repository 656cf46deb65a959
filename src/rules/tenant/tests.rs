use proptest::prelude::*;

use super::super::Rulebook;
use super::super::samples::{Request, book, findings};
use super::*;
use crate::entry::order::Selector;

/// Rules with this block, one route that names a part `org`, and one for all.
fn rules(block: &str) -> Rulebook {
    book(&format!(
        "[tenant]\n{block}\n[[route]]\nmatch = 'GET /o/{{org}}/{{id}}'\n[[route]]\n\
         match = 'GET /all/{{id}}'\ntenant = 'none'\n[[route]]\nmatch = 'GET /a/{{id}}'\n"
    ))
}

fn of(book: &Rulebook, request: &Request, trusted: bool) -> Tenant {
    let asked = Asked { trusted, ..request.asked() };
    book.route(&asked).map_or_else(|| book.unrouted(&asked), |(_, captures)| captures).tenant
}

/// The name, or `!` before the reason where the request is refused.
fn told(book: &Rulebook, request: &Request, trusted: bool) -> String {
    match of(book, request, trusted) {
        Tenant::Shared => "shared".to_owned(),
        Tenant::Of(name) => name.to_string(),
        Tenant::Unknown(why) => format!("{}{}", if why.refused { "!" } else { "" }, why.why),
    }
}

#[test]
fn all_that_name_it_must_agree() {
    let rules = rules("from = ['org', 'header.x-tenant']");
    let ask = |line: &str| Request::new(line);
    assert_eq!(told(&rules, &ask("GET /o/acme/1"), true), "acme");
    assert_eq!(told(&rules, &ask("GET /o/a%20b/1"), true), "a%20b");
    let both = |value: &str| ask("GET /o/acme/1").with("x-tenant", value);
    assert_eq!(told(&rules, &both("acme"), true), "acme");
    let differ = "!`org` and `header.x-tenant` name different tenants";
    assert_eq!(told(&rules, &both("other"), true), differ);
    let twice = ask("GET /a/1").with("x-tenant", "a").with("x-tenant", "b");
    assert!(told(&rules, &twice, true).starts_with("!`header.x-tenant` and"));
    assert_eq!(told(&rules, &ask("GET /a/1"), true), "`header.x-tenant` is not there");
    assert_eq!(told(&rules, &ask("GET /all/1").with("x-tenant", "a"), true), "shared");
    assert_eq!(told(&rules, &ask("GET /elsewhere").with("x-tenant", "a"), true), "a");
}

#[test]
fn a_field_counts_only_from_peers() {
    let rules = rules("from = ['header.x-tenant', 'cookie.org', 'host']\nrequired = true");
    let ask = || Request::new("GET /a/1").host("Acme.example:81");
    assert_eq!(told(&rules, &ask(), false), "acme.example");
    assert_eq!(told(&rules, &ask().with("x-tenant", "acme.example"), false), "acme.example");
    // An application that reads it as the other would take this for the tenant.
    let said = told(&rules, &ask().with("x_tenant", "b"), false);
    assert!(said.starts_with('!') && said.contains("counts only from trust.peers"), "{said}");
    for (name, value) in [("x-tenant", "b"), ("cookie", "org=b"), ("x-tenant", "")] {
        let said = told(&rules, &ask().with(name, value), false);
        assert!(said.starts_with('!') && said.contains("counts only from trust.peers"), "{said}");
        let said = told(&rules, &ask().with(name, value), true);
        assert!(said.starts_with('!') && said.contains("different tenants"), "{said}");
    }
    let rules = self::rules("from = 'header.x-tenant'");
    let said = told(&rules, &ask().with("x-tenant", "b"), false);
    assert_eq!(said, "`header.x-tenant` names one, but counts only from trust.peers");
}

#[test]
fn the_whole_name_fits_the_pattern() {
    let rules = rules("from = ['header.x-tenant']\npattern = '[a-z]{3,5}'\nrequired = true");
    let ask = |value: &str| told(&rules, &Request::new("GET /a/1").with("x-tenant", value), true);
    assert_eq!(ask("acme"), "acme");
    for wrong in ["ac", "acme-1", "Acme", "acmeacme"] {
        assert_eq!(ask(wrong), "!what `header.x-tenant` says does not fit `pattern`");
    }
    let long = "a".repeat(TENANT_BYTES_MAX + 1);
    for wrong in ["", &long] {
        assert!(ask(wrong).contains("is no name"), "{wrong}");
    }
}

#[test]
fn texts_and_conditions_have_it_as_any_value() {
    let rules = book(
        "[tenant]\nfrom = 'header.t'\n[[route]]\nname = 'ab'\nmatch = 'GET /a/{id}'\nwhen = \"tenant == 'a b'\"\n\
         key = 'special:{id}'\n[[route]]\nmatch = 'GET /a/{id}'\nkey = 'of:{tenant}:{id}'\n\
         tags = ['t:{tenant|sha256}', 't:{tenant}']\n[[route]]\nmatch = 'PUT /a/{id}'\n\
         on_write.purge = ['tag:t:{tenant}', 'tenant:{tenant}', 'tenant:fixed', 'key:of:{tenant|default(x)}:1']\n",
    );
    let ask = |line: &str, name: &str| Request::new(line).with("t", name);
    assert_eq!(ask("GET /a/1", "a b").key(&rules).unwrap(), "special:1");
    assert_eq!(ask("GET /a/1", "a:b").key(&rules).unwrap(), "of:a%3Ab:1");
    let purges = ask("PUT /a/1", "a:b").purges(&rules, None, None);
    assert_eq!(purges, ["tag:t:a%3Ab", "tenant:a%3Ab", "tenant:fixed", "key:of:a%3Ab:1"]);
    // What is of nobody may be anybody's.
    let purges = Request::new("PUT /a/1").purges(&rules, None, None);
    assert_eq!(purges, ["!tag:t:*", "!all", "tenant:fixed", "key:of:x:1"]);
}

#[test]
fn the_key_of_a_target_is_its_tenants_where_that_is_known() {
    let rules = book(
        "[tenant]\nfrom = 'header.t'\n[[route]]\nmatch = 'GET /a/{id}'\nkey = 'of:{tenant}:{id}'\n\
         [[route]]\nmatch = 'GET /b/{id}'\nkey = '{tenant}:{id}'\n",
    );
    let selector = |line: &str, name: Option<&str>| {
        let request = Request::new(line);
        let request = if let Some(name) = name { request.with("t", name) } else { request };
        let (route, captures) = rules.route(&request.asked()).unwrap();
        route.key_selector(&request.asked(), &captures).unwrap().to_string()
    };
    assert_eq!(selector("GET /a/1", Some("x")), "key:of:x:1");
    assert_eq!(selector("GET /a/1", None), "pattern:of:*:1");
    assert_eq!(selector("GET /b/1", Some("x")), "key:x:1");
    assert_eq!(selector("GET /b/1", None), "rule:GET /b/{id}");
}

#[test]
fn what_is_wrong_is_told() {
    let route = "[[route]]\nmatch = 'GET /a/{org}'\n";
    for (block, wanted) in [
        ("from = []", "error C004"),
        ("from = 'query.t'", "error C003"),
        ("from = 'tenant'", "error C003"),
        ("from = 'jwt.tenant_id'", "error C006"),
        ("from = 'header.authorization'", "error C003"),
        ("from = 'header.a b'", "error C003"),
        ("from = 'orgs'", "error C024"),
        ("from = 'host'\npattern = 'a('", "error C003"),
        ("from = 'host'\nmax_size = '1MB'", "error C006"),
        ("from = 'cookie.t'", "warning C031"),
    ] {
        let all = findings(&format!("[tenant]\n{block}\n{route}"));
        assert!(all.iter().any(|one| one.starts_with(wanted)), "{block}: {all:?}");
    }
    assert!(findings(&format!("[tenant]\nfrom = ['org', 'host']\n{route}")).is_empty());
    for (text, wanted) in [
        ("tenant = 'none'\n", "error C021"),
        ("key = 'a:{tenant}'\n", "error C025"),
        ("when = 'tenant'\n", "error C025"),
        ("tags = 'a:{tenant}'\n", "error C025"),
    ] {
        let all = findings(&format!("{route}{text}"));
        assert!(all.iter().any(|one| one.starts_with(wanted)), "{text}: {all:?}");
    }
    let none = format!("[tenant]\nfrom = 'host'\n{route}tenant = 'none'\nkey = 'a:{{tenant}}'\n");
    assert!(findings(&none).iter().any(|one| one.contains("says tenant = \"none\"")));
}

proptest! {
    /// Two names are never one, and a name comes back as it was sent.
    #[test]
    fn names_stay_apart(one in "[ -~]{1,12}", other in "[ -~]{1,12}") {
        let rules = rules("from = ['header.x-tenant']");
        let ask = |name: &str| of(&rules, &Request::new("GET /a/1").with("x-tenant", name), true);
        let (a, b) = (ask(&one), ask(&other));
        prop_assert_eq!(one == other, a == b);
        prop_assert_eq!(a.datum().unwrap().bytes.into_owned(), one.into_bytes());
        let named = format!("tenant:{}", a.name().unwrap());
        prop_assert_eq!(named.parse::<Selector>().unwrap().to_string(), named);
    }
}
