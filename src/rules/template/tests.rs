use proptest::prelude::*;

use super::*;
use crate::rules::charset::CharSet;
use crate::rules::samples::{Request, book, findings};

fn names(list: &[&str]) -> Names {
    let mut names = Names::default();
    let parts: Vec<_> = list.iter().map(|name| (*name, CharSet::VALUE, true)).collect();
    names.add_match(&parts, true);
    names
}

fn key(template: &str, line: &str) -> Result<String, String> {
    let rules = format!(
        "[[route]]\nmatch = 'GET /productos/{{id}}'\nquery.unnamed = 'ignore'\nkey = \
         '''{template}'''\n"
    );
    Request::new(line).key(&book(&rules))
}

#[test]
fn keys_follow_the_table() {
    for (template, target, wanted) in [
        ("producto_{id}", "/productos/7", "producto_7"),
        ("producto_{id}", "/productos/7%3A*", "producto_7%3A%2A"),
        ("a:{query.q}", "/productos/1?q=a%C3%B1o%20nuevo", "a:a%C3%B1o%20nuevo"),
        ("a:{query.q}", "/productos/1?q=a+b", "a:a+b"),
        ("a:{query.q}", "/productos/1?q=a%2Bb", "a:a%2Bb"),
        ("a:{query.q}", "/productos/1?q=", "a:%~"),
        ("a:{query.q|default()}", "/productos/1", "a:"),
        ("a:{query.q|default(30)}", "/productos/1", "a:30"),
        ("a:{query.q|default(30)}", "/productos/1?q=7", "a:7"),
        ("a:{query.x|or(query.q)|default(n)}", "/productos/1?q=7", "a:7"),
        ("{{{id}}}", "/productos/7", "{7}"),
        ("año:{id}", "/productos/7", "a%C3%B1o:7"),
        ("{id|lower}", "/productos/AbC", "abc"),
        ("{path}", "/productos/7", "%2Fproductos%2F7"),
        ("{host}/{method}", "/productos/7", "shop.example/GET"),
        ("q:{query}", "/productos/7?b=2&a=%31", "q:a%3D1%26b%3D2"),
        (
            "{id|sha256}",
            "/productos/abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
    ] {
        assert_eq!(key(template, &format!("GET {target}")).as_deref(), Ok(wanted), "{template}");
    }
}

#[test]
fn head_reads_what_get_stored() {
    assert_eq!(key("{method}:{id}", "HEAD /productos/7").unwrap(), "GET:7");
}

#[test]
fn a_missing_part_leaves_no_key() {
    assert_eq!(key("a:{query.q}", "GET /productos/7").unwrap_err(), "key-part-missing query.q");
    assert_eq!(key("a:{cookie.s}", "GET /productos/7").unwrap_err(), "key-part-missing cookie.s");
    assert_eq!(key("a:{identity}", "GET /productos/7").unwrap_err(), "key-part-missing identity");
}

#[test]
fn a_key_has_a_longest_length() {
    let long = format!("GET /productos/{}", "x".repeat(KEY_BYTES_MAX));
    assert!(key("a:{id}", &long).unwrap_err().starts_with("too-large"));
    let escaped = format!("GET /productos/{}", "%20".repeat(KEY_BYTES_MAX / 2));
    assert!(key("a:{id}", &escaped).unwrap_err().starts_with("too-large"));
    assert!(key("a:{id|sha256}", &long).is_ok());
}

#[test]
fn fields_and_cookies_are_joined_not_dropped() {
    let rules = "[[route]]\nmatch = 'GET /x'\nkey = \
                 'k:{header.accept-language}:{cookie.c|default()}'\n\
                 share = 'public'\n";
    let book = book(rules);
    let request =
        Request::new("GET /x").with("accept-language", "es").with("accept-language", "en");
    assert_eq!(request.key(&book).unwrap(), "k:es%2C%20en:");
    let request =
        Request::new("GET /x").with("accept-language", "es").with("cookie", "c=1; d=2; c=3");
    assert_eq!(request.key(&book).unwrap(), "k:es:1%2C%203");
}

#[test]
fn templates_say_what_is_wrong() {
    let wrong = |text: &str, purpose: Purpose| {
        let slips = Template::parse(text, &names(&["id"]), purpose).unwrap_err();
        slips.iter().map(|slip| slip.message.clone()).collect::<Vec<_>>().join("; ")
    };
    for (text, wanted) in [
        ("a:{id", "not closed"),
        ("a:}", "closes nothing"),
        ("a:{}", "expected a value"),
        ("a:{di}", "a part `di`"),
        ("a:{query.}", "a part `query.`"),
        ("a:{id|}", "not a filter"),
        ("a:{id|uper}", "not a filter"),
        ("a:{id|take(0)}", "from 1 up"),
        ("a:{id|before()}", "the text to look for"),
        ("a:{id|default(1)|lower}", "behind default"),
        ("a:{id|or(query.x}", "closing parenthesis"),
        ("a:{req.json:id}", "not a JSON Pointer"),
        ("a:{json:/id}", "before there is an answer"),
        ("a:{id|take(3)}", "loses information"),
        ("a:{id|before(-)}", "loses information"),
        ("a:{query.q|default(a:b)}", "only what a value can"),
        ("a b:{id}", "no spaces"),
        ("a*:{id}", "a star cannot stand"),
        ("a:{jwt.sub}", "not built yet"),
    ] {
        let message = wrong(text, Purpose::Key);
        assert!(message.contains(wanted), "{text}: {message}");
    }
    assert!(Template::parse("t:{id|before(-)}:{json:/x}", &names(&["id"]), Purpose::Tag).is_ok());
    let both = wrong("a b:{id|take(2)}", Purpose::Key);
    assert!(both.contains("no spaces") && both.contains("loses information"), "{both}");
}

#[test]
fn pointers_may_be_quoted() {
    let template = Template::parse("t:{req.json:'/a|b)}'|default(x)}", &names(&[]), Purpose::Tag);
    let template = template.unwrap();
    let value = template.values().next().unwrap();
    let pointer = crate::rules::node::Pointer::parse("/a|b)}").unwrap();
    assert_eq!(value.of, ValueOf::RequestJson(pointer));
}

#[test]
fn values_that_run_together_are_found() {
    let apart = |text: &str| {
        let names = names(&["a", "b"]);
        Template::parse(text, &names, Purpose::Key).unwrap().run_together(&names).is_none()
    };
    for text in ["{a}:{b}", "{a}/{b}", "{a},{b}", "x{a}_:-{b}", "{a}", "x", "{a}?{b}:{a}"] {
        assert!(apart(text), "{text}");
    }
    for text in ["{a}{b}", "{a}_{b}", "{a}-x.{b}", "{a}:{b}{a}", "{query.q}+{b}"] {
        assert!(!apart(text), "{text}");
    }
    assert!(
        findings("[[route]]\nmatch='GET /{a}/{b...}'\nkey='{b}/{a}'")
            .iter()
            .any(|one| one.contains("C013"))
    );
    assert!(findings("[[route]]\nmatch='GET /{a}/{b...}'\nkey='{a}/{b}'").is_empty());
    assert!(findings("[[route]]\nmatch='GET /{a:int}/{b}'\nkey='{a}_{b}'").is_empty());
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        for purpose in [Purpose::Key, Purpose::Tag, Purpose::Selector, Purpose::Target] {
            drop(Template::parse(&text, &names(&["id"]), purpose));
        }
    }

    #[test]
    fn no_template_like_text_panics(
        text in "(\\{|\\}|id|query\\.a|\\||or\\(|default\\(|take\\(1|\\)|json:/|'|é| |:){0,12}",
    ) {
        drop(Template::parse(&text, &names(&["id"]), Purpose::Key));
    }

    #[test]
    fn different_values_give_different_keys(
        a in ("[a:%/_+]{1,4}", "[a:%/_+]{1,4}"),
        b in ("[a:%/_+]{1,4}", "[a:%/_+]{1,4}"),
    ) {
        let rules = "[[route]]\nmatch = 'GET /x'\nkey = 'k_{query.a}:{query.b}'\n";
        let book = book(rules);
        let encoded = |text: &str| {
            let mut out = String::new();
            text.bytes().for_each(|byte| percent::push_escaped(byte, &mut out));
            out.replace("%2F", "-")
        };
        let key = |pair: &(String, String)| {
            let line = format!("GET /x?a={}&b={}", encoded(&pair.0), encoded(&pair.1));
            Request::new(&line).key(&book).unwrap()
        };
        let plain = |pair: &(String, String)| (pair.0.replace('/', "-"), pair.1.replace('/', "-"));
        prop_assert_eq!(key(&a) == key(&b), plain(&a) == plain(&b));
    }
}
