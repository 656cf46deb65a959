//! The JSON Schema of the rules file, made from the same declarations that read it. Editors
//! complete and check with it; the copy in the repository is compared with this by a test.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::RulesDocument;

/// The schema as it stands in `rules/schema.json`.
pub fn text() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RulesDocument>().to_value();
    without_null(&mut schema);
    if let Value::Object(members) = &mut schema {
        members.insert("title".to_owned(), "Rules of cistern".into());
    }
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// What is optional may be left out, but is never null.
fn without_null(schema: &mut Value) {
    let is_null = |value: &Value| value.get("type").is_some_and(|kind| kind == "null");
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(members) => {
            members.values_mut().for_each(without_null);
            if let Some(Value::Array(kinds)) = members.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [only] = kinds.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            let Some(Value::Array(choices)) = members.get_mut("anyOf") else { return };
            choices.retain(|choice| !is_null(choice));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                members.remove("anyOf");
                members.extend(only);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_in_the_repository_is_true() {
        assert!(
            include_str!("../../rules/schema.json") == text(),
            "rules/schema.json is not what the program says; write `cistern schema` into it"
        );
    }

    #[test]
    fn every_field_is_described_and_nothing_is_null() {
        let schema: Value = serde_json::from_str(&text()).unwrap();
        assert!(!text().contains("null"));
        let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        let mut fields = 0;
        for table in tables {
            let Some(properties) = table["properties"].as_object() else { continue };
            assert_eq!(table["additionalProperties"], false);
            for (name, field) in properties {
                assert!(field["description"].is_string(), "{name} has no description");
                fields += 1;
            }
        }
        assert!(fields > 80, "{fields}");
        assert_eq!(schema["required"], serde_json::json!(["version"]));
    }
}
