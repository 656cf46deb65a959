//! Which module may know which. `base` is the ground; a module imports only from floors below.

use crate::scan::{Source, line_of};

/// The floors from the ground up. Modules on the same floor do not know each other.
const FLOORS: [&[&str]; 9] = [
    &["base"],
    &["policy"],
    &["entry", "rules", "telemetry"],
    &["store", "origin"],
    &["engine"],
    &["edge", "jobs"],
    &["admin"],
    &["node"],
    &["cli"],
];

/// Imports sideways, each with its reason.
const SIDEWAYS: [(&str, &str); 1] = [
    // What a rule purges is said in the words of what is kept: selectors and globs.
    ("rules", "entry::order"),
];

/// Where a third-party crate may be named, as beginnings of module paths. What is not listed may be
/// used anywhere.
const CRATES: [(&str, &[&str]); 23] = [
    ("moka", &["store/l1"]),
    ("hyper", &["edge", "origin", "engine", "admin"]),
    ("hyper_util", &["edge", "origin", "engine", "admin"]),
    ("http_cache_semantics", &["policy/semantics"]),
    (
        "tokio",
        &[
            "base/clock",
            "base/tasks",
            "store",
            "origin",
            "engine",
            "edge",
            "jobs",
            "admin",
            "node",
            "cli",
            "",
        ],
    ),
    (
        "tokio_util",
        &["base/tasks", "store", "origin", "engine", "edge", "jobs", "admin", "node", "cli", ""],
    ),
    ("axum", &["admin"]),
    ("rcgen", &["cli/certs", "edge/tls"]),
    ("redis", &["store/redis"]),
    ("rustls", &["edge/tls", "store/redis"]),
    ("rustls_native_certs", &["store/redis"]),
    ("tokio_rustls", &["edge/greet", "edge/tls", "store/redis"]),
    ("clap", &["cli", ""]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("notify", &["node"]),
    ("sd_notify", &["node"]),
    ("socket2", &["edge", "origin", "store/redis"]),
    ("mimalloc", &[""]),
    ("zeroize", &["entry/seal"]),
    ("zstd", &["entry/pack", "engine/json"]),
    ("annotate_snippets", &["rules", "cli"]),
    ("schemars", &["rules", "cli", "store/redis/fleet", "engine", "jobs", "admin"]),
];

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Modules that stand on no floor.
pub(crate) fn homeless(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(top) = module.first() else { return Vec::new() };
    match floor_of(top) {
        Some(_) => Vec::new(),
        None => vec![format!("{}: {top} stands on no floor", source.name)],
    }
}

/// Paths into this crate that lead sideways or up. Tests are held to it too: what a unit test needs
/// from above belongs into a story.
pub(crate) fn upward_imports(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(from) = module.first() else { return Vec::new() };
    let Some(floor) = floor_of(from) else { return Vec::new() };
    let paths = crate_paths(&source.code);
    let wrong = paths.into_iter().filter(|(_, path)| {
        let to = path.split("::").next().unwrap_or_default();
        to != *from && floor_of(to).is_some_and(|other| other >= floor) && !is_sideways(from, path)
    });
    wrong
        .map(|(offset, path)| {
            let line = line_of(&source.code, offset);
            format!("{}:{line}: {from} may not know {path}", source.name)
        })
        .collect()
}

fn is_sideways(from: &str, path: &str) -> bool {
    SIDEWAYS.iter().any(|(who, what)| {
        *who == from && (path == *what || path.starts_with(&format!("{what}::")))
    })
}

/// Every path behind `crate::`, groups in braces taken apart: `crate::{a::{b, c}, d}` gives `a::b`,
/// `a::c` and `d`.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (offset, _) in code.match_indices("crate::") {
        let before = code[..offset].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let tail = &code[offset + "crate::".len()..];
        found.extend(expand(tail).0.into_iter().map(|path| (offset, path)));
    }
    found
}

/// Reads one path or group at the beginning of `tail`; what it names, and how long it was.
fn expand(tail: &str) -> (Vec<String>, usize) {
    if let Some(inner) = tail.strip_prefix('{') {
        return expand_group(inner);
    }
    let word = tail.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let end = word.unwrap_or(tail.len());
    let name = &tail[..end];
    if let Some(rest) = tail[end..].strip_prefix("::") {
        let (below, length) = expand(rest);
        let joined = below.iter().map(|path| match path.as_str() {
            "" | "self" => name.to_owned(),
            path => format!("{name}::{path}"),
        });
        return (joined.collect(), end + 2 + length);
    }
    (vec![name.to_owned()], end)
}

fn expand_group(inner: &str) -> (Vec<String>, usize) {
    let mut paths = Vec::new();
    let mut at = 0;
    loop {
        at += inner[at..].len() - inner[at..].trim_start_matches([' ', '\n', ',']).len();
        if at >= inner.len() || inner[at..].starts_with('}') {
            return (paths, at + 2);
        }
        let (more, length) = expand(&inner[at..]);
        paths.extend(more);
        // An alias, a glob, or anything else up to the next member.
        at += length;
        at += inner[at..].find([',', '}']).unwrap_or(inner.len() - at);
    }
}

