//! As much of JSON Schema as the API's own document uses, to hold answers against it. A word that
//! it does not know ends the story: it would judge nothing.

use serde_json::Value;

/// Words that say nothing about a value.
const SILENT: [&str; 4] = ["description", "format", "default", "examples"];

/// What does not fit, with its place; nothing where all does.
pub(crate) fn misfits(document: &Value, shape: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    judge(document, shape, value, "$", &mut wrong);
    wrong
}

fn judge(document: &Value, shape: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let Some(words) = shape.as_object() else {
        assert!(shape.is_boolean(), "{at}: {shape} is no schema");
        if shape == false {
            wrong.push(format!("{at} is not told"));
        }
        return;
    };
    for (word, says) in words {
        let fits = match word.as_str() {
            "type" => is_of(says, value),
            "const" => says == value,
            "enum" => list(says).contains(value),
            "minimum" => value.as_f64().is_none_or(|own| own >= number(says)),
            "maximum" => value.as_f64().is_none_or(|own| own <= number(says)),
            "anyOf" => list(says).iter().any(|one| misfits(document, one, value).is_empty()),
            "oneOf" => {
                let fitting =
                    list(says).iter().filter(|one| misfits(document, one, value).is_empty());
                fitting.count() == 1
            }
            word if SILENT.contains(&word) => true,
            word => {
                judge_within(document, shape, word, value, at, wrong);
                true
            }
        };
        if !fits {
            wrong.push(format!("{at}: {value} does not fit {word} {says}"));
        }
    }
}

/// Words that judge other values than the one at hand, or by other schemas.
fn judge_within(
    document: &Value,
    shape: &Value,
    word: &str,
    value: &Value,
    at: &str,
    wrong: &mut Vec<String>,
) {
    let says = &shape[word];
    match word {
        "required" if value.is_object() => {
            let names = list(says).iter().filter_map(Value::as_str);
            let missing = names.filter(|name| value.get(name).is_none());
            wrong.extend(missing.map(|name| format!("{at}.{name} is missing")));
        }
        "required" => {}
        "$ref" => {
            let place = says.as_str().and_then(|text| text.strip_prefix('#'));
            let other = document.pointer(place.expect("a place of the document"));
            judge(document, other.expect("it is there"), value, at, wrong);
        }
        "allOf" => list(says).iter().for_each(|one| judge(document, one, value, at, wrong)),
        "items" => {
            for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                judge(document, says, item, &format!("{at}[{n}]"), wrong);
            }
        }
        "properties" | "additionalProperties" => {
            for (name, member) in value.as_object().into_iter().flatten() {
                let own = shape["properties"].get(name);
                let other = own.is_none().then_some(says);
                if let Some(says) = if word == "properties" { own } else { other } {
                    judge(document, says, member, &format!("{at}.{name}"), wrong);
                }
            }
        }
        word => panic!("{at}: `{word}` is not known here"),
    }
}

fn list(says: &Value) -> &[Value] {
    says.as_array().expect("a list")
}

fn number(says: &Value) -> f64 {
    says.as_f64().expect("a number")
}

fn is_of(kinds: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("no type {kind}"),
    };
    match kinds {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        other => panic!("no types {other}"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let shape = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {
            "a": { "type": "integer", "minimum": 0 },
            "b": { "anyOf": [{ "type": "null" }, { "$ref": "#/words" }] },
            "c": { "type": "array", "items": { "type": ["string", "null"] } },
        },
    });
    let document = serde_json::json!({ "words": { "enum": ["x", "y"] } });
    let count =
        |text: &str| misfits(&document, &shape, &serde_json::from_str(text).expect("JSON")).len();
    for fits in [r#"{"a":1}"#, r#"{"a":0,"b":null}"#, r#"{"a":0,"b":"x","c":["",null]}"#] {
        assert_eq!(count(fits), 0, "{fits}");
    }
    for (wrong, how_many) in [
        ("{}", 1),
        (r#"{"a":-1}"#, 1),
        (r#"{"a":1.5}"#, 1),
        (r#"{"a":1,"b":"z"}"#, 1),
        (r#"{"a":1,"c":["",1,{}]}"#, 2),
        (r#"{"a":1,"d":1}"#, 1),
        ("[]", 1),
    ] {
        assert_eq!(count(wrong), how_many, "{wrong}");
    }
}
