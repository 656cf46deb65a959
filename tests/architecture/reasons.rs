//! Reasons that nothing gives: a word that the documentation explains and no code path says is a
//! promise that was forgotten.

use crate::scan::Source;

/// The file that declares them.
pub(crate) const DECLARED_IN: &str = "src/base/reason.rs";

/// The variants that are declared, in order: `Name: "word",` within `reasons!`.
pub(crate) fn declared(source: &Source) -> Vec<String> {
    let table = source.text.split("\nreasons! {").nth(1).unwrap_or_default();
    let table = table.split("\n}").next().unwrap_or_default();
    let names = table.lines().filter_map(|line| line.trim().split_once(": \""));
    let is_name = |name: &str| !name.is_empty() && name.chars().all(char::is_alphanumeric);
    names.map(|(name, _)| name.to_owned()).filter(|name| is_name(name)).collect()
}

/// Those among `names` that no product code elsewhere gives. To compare with one, or to match on
/// it, gives nothing.
pub(crate) fn never_given(names: &[String], sources: &[Source]) -> Vec<String> {
    let product: Vec<String> = sources
        .iter()
        .filter(|source| source.name != DECLARED_IN)
        .map(Source::product_code)
        .collect();
    let given = |name: &&String| {
        let path = format!("Reason::{name}");
        product.iter().any(|code| code.match_indices(&path).any(|(at, _)| gives(code, at, &path)))
    };
    let missing = names.iter().filter(|name| !given(name));
    missing.map(|name| format!("Reason::{name} is explained and never given")).collect()
}

fn gives(code: &str, at: usize, path: &str) -> bool {
    let (before, after) = (code[..at].trim_end(), &code[at + path.len()..]);
    let longer = after.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let after = after.trim_start_matches(|letter: char| letter == ')' || letter.is_whitespace());
    let compared = before.ends_with("==") || before.ends_with("!=") || after.starts_with("==");
    let matched = after.starts_with("=>") || after.starts_with('|') || before.ends_with('|');
    !longer && !compared && !matched
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(code: &str) -> Vec<String> {
        let table = "x\nreasons! {\n    /// One.\n    One: \"one\",\n        \"a: b\",\n        \
                     \"remedy\";\n    Two: \"two\",\n        \"t\",\n        \"r\";\n}\n";
        let declaring = Source::new(DECLARED_IN, &format!("fn f() {{ Reason::Two }}{table}"));
        let names = declared(&declaring);
        assert_eq!(names, ["One", "Two"]);
        never_given(&names, &[declaring, Source::new("src/a.rs", code)])
    }

    #[test]
    fn what_is_given_is_found_and_what_is_only_compared_is_not() {
        assert_eq!(missing("f(Reason::One); Err(Reason::Two)"), [""; 0]);
        let two = ["Reason::Two is explained and never given"];
        for other in [
            "",
            "if reason == Reason::Two {}",
            "if Reason::Two == reason {}",
            "if reason != Reason::Two {}",
            "match reason { Reason::Two => 1 }",
            "match reason { Some(Reason::Two) => 1 }",
            "match reason { Reason::Two | Reason::Three => 1 }",
            "Reason::TwoAndMore",
            "// Reason::Two\n\"Reason::Two\"",
            "#[cfg(test)]\nmod tests { fn f() { Reason::Two } }",
        ] {
            assert_eq!(missing(&format!("Reason::One; {other}")), two, "{other}");
        }
    }
}
