//! What counts when two answers are compared: the values that a rule's `compare` points to. They
//! are compared as canonical JSON, so that neither spelling nor order of members matters; `null` is
//! as if it were missing.

use super::canonical;
use super::json::Json;
use super::node::Pointer;

/// The pointers of a rule, each with its text. Without any the whole body counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompareRule(pub(super) Box<[(Box<str>, Pointer)]>);

impl CompareRule {
    /// Whether bodies are compared byte by byte.
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// The pointers, as written, under which two documents have different values, or only one of
    /// them has any.
    pub fn differing(&self, one: &Json, other: &Json) -> Vec<&str> {
        let value = |pointer: &Pointer, json: &Json| pointer.find(json.root()).map(canonical::of);
        let each = self.0.iter();
        let differing = each.filter(|(_, at)| value(at, one) != value(at, other));
        differing.map(|(written, _)| &**written).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differing(pointers: &[&str], one: &str, other: &str) -> Vec<String> {
        let each = pointers.iter().map(|text| ((*text).into(), Pointer::parse(text).unwrap()));
        let rule = CompareRule(each.collect());
        let read = |text: &str| Json::read(text.as_bytes()).unwrap();
        let told = rule.differing(&read(one), &read(other));
        told.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn only_what_is_pointed_to_counts() {
        for (pointers, one, other, expected) in [
            (&["/a"][..], r#"{"a":1,"b":1}"#, r#"{"b":2,"a":1}"#, &[][..]),
            (&["/a"], r#"{"a":1}"#, r#"{"a":2}"#, &["/a"]),
            (&["/b", "/a"], r#"{"a":1,"b":1}"#, r#"{"a":2,"b":2}"#, &["/b", "/a"]),
            // Spelling and order are no difference.
            (&["/a"], r#"{"a":{"x":1,"y":"é"}}"#, r#"{"a":{"y":"\u00e9","x":1}}"#, &[]),
            (&["/a"], r#"{"a":1e2}"#, r#"{"a":100.0}"#, &[]),
            // The order of a list is.
            (&["/a"], r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, &["/a"]),
            (&["/a"], r#"{"a":1}"#, r#"{"a":"1"}"#, &["/a"]),
            // Missing against there differs, missing against missing does not.
            (&["/a"], r#"{"a":1}"#, "{}", &["/a"]),
            (&["/a"], "{}", r#"{"a":""}"#, &["/a"]),
            (&["/a/b", "/c"], r#"{"a":1}"#, r#"{"a":2}"#, &[]),
            (&["/a"], r#"{"a":null}"#, "{}", &[]),
            (&["/a/1"], r#"{"a":[1,2]}"#, r#"{"a":[9,2]}"#, &[]),
            (&["/a/1"], r#"{"a":[1,2]}"#, r#"{"a":[1]}"#, &["/a/1"]),
            (&["/~1x"], r#"{"/x":1}"#, r#"{"/x":2}"#, &["/~1x"]),
            // The whole document.
            (&[""], r#"{"a":1}"#, r#"{ "a": 1 }"#, &[]),
            (&[""], r#"{"a":1}"#, r#"{"a":1,"b":1}"#, &[""]),
        ] {
            assert_eq!(differing(pointers, one, other), expected, "{pointers:?} {one} {other}");
        }
    }
}
