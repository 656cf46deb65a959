//! The rules of the house, read from the source text: floors, sizes, names. A diagram that nobody
//! checks is a lie within a month.
//!
//! Each checker is a function from text to findings, and each is also run here on text that breaks
//! its rule: a checker that finds nothing anywhere proves nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a tree that cannot be read ends the run"
)]

#[path = "architecture/floors.rs"]
mod floors;
#[path = "architecture/reasons.rs"]
mod reasons;
#[path = "architecture/scan.rs"]
mod scan;
#[path = "architecture/shape.rs"]
mod shape;
#[path = "architecture/words.rs"]
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use scan::Source;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project, in order.
fn sources(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.sort();
    let named = paths.iter().map(|path| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        Source::new(&name, &fs::read_to_string(path).unwrap())
    });
    named.collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(files) = fs::read_dir(folder) else { return };
    for file in files {
        let path = file.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Fails with every finding at once.
#[track_caller]
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn all_of(folders: &[&str], check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    folders.iter().flat_map(|folder| sources(folder)).flat_map(|source| check(&source)).collect()
}

#[test]
fn there_is_something_to_read() {
    assert!(sources("src").len() > 5);
    assert!(sources("tests").len() > 5);
}

#[test]
fn modules_import_only_from_floors_below() {
    none(all_of(&["src"], floors::upward_imports));
}

#[test]
fn every_module_stands_on_a_floor() {
    none(all_of(&["src"], floors::homeless));
}

#[test]
fn third_party_crates_stay_on_their_floors() {
    none(all_of(&["src"], floors::strayed_crates));
}

#[test]
fn files_are_short() {
    none(all_of(&["src", "tests", "benches"], shape::long_files));
}

#[test]
fn functions_are_short() {
    none(all_of(&["src", "tests", "benches"], shape::long_functions));
}

#[test]
fn lines_are_short() {
    none(all_of(&["src", "tests", "benches"], shape::long_lines));
}

#[test]
fn modules_say_what_they_are() {
    none(all_of(&["src", "tests", "benches"], words::undocumented_modules));
}

#[test]
fn nothing_is_left_for_later() {
    none(all_of(&["src", "tests", "benches"], words::unfinished));
}

#[test]
fn names_say_what_things_are() {
    none(all_of(&["src"], words::empty_names));
}

#[test]
fn documents_that_are_named_exist() {
    let exists = |name: &str| root().join(name).exists();
    none(all_of(&["src", "tests", "benches"], |source| words::missing_documents(source, exists)));
}

#[test]
fn every_reason_is_given_somewhere() {
    let all = sources("src");
    let declaring = all.iter().find(|source| source.name == reasons::DECLARED_IN).unwrap();
    let names = reasons::declared(declaring);
    assert!(names.len() > 20, "{names:?}");
    none(reasons::never_given(&names, &all));
}

#[test]
fn the_map_names_every_module() {
    // The map is drawn once; from then on it must stay true.
    let Ok(map) = fs::read_to_string(root().join("ARCHITECTURE.md")) else { return };
    none(words::unmapped(&sources("src"), &map));
}
