//! The rules that the repository ships load without a word and pass their own tests.

use super::samples::shown;
use super::{LoadContext, Source, load, testblock};

fn check(name: &str, text: &str, origin: Option<&str>) {
    let source = Source { name: name.into(), text: text.into() };
    let ctx = LoadContext { origin: origin.map(Into::into), ..LoadContext::default() };
    let loaded = load(&[source], &ctx).unwrap_or_else(|all| panic!("{}", shown(&all)));
    assert!(loaded.warnings.is_empty(), "{}", shown(&loaded.warnings));
    let results = testblock::run(&loaded.book, &|_| None);
    assert!(results.len() >= 5);
    let failures: Vec<_> = results.iter().filter_map(testblock::TestResult::failure).collect();
    assert!(failures.is_empty(), "{}", shown(&failures));
}

#[test]
fn gad() {
    check("gad", include_str!("../../rules/examples/gad/rules.toml"), None);
}

#[test]
fn electro_isla() {
    check("electro-isla", include_str!("../../rules/examples/electro-isla/rules.toml"), None);
}

#[test]
fn demo() {
    let rules = include_str!("../../rules/examples/demo/rules.toml");
    check("demo", rules, Some("http://127.0.0.1:8000"));
}
