use super::*;

#[test]
fn memory_is_told_as_people_read_it() {
    let told = [(0, "0B"), (1_023, "1023B"), (1_536, "1.5K"), (2_621_440, "2.5M"), (1 << 31, "2G")];
    for (bytes, text) in told {
        assert_eq!(memory(bytes), text);
    }
}

#[test]
fn texts_become_what_keys_hold() {
    assert_eq!(stored("stats:a b:ñ:%3A"), "stats:a%20b:%C3%B1:%3A");
    assert_eq!(globbed("stats:*:days:*").unwrap(), "stats:*:days:*");
    for wrong in ["a?", "[ab]", "a\\*"] {
        assert!(globbed(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_pattern_takes_nothing_of_another_type() {
    let kind = |name: &str, prefix: &str| Kind {
        name: name.into(),
        prefix: prefix.to_owned(),
        ..Kind::default()
    };
    let kinds = [Kind::default(), kind("dte", "dte:"), kind("token", "token:")];
    let of = |kinds: &[Kind], tipo: &str, patron: Option<&str>| {
        let asked =
            OfType { tipo: tipo.to_owned(), patron: patron.map(str::to_owned), dry_run: false };
        within(kinds, &asked).map(|selector| selector.to_string()).ok()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of(&kinds, "dte", Some("dte:76*")), some("pattern:dte:76*"));
    assert_eq!(of(&kinds, "dte", Some("dte:76-1")), some("key:dte:76-1"));
    for whole in [None, Some("*")] {
        assert_eq!(of(&kinds, "dte", whole), some("type:dte"));
    }
    for (tipo, patron) in [("dte", "token:*"), ("dte", "d*"), ("other", "dte:*"), ("", "*")] {
        assert_eq!(of(&kinds, tipo, Some(patron)), None, "{tipo} {patron}");
    }
    let shared = [kind("dte", "dte:"), kind("old", "dte:old:")];
    assert_eq!(of(&shared, "dte", Some("dte:*")), None);
    assert_eq!(of(&shared, "dte", Some("dte:7*")), some("pattern:dte:7*"));
    assert_eq!(of(&shared, "old", Some("dte:old:*")), None);
}
