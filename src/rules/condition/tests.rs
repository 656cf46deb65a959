use proptest::prelude::{any as arbitrary, proptest};

use super::*;
use crate::rules::samples::{Request, book};

fn holds(when: &str, request: &Request) -> bool {
    let rules =
        format!("[[route]]\nname = 'a'\nmatch = '* /x/{{id}}'\nwhen = \"\"\"{when}\"\"\"\n");
    request.route(&book(&rules)).is_some()
}

fn at(target: &str) -> Request {
    Request::new(&format!("GET {target}"))
}

#[test]
fn values_are_tested_as_written() {
    let request = at("/x/7?a=1&b=%20&c=&d=x&d=y").with("x-h", "A, B").with("cookie", "s=1; t=2");
    for (when, wanted) in [
        ("id == '7'", true),
        ("id == 7", true),
        ("id == '07'", false),
        ("query.a", true),
        ("query.zz", false),
        ("query.c", true),
        ("query.c == ''", true),
        ("query.b == ' '", true),
        ("!query.zz", true),
        ("query.zz != 'x'", true),
        ("query.zz == ''", false),
        ("query.zz in ['', 'x']", false),
        ("query.zz < 5", false),
        ("query.d == 'y'", true),
        ("query.d != 'y'", true),
        ("query.d != 'x' && query.d != 'y'", true),
        ("query.a < 2 && query.a >= 1", true),
        ("query.d < 2", false),
        ("query.a in ['0', 1]", true),
        ("header.X-H =~ 'A.*'", true),
        ("header.x-h =~ 'A'", false),
        ("header.x-h|lower == 'a, b'", true),
        ("cookie.t == '2'", true),
        ("method == 'GET'", true),
        ("host == 'shop.example'", true),
        ("path == '/x/7'", true),
        ("query.zz|or(query.a) == '1'", true),
        ("query.zz|default(q) == 'q'", true),
        ("query.d|after(q)|default(z) == 'z'", true),
        ("query", true),
        ("(query.zz || query.a) && !(id == 8)", true),
        ("query.zz || query.a && id == 8", false),
        ("query.a||query.zz", true),
        ("id in['7']", true),
        ("header.x-h|take(1) == 'A'", true),
    ] {
        assert_eq!(holds(when, &request), wanted, "{when}");
    }
}

#[test]
fn a_quote_inside_a_text_is_written_twice() {
    assert!(holds("query.q == 'it''s'", &at("/x/7?q=it%27s")));
}

#[test]
fn an_opt_out_is_honoured_in_all_its_spellings() {
    let when = "query.use_cache|lower in ['false', '0', 'no', 'off']";
    for value in ["false", "FALSE", "0", "No", "off", "%66alse", "true&use_cache=off"] {
        assert!(holds(when, &at(&format!("/x/7?use_cache={value}"))), "{value}");
    }
    for value in ["true", "1", "", "falsey"] {
        assert!(!holds(when, &at(&format!("/x/7?use_cache={value}"))), "{value}");
    }
    assert!(!holds(when, &at("/x/7")));
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    for (text, at, wanted) in [
        ("query.a = '1'", 8, "unexpected `=`"),
        ("query.a == \"1\"", 11, "single quotes"),
        ("query.a == '1", 11, "no closing quote"),
        ("query.a =~ '('", 11, "unclosed group"),
        ("query.a =~ ')('", 11, "unopened group"),
        ("query.a =~ x", 11, "single quotes"),
        ("query.a < 'x'", 8, "compares with an integer"),
        ("(query.a", 0, "not closed"),
        ("query.a query.b", 8, "unexpected `q`"),
        ("query.a in ['x' 'y']", 16, "expected `,`"),
        ("nope == 1", 0, "no match of this route"),
        ("", 0, "expected a value"),
        ("query.a &&", 10, "expected a value"),
        ("req.json:/a == 1", 0, "not known"),
        ("json:/a", 0, "not known"),
        ("identity", 0, "not known"),
        ("jwt.sub == 'x'", 0, "not built yet"),
        ("query.a|upper == 'x'", 8, "not a filter"),
        ("query.a == 99999999999999999999", 11, "an integer"),
        ("header.a@b", 0, "not a field"),
    ] {
        let slip = Condition::parse(text, &Names::default()).unwrap_err();
        assert!(slip.message.contains(wanted), "{text}: {}", slip.message);
        assert_eq!(slip.range.start, at, "{text}");
    }
    let deep = format!("{}query.a{}", "(".repeat(1_000), ")".repeat(1_000));
    assert!(Condition::parse(&deep, &Names::default()).is_err());
    assert!(Condition::parse(&"!".repeat(100_000), &Names::default()).is_err());
}

#[test]
fn an_expression_cannot_take_all_memory() {
    let text = "query.a =~ '((a{1000}){1000}){1000}'";
    assert!(Condition::parse(text, &Names::default()).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in arbitrary::<String>()) {
        drop(Condition::parse(&text, &Names::default()));
    }

    #[test]
    fn no_condition_like_text_panics(
        text in "(query\\.a|header\\.b|'x'|==|!=|<|in|=~|\\[|\\]|\\(|\\)|!|&&|\\|\\||,| \
                 |1|\\|lower|or\\(){0,12}",
    ) {
        drop(Condition::parse(&text, &Names::default()));
    }
}
