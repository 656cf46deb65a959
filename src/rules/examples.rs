//! The rules that the repository ships load without a word and pass their own tests.

use super::samples::shown;
use super::{LoadContext, Source, load, testblock};

fn check(name: &str, text: &str, origin: Option<&str>) {
    let source = Source { name: name.into(), text: text.into() };
    let ctx = LoadContext { origin: origin.map(Into::into), ..LoadContext::default() };
    let loaded = load(&[source], &ctx).unwrap_or_else(|all| panic!("{}", shown(&all)));
    assert!(loaded.warnings.is_empty(), "{}", shown(&loaded.warnings));
    let results = testblock::run(&loaded.book);
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
fn fmgo() {
    check("fmgo", include_str!("../../rules/examples/fmgo/rules.toml"), None);
}

#[test]
fn central_cache() {
    check("central-cache", include_str!("../../rules/examples/central-cache/rules.toml"), None);
}

#[test]
fn demo() {
    let rules = include_str!("../../rules/examples/demo/rules.toml");
    check("demo", rules, Some("http://127.0.0.1:8000"));
}

const README: &str = include_str!("../../rules/README.md");

#[test]
fn the_reference_names_every_field() {
    for (table, fields) in super::document::all_fields() {
        for field in fields {
            let named = |form: &str| README.contains(form);
            assert!(
                named(&format!("`{field}`"))
                    || named(&format!(".{field}`"))
                    || named(&format!("`{field}."))
                    || named(&format!("[{field}"))
                    || named(&format!("{field} = ")),
                "`{field}` of {table} is not in rules/README.md"
            );
        }
    }
}

#[test]
fn whole_files_in_the_reference_load_and_pass() {
    let blocks = README.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole: Vec<_> = blocks.filter(|block| block.starts_with("version = 1")).collect();
    assert_eq!(whole.len(), 2);
    for text in whole {
        let source = Source { name: "README.md".into(), text: text.into() };
        let loaded = load(&[source], &LoadContext::default());
        let book = loaded.unwrap_or_else(|all| panic!("{}", shown(&all))).book;
        let results = testblock::run(&book);
        let failures: Vec<_> = results.iter().filter_map(testblock::TestResult::failure).collect();
        assert!(!results.is_empty() && failures.is_empty(), "{}", shown(&failures));
    }
}
