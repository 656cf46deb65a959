use proptest::prelude::*;

use super::*;

fn escaped(datum: &Datum<'_>) -> String {
    let mut out = String::new();
    datum.write_escaped(&mut out);
    out
}

fn query_value(raw: &str) -> String {
    escaped(&Datum::of_query(raw))
}

#[test]
fn values_are_escaped_by_the_table() {
    assert_eq!(escaped(&Datum::plain(&b"7:*"[..])), "7%3A%2A");
    assert_eq!(query_value("a%C3%B1o%20nuevo"), "a%C3%B1o%20nuevo");
    assert_eq!(query_value("a+b"), "a+b");
    assert_eq!(query_value("a%2Bb+c%2b"), "a%2Bb+c%2B");
    assert_eq!(query_value(""), "%~");
    let tail = Datum { class: Class::Tail, ..Datum::plain(&b"x/y z"[..]) };
    assert_eq!(escaped(&tail), "x/y%20z");
    assert_eq!(escaped(&Datum::plain(&b"x/y"[..])), "x%2Fy");
    assert_eq!(escaped(&Datum::plain(&b"%~"[..])), "%25~");
}

#[test]
fn json_values_have_one_text_each() {
    let text = br#"{"s":"x","i":12345678901234567890,"f":1.50,"t":true,"n":null,
        "a":[1, 2],"o":{"b":1,"a":""}}"#;
    let json = Json::read(text).unwrap();
    let part = |pointer: &str| {
        json_part(&Pointer::parse(pointer).unwrap(), &json)
            .map(|datum| String::from_utf8(datum.bytes.into_owned()).unwrap())
    };
    assert_eq!(part("/s").unwrap(), "x");
    assert_eq!(part("/i").unwrap(), "12345678901234567890");
    assert_eq!(part("/f").unwrap(), "1.5");
    assert_eq!(part("/t").unwrap(), "true");
    assert_eq!(part("/a").unwrap(), "[1,2]");
    assert_eq!(part("/o").unwrap(), r#"{"a":"","b":1}"#);
    assert_eq!(part("/n"), None);
    assert_eq!(part("/none"), None);
}

proptest! {
    #[test]
    fn escaping_is_injective(
        a in proptest::collection::vec(any::<u8>(), 0..12),
        b in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        for class in [Class::Plain, Class::Tail, Class::Query] {
            let of = |bytes: &[u8]| escaped(&Datum { class, ..Datum::plain(bytes.to_vec()) });
            prop_assert_eq!(of(&a) == of(&b), a == b);
            let plain = |b: u8| b.is_ascii_graphic() && !b"*:?,|".contains(&b);
            prop_assert!(of(&a).bytes().all(plain));
        }
    }

    #[test]
    fn query_values_differ_when_their_plain_spellings_do(
        a in "(a|\\+|%2B|%20){0,5}",
        b in "(a|\\+|%2B|%20){0,5}",
    ) {
        prop_assert_eq!(query_value(&a) == query_value(&b), a == b);
    }
}
