//! Shapes of what calls take and answer, as JSON Schema (2020-12, the dialect of `OpenAPI` 3.1).
//! Objects are closed and their members are all there unless said, so that an answer that has
//! another form than is told is found out.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The shape of what a type is written as.
pub(in crate::admin) fn written<T: JsonSchema>() -> Value {
    derived::<T>(SchemaSettings::draft2020_12().for_serialize())
}

/// The shape of what a type is read from.
pub(in crate::admin) fn read<T: JsonSchema>() -> Value {
    derived::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

fn derived<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut shape = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut shape);
    shape
}

/// Takes out names of Rust types, and closes what is open only because nothing was said.
fn tidy(shape: &mut Value) {
    match shape {
        Value::Array(all) => all.iter_mut().for_each(tidy),
        Value::Object(members) => {
            if members.get("title").is_some_and(Value::is_string) {
                members.remove("title");
            }
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), false.into());
            }
            members.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn simple(kind: &str, about: &str) -> Value {
    json!({ "type": kind, "description": about })
}

/// A text.
pub(in crate::admin) fn text(about: &str) -> Value {
    simple("string", about)
}

/// One of these words.
pub(in crate::admin) fn word(about: &str, words: &[&str]) -> Value {
    json!({ "type": "string", "description": about, "enum": words })
}

/// A whole number from 0 on.
pub(in crate::admin) fn count(about: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": about })
}

/// A number.
pub(in crate::admin) fn number(about: &str) -> Value {
    simple("number", about)
}

/// Yes or no.
pub(in crate::admin) fn flag(about: &str) -> Value {
    simple("boolean", about)
}

/// A list of such.
pub(in crate::admin) fn list(about: &str, items: Value) -> Value {
    json!({ "type": "array", "description": about, "items": items })
}

/// Such values by names that are not known before.
pub(in crate::admin) fn by_name(about: &str, values: Value) -> Value {
    json!({ "type": "object", "description": about, "additionalProperties": values })
}

/// An object with these members and no others.
pub(in crate::admin) fn object<const N: usize>(about: &str, members: [(&str, Value); N]) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let required = json!(names);
    let properties: Map<String, Value> =
        members.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect();
    json!({
        "type": "object",
        "description": about,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The same object with members that may be left out.
pub(in crate::admin) fn perhaps<const N: usize>(
    mut object: Value,
    members: [(&str, Value); N],
) -> Value {
    for (name, shape) in members {
        object["properties"][name] = shape;
    }
    object
}

/// The same object with members that are always there.
pub(in crate::admin) fn with<const N: usize>(object: Value, members: [(&str, Value); N]) -> Value {
    let names = members.each_ref().map(|(name, _)| Value::from(*name));
    let mut object = perhaps(object, members);
    if let Some(required) = object["required"].as_array_mut() {
        required.extend(names);
    }
    object
}

/// The same, with a value that may stand there.
pub(in crate::admin) fn such_as(mut shape: Value, value: &str) -> Value {
    shape["examples"] = json!([value]);
    shape
}

/// The same, or null.
pub(in crate::admin) fn or_null(shape: Value) -> Value {
    json!({ "anyOf": [shape, { "type": "null" }] })
}
