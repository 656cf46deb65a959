use super::*;

document! {
    /// A table for the tests.
    Sample {
        r#type: At<u64>,
        sort: bool,
        size: super::super::values::Size,
    } later ["shard"]
}

fn messages(text: &str) -> Vec<String> {
    let source = super::super::diagnostic::Source { name: "r.toml".into(), text: text.into() };
    let mut found = Findings::about(std::slice::from_ref(&source));
    let node = super::super::parse::parse(&source, 0, &mut found).unwrap();
    assert!(Sample::from_node(&node, &mut found).is_some_and(|table| table.broken));
    let line = |one: super::super::diagnostic::Diagnostic| {
        format!("{} / {}", one.message, one.help.unwrap_or_default())
    };
    found.into_sorted().into_iter().map(line).collect()
}

#[test]
fn everything_wrong_is_told_at_once() {
    let all = messages("type = 'x'\nsrot = true\nsort = 1\nsize = '5 MB'\nshard = 'a'\nzzzzz = 1");
    assert_eq!(all.len(), 6, "{all:#?}");
    assert!(all[0].starts_with("expected an integer, found text"), "{all:#?}");
    assert!(all[1].ends_with("did you mean `sort`?"), "{all:#?}");
    assert!(all[2].starts_with("expected true or false, found an integer"), "{all:#?}");
    assert!(all[3].starts_with("`5 MB` is not a size"), "{all:#?}");
    assert!(all[4].starts_with("`shard` is not built yet"), "{all:#?}");
    assert!(all[5].ends_with("the fields of the top of the file are type, sort, size"));
}

#[test]
fn parts_of_a_text_have_places_where_the_text_is_plain() {
    let source = super::super::diagnostic::Source { name: "r".into(), text: "k = \"abc\"".into() };
    let found = Findings::about(std::slice::from_ref(&source));
    let text = At { value: "abc".to_owned(), spot: Spot { file: 0, start: 4, end: 9 } };
    assert_eq!(text.inside(1..2, &found), Spot { file: 0, start: 6, end: 7 });
    let other = At { value: "a\u{e9}".to_owned(), spot: text.spot };
    assert_eq!(other.inside(1..2, &found), text.spot);
}
