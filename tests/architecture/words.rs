//! What the text says: modules introduce themselves, nothing is left for later, names mean
//! something, and the map is true.

use crate::scan::{Source, line_of};

/// Marks of work that was not done.
const UNFINISHED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
/// Calls that end the program where the work was not done.
const STUBS: [&str; 2] = ["todo!", "unimplemented!"];
/// Files whose name says nothing of what is in them.
const EMPTY_FILES: [&str; 7] = ["util", "utils", "common", "misc", "helper", "helpers", "shared"];
/// Endings of types that say only that somebody does something.
const EMPTY_ENDINGS: [&str; 5] = ["Manager", "Helper", "Util", "Utils", "Handler"];

/// Files that do not begin with what they are; `tests.rs` is introduced by what it tests.
pub(crate) fn undocumented_modules(source: &Source) -> Vec<String> {
    let introduced = source.text.starts_with("//! ") || source.name.ends_with("/tests.rs");
    (!introduced).then(|| format!("{}: no //! at its beginning", source.name)).into_iter().collect()
}

/// Work that was left, whether a comment says so or a stub.
pub(crate) fn unfinished(source: &Source) -> Vec<String> {
    let marks = UNFINISHED.iter().flat_map(|mark| places(&source.comments, mark));
    let stubs = STUBS.iter().flat_map(|stub| places(&source.code, stub));
    marks
        .chain(stubs)
        .map(|(offset, word)| format!("{}:{}: {word}", source.name, line_of(&source.code, offset)))
        .collect()
}

/// Whole words, with their places.
fn places<'a>(text: &str, word: &'a str) -> Vec<(usize, &'a str)> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let found = text.match_indices(word).filter(|(offset, _)| {
        !text[..*offset].ends_with(is_word) && !text[offset + word.len()..].starts_with(is_word)
    });
    found.map(|(offset, _)| (offset, word)).collect()
}

/// Files, types and functions whose names carry nothing.
pub(crate) fn empty_names(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let module = source.module();
    for part in &module {
        if EMPTY_FILES.contains(part) || part.ends_with("_main") {
            wrong.push(format!("{}: a file called {part}", source.name));
        }
    }
    for keyword in ["struct ", "enum ", "trait ", "fn "] {
        for (offset, _) in source.code.match_indices(keyword) {
            let rest = &source.code[offset + keyword.len()..];
            let name: String = rest
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect();
            let empty = match keyword {
                "fn " => name.starts_with("get_"),
                _ => EMPTY_ENDINGS.iter().any(|ending| name.ends_with(ending)),
            };
            if empty {
                let line = line_of(&source.code, offset);
                wrong.push(format!("{}:{line}: {keyword}{name} says too little", source.name));
            }
        }
    }
    wrong
}

/// Documents that comments name and that are not there.
pub(crate) fn missing_documents(source: &Source, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let is_name =
        |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/');
    let words = source.comments.split(|letter| !is_name(letter));
    let documents =
        words.filter_map(|word| word.strip_suffix(".md")).filter(|stem| !stem.is_empty());
    documents
        .map(|stem| format!("{stem}.md"))
        .filter(|name| !exists(name))
        .map(|name| format!("{}: speaks of {name}, which is not there", source.name))
        .collect()
}

/// Modules that the map does not name: `policy/range.rs` must appear as `range` in backticks, in a
/// path, or as the beginning of a line of a table.
pub(crate) fn unmapped(sources: &[Source], map: &str) -> Vec<String> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let named: Vec<_> = map.split(|letter| !is_word(letter)).collect();
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| !source.name.ends_with("/tests.rs")) {
        for part in source.module().iter().filter(|part| !named.contains(part)) {
            wrong.push(format!("ARCHITECTURE.md does not name {part} ({})", source.name));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("src/a/b.rs", text)
    }

    #[test]
    fn a_module_without_an_introduction_is_found() {
        assert_eq!(undocumented_modules(&source("use a;")).len(), 1);
        assert_eq!(undocumented_modules(&source("// This is b.\n")).len(), 1);
        assert!(undocumented_modules(&source("//! This is b.\n")).is_empty());
        assert!(undocumented_modules(&Source::new("src/a/b/tests.rs", "use a;")).is_empty());
    }

    #[test]
    fn what_is_left_for_later_is_found() {
        let marks = ["TO", "DO"].concat();
        assert_eq!(
            unfinished(&source(&format!("a\n// {marks}: all of it"))),
            [format!("src/a/b.rs:2: {marks}")]
        );
        assert_eq!(unfinished(&source(&format!("fn f() {{ {}!() }}", "todo"))).len(), 1);
        assert!(unfinished(&source(&format!("let x = \"{marks}\";"))).is_empty());
        assert!(unfinished(&source("// MAXXXL")).is_empty());
    }

    #[test]
    fn empty_names_are_found() {
        assert_eq!(empty_names(&source("pub struct CacheManager;")).len(), 1);
        assert_eq!(empty_names(&source("fn get_key() {}")).len(), 1);
        assert_eq!(empty_names(&Source::new("src/a/util.rs", "")).len(), 1);
        assert_eq!(empty_names(&Source::new("src/util/a.rs", "")).len(), 1);
        assert_eq!(empty_names(&Source::new("src/a/proxy_main.rs", "")).len(), 1);
        assert!(empty_names(&source("fn target_key() {} struct Managers; fn get() {}")).is_empty());
    }

    #[test]
    fn a_document_that_is_not_there_is_found() {
        let exists = |name: &str| name == "README.md";
        let missing = |text: &str| missing_documents(&source(text), exists).len();
        assert_eq!(missing("// see README.md, section 2"), 0);
        assert_eq!(missing("/// See `notes/PLAN.md`."), 1);
        assert_eq!(missing("let x = \"PLAN.md\";"), 0);
    }

    #[test]
    fn a_module_that_the_map_forgot_is_found() {
        let sources = [Source::new("src/policy/range.rs", ""), Source::new("src/lib.rs", "")];
        assert!(unmapped(&sources, "`policy/range.rs` cuts").is_empty());
        assert_eq!(unmapped(&sources, "policy has ranges").len(), 1);
        assert_eq!(unmapped(&sources, "").len(), 2);
    }
}
