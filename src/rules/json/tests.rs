use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> Option<String> {
    Json::read(text.as_bytes()).ok().map(|json| super::super::canonical::of(json.root()))
}

#[test]
fn what_is_not_json_has_no_parts() {
    let wrong = [
        "",
        " ",
        "nul",
        "tru",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "[1,]",
        "[1",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "1 2",
        "NaN",
        "Infinity",
        "1e999",
        "\u{feff}1",
        "// a\n1",
    ];
    for text in wrong {
        assert!(Json::read(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Json::read(b"\"\xff\"").is_err());
}

#[test]
fn a_member_twice_is_refused_in_small_and_large_tables() {
    assert!(Json::read(br#"{"a":1,"b":2,"a":1}"#).is_err());
    let name = |n: usize| format!("\"k{n}\":{n}");
    let many: Vec<_> = (0..100).map(name).collect();
    let text = format!("{{{}}}", many.join(","));
    assert!(Json::read(text.as_bytes()).is_ok());
    let error = Json::read(format!("{{{},\"k3\":1}}", many.join(",")).as_bytes()).unwrap_err();
    assert_eq!(error.what, "`k3` stands twice in one object");
    // An escaped name is the same name.
    assert!(Json::read(br#"{"a":1,"\u0061":2}"#).is_err());
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::read(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
    assert!(Json::read(nested(JSON_DEPTH_MAX + 2).as_bytes()).is_err());
    assert!(Json::read("[".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn surrogates_come_in_pairs() {
    assert_eq!(canonical(r#""\ud83d\ude00""#).unwrap(), "\"\u{1f600}\"");
    for half in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dx""#, r#""\ud83d\u0041""#] {
        assert!(Json::read(half.as_bytes()).is_err(), "{half}");
    }
}

#[test]
fn places_are_told_for_rules_files() {
    let node = read_text("{\n \"a\": tru }", 3).unwrap_err();
    assert_eq!(node.span, 8..9);
    let node = read_text(r#"{"a": 12}"#, 3).unwrap();
    let Value::Table(members) = node.value else { panic!("a table") };
    let spot = |spot: Spot| (spot.file, spot.start, spot.end);
    assert_eq!(spot(members[0].name_spot), (3, 1, 4));
    assert_eq!(spot(members[0].node.spot), (3, 6, 8));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(Json::read(&bytes));
    }

    #[test]
    fn no_json_like_text_panics(text in r#"[\[\]{}:,"\\u0-9a-f.eE+\- ]{0,40}"#) {
        drop(Json::read(text.as_bytes()));
    }

    #[test]
    fn it_takes_what_serde_takes_and_nothing_else(text in r#"[\[\]{}:,"\\ntu0-9a.eE\-]{0,12}"#) {
        let ours = Json::read(text.as_bytes());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let twice = ours.as_ref().is_err_and(|error| error.what.contains("twice"));
        let beyond = ours.as_ref().is_err_and(|error| error.what.contains("beyond"));
        prop_assert!(ours.is_ok() == theirs.is_ok() || twice || beyond, "{}", text);
    }
}