/// Crates that are named on floors where they do not belong. Tests may use what they like.
pub(crate) fn strayed_crates(source: &Source) -> Vec<String> {
    let module = source.module().join("/");
    let code = source.product_code();
    let mut wrong = Vec::new();
    for (name, places) in CRATES {
        let allowed = places.iter().any(|place| match *place {
            "" => module.is_empty(),
            place => module.starts_with(place),
        });
        if allowed {
            continue;
        }
        for offset in uses_of(&code, name) {
            let line = line_of(&code, offset);
            wrong.push(format!("{}:{line}: {name} does not belong here", source.name));
        }
    }
    wrong
}

/// Where a crate is named as the root of a path or imported whole.
fn uses_of(code: &str, name: &str) -> Vec<usize> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let roots = code.match_indices(name).filter(|(offset, _)| {
        let (before, after) = (&code[..*offset], &code[offset + name.len()..]);
        if before.ends_with(is_word) || after.starts_with(is_word) {
            return false;
        }
        // `a::name` is somebody else's; `::name` is the crate.
        let below = before.strip_suffix("::").is_some_and(|path| path.ends_with(is_word));
        let imported = before.trim_end().ends_with("use") && after.starts_with([';', ' ']);
        !below && (after.starts_with("::") || imported)
    });
    roots.map(|(offset, _)| offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upward(name: &str, text: &str) -> Vec<String> {
        upward_imports(&Source::new(name, text))
    }

    #[test]
    fn an_import_from_above_is_found() {
        for text in [
            "use crate::store::l1::L1;",
            "use crate::{base::clock, store::l1};",
            "use crate::{\n    base::clock,\n    engine::{serve, pass},\n};",
            "pub(crate) use crate::cli;",
            "fn f() -> crate::node::Settings { todo() }",
            "let x = crate::edge::listen::bind();",
            "use crate::rules::{self, document::Document};",
            "#[cfg(test)]\nmod tests { use crate::admin::api; }",
        ] {
            assert!(!upward("src/policy/vary.rs", text).is_empty(), "{text}");
        }
        let found = upward("src/policy/vary.rs", "use crate::base::ids;\nuse crate::engine::x;");
        assert_eq!(found, ["src/policy/vary.rs:2: policy may not know engine::x"]);
        assert_eq!(upward("src/store/l1.rs", "use crate::{engine::{a, b}, edge::c};").len(), 3);
    }

    #[test]
    fn an_import_from_below_or_home_is_not() {
        for text in [
            "use crate::base::clock::Timestamp;",
            "use crate::policy::stamp::Stamp;",
            "// use crate::store::l1;",
            "let text = \"crate::store::l1\";",
            "use some_crate::store::l1;",
            "use super::store;",
        ] {
            assert_eq!(upward("src/policy/vary.rs", text), Vec::<String>::new(), "{text}");
        }
        assert!(upward("src/main.rs", "use crate::cli;").is_empty());
    }

    #[test]
    fn sideways_is_allowed_only_where_it_is_listed() {
        assert!(upward("src/rules/compile.rs", "use crate::entry::order::Selector;").is_empty());
        assert!(upward("src/rules/compile.rs", "use crate::entry::{order::Glob};").is_empty());
        assert_eq!(upward("src/rules/compile.rs", "use crate::entry::key::Key;").len(), 1);
        assert_eq!(upward("src/rules/compile.rs", "use crate::entry::orders;").len(), 1);
        assert_eq!(upward("src/entry/key.rs", "use crate::rules::Rulebook;").len(), 1);
        assert_eq!(upward("src/edge/conn.rs", "use crate::jobs::warm;").len(), 1);
    }

    #[test]
    fn a_module_without_a_floor_is_found() {
        assert_eq!(homeless(&Source::new("src/misc/a.rs", "")).len(), 1);
        assert_eq!(homeless(&Source::new("src/misc.rs", "")).len(), 1);
        assert!(homeless(&Source::new("src/engine/a.rs", "")).is_empty());
        assert!(homeless(&Source::new("src/lib.rs", "")).is_empty());
    }

    #[test]
    fn a_strayed_crate_is_found() {
        let strayed = |name: &str, text: &str| strayed_crates(&Source::new(name, text)).len();
        assert_eq!(strayed("src/engine/fill.rs", "use moka::sync::Cache;"), 1);
        assert_eq!(strayed("src/store/l1.rs", "use moka::sync::Cache;"), 0);
        assert_eq!(strayed("src/store/l1/index.rs", "use moka::sync::Cache;"), 0);
        assert_eq!(strayed("src/store/index.rs", "fn f(c: moka::sync::Cache) {}"), 1);
        assert_eq!(strayed("src/policy/law.rs", "use tokio::time::sleep;"), 1);
        assert_eq!(strayed("src/policy/law.rs", "use ::tokio::time::sleep;"), 1);
        assert_eq!(strayed("src/base/clock.rs", "use tokio::time::Instant;"), 0);
        assert_eq!(strayed("src/base/units.rs", "use tokio;"), 1);
        assert_eq!(strayed("src/rules/matcher.rs", "use hyper::Method;"), 1);
        assert_eq!(strayed("src/policy/vary.rs", "use http_cache_semantics as hcs;"), 1);
        assert_eq!(strayed("src/policy/vary.rs", "use crate::a::tokio::b; // tokio::time"), 0);
        assert_eq!(
            strayed("src/policy/vary.rs", "#[cfg(test)]\nmod tests { use tokio::time; }"),
            0
        );
        assert_eq!(strayed("src/rules/matcher.rs", "use my_hyper::Method;"), 0);
    }
}
