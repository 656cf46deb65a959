//! Canonical JSON (RFC 8785): one text for all spellings of a document, so that a question asked
//! twice has one key. Integers keep all their digits, as RFC 8785, section 3.2.2.3 would only after
//! rounding them: two questions that differ beyond the 53rd bit must not get one answer.

use std::fmt::Write;

use super::node::{Member, Node, Value};

/// The canonical text of a document.
pub(crate) fn of(node: &Node) -> String {
    let mut out = String::new();
    write_node(node, &mut out);
    out
}

fn write_node(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Int(digits) => out.push_str(digits),
        Value::Float(number) => write_number(*number, out),
        Value::Text(text) => write_text(text, out),
        Value::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_node(item, out);
            }
            out.push(']');
        }
        Value::Table(members) => write_table(members, out),
    }
}

/// Members in the order of their names as UTF-16 (RFC 8785, 3.2.3).
fn write_table(members: &[Member], out: &mut String) {
    let mut sorted: Vec<&Member> = members.iter().collect();
    sorted.sort_by(|a, b| a.name.encode_utf16().cmp(b.name.encode_utf16()));
    out.push('{');
    for (n, member) in sorted.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_text(&member.name, out);
        out.push(':');
        write_node(&member.node, out);
    }
    out.push('}');
}

/// Only what must be escaped is, in the shortest way (RFC 8785, 3.2.2.2).
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// As ECMAScript prints a number: the shortest digits that read back as the same, plain between
/// 1e-6 and 1e21, with an exponent beyond.
fn write_number(number: f64, out: &mut String) {
    if number == 0.0 {
        return out.push('0');
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The decimal point stands behind this many digits.
    let point = exponent + 1;
    out.push_str(sign);
    if count <= point && point <= 21 {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', (point - count).unsigned_abs() as usize));
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(point.unsigned_abs() as usize);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else if -6 < point && point <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
        out.push_str(&digits);
    } else {
        let (whole, fraction) = digits.split_at(1);
        out.push_str(whole);
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
        let sign = if exponent > 0 { "+" } else { "" };
        // A String takes everything.
        _ = write!(out, "e{sign}{exponent}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::Json;
    use super::*;

    fn canonical(text: &str) -> String {
        of(Json::read(text.as_bytes()).unwrap().root())
    }

    #[test]
    fn numbers_print_as_ecmascript_prints_them() {
        // RFC 8785, appendix B, and its example.
        let cases = [
            ("333333333.33333329", "333333333.3333333"),
            ("1E30", "1e+30"),
            ("4.50", "4.5"),
            ("2e-3", "0.002"),
            ("0.000000000000000000000000001", "1e-27"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("295147905179352830000.0", "295147905179352830000"),
            ("999999999999999900000.0", "999999999999999900000"),
            ("1e21", "1e+21"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("-0.0", "0"),
            ("-0", "0"),
            ("-1.50", "-1.5"),
            ("10.0", "10"),
            ("1e2", "100"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ];
        for (text, wanted) in cases {
            assert_eq!(canonical(text), wanted, "{text}");
        }
    }

    #[test]
    fn texts_and_order_follow_rfc_8785() {
        let text = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return",
            "\ufb33":"Hebrew Letter Dalet With Dagesh",
            "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
            "\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let wanted =
            ["Carriage Return", "One", "Control", "Latin Small", "Euro Sign", "Emoji", "Hebrew"];
        let out = canonical(text);
        let places: Vec<_> = wanted.iter().map(|word| out.find(word).unwrap()).collect();
        assert!(places.is_sorted(), "{out}");
        let text = r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#;
        assert_eq!(canonical(text), "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
        assert_eq!(
            canonical(" { \"b\" : [ 1 , null , true ] , \"a\" : { } } "),
            r#"{"a":{},"b":[1,null,true]}"#
        );
    }

    proptest! {
        #[test]
        fn it_reads_back_as_the_same(
            number in any::<f64>().prop_filter("finite", |n| n.is_finite()),
        ) {
            let mut out = String::new();
            write_number(number, &mut out);
            let same = out.parse::<f64>().unwrap();
            // Zero has two signs and one text.
            let equal = same.to_bits() == number.to_bits() || number == 0.0;
            prop_assert!(equal, "{} became {}", number, out);
        }

        #[test]
        fn canonical_text_is_canonical(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let once = canonical(&quoted);
            prop_assert_eq!(canonical(&once), once.clone());
            prop_assert_eq!(serde_json::from_str::<String>(&once).unwrap(), text);
        }
    }
}
