//! The README against the program: every word that is seen from outside stands in its tables, and
//! nothing stands there that the program does not say. Defaults and limits are compared too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that ends says where"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use cistern::base::limits as l;
use cistern::base::reason::Reason;
use cistern::base::units::Span;
use cistern::cli::Exit;
use cistern::jobs::alerts::Alerts;
use cistern::telemetry::event;

fn text_of(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of each row of the README's table that has this heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let rows = rows_below(&text_of("README.md"), heading);
    assert!(!rows.is_empty(), "the README has no table headed `{heading}`");
    rows
}

fn rows_below(readme: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = readme.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let inner = line.trim().trim_matches('|');
        inner.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// The first cells, without the marks of code.
fn words(heading: &str) -> BTreeSet<String> {
    table(heading).iter().map(|row| row[0].replace('`', "")).collect()
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// Nothing else in the tests builds the image.
#[test]
fn the_image_is_built_from_what_is_there() {
    let (dockerfile, manifest) = (text_of("Dockerfile"), text_of("Cargo.toml"));
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let rust = rust.expect("a promised version").trim_matches('"');
    assert!(dockerfile.contains(&format!("FROM rust:{rust}-")), "the image has not Rust {rust}");
    let copies = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let sources: BTreeSet<&str> = copies
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.rsplit_once(' ').expect("a place for them").0.split(' '))
        .collect();
    for source in &sources {
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(source).exists();
        assert!(there, "COPY {source} finds nothing");
    }
    // Sources, texts that the program includes, and targets that the manifest names without a path.
    for needed in ["Cargo.toml", "Cargo.lock", "src", "rules", "benches"] {
        assert!(sources.contains(needed), "the build lacks {needed}");
    }
}

#[test]
fn a_table_is_read_as_it_stands() {
    let readme = "x\n| a | b |\n|---|--:|\n| `1` | two |\n| `3` |  |\n\n| c |\n|---|\n| 9 |\n";
    assert_eq!(rows_below(readme, "| a |"), [["`1`", "two"], ["`3`", ""]]);
    assert_eq!(rows_below(readme, "| c |"), [["9"]]);
    assert!(rows_below(readme, "| d |").is_empty());
}

#[test]
fn every_reason_is_explained_as_the_program_explains_it() {
    let told = table("| word | what happened |");
    let known = Reason::ALL.iter().map(|reason| {
        vec![format!("`{}`", reason.as_str()), reason.text().to_owned(), reason.remedy().to_owned()]
    });
    assert_eq!(told, known.collect::<Vec<_>>());
}

#[test]
fn every_finding_of_check_is_listed() {
    let told = rows_below(&text_of("rules/README.md"), "| code | what is found |");
    let known = cistern::rules::Code::ALL
        .iter()
        .map(|code| vec![format!("`{}`", code.as_str()), code.title().to_owned()]);
    assert_eq!(told, known.collect::<Vec<_>>());
}

#[test]
fn every_event_word_is_listed() {
    assert_eq!(words("| word | means |"), set(event::WORDS));
}

#[test]
fn every_call_is_listed_with_its_role() {
    let mut told: Vec<(String, String)> = Vec::new();
    for row in table("| call | role |") {
        let calls = row[0].split(", ").map(|call| call.trim_matches('`').to_owned());
        told.extend(calls.map(|call| (call, row[1].clone())));
    }
    let known = cistern::admin::calls::CALLS.map(|call| {
        let role = call.least.map_or("", cistern::admin::tokens::Role::as_str);
        (format!("{} {}", call.method, call.path()), role.to_owned())
    });
    let mut known = known.to_vec();
    told.sort();
    known.sort();
    assert_eq!(told, known);
}

#[test]
fn every_alias_is_listed_with_its_role() {
    let rows = table("| alias | role |");
    let told: Vec<_> = rows.iter().map(|row| (row[0].replace('`', ""), row[1].clone())).collect();
    let known = cistern::admin::calls::ALIASES.map(|call| {
        let role = call.least.map_or("", cistern::admin::tokens::Role::as_str);
        (format!("{} {}", call.method, call.path()), role.to_owned())
    });
    assert_eq!(told, known);
}

#[test]
fn every_metric_is_listed() {
    let files = ["metrics.rs", "metrics/traffic.rs", "metrics/levels.rs"];
    let sources = files.map(|file| text_of(&format!("src/admin/{file}"))).concat();
    let quoted = sources.split('"').filter(|word| word.starts_with("cistern_"));
    let known: BTreeSet<String> =
        quoted.filter(|word| !word.contains(' ')).map(str::to_owned).collect();
    assert!(known.len() > 20, "{known:?}");
    let cells = table("| metric | labels | counts |").into_iter().map(|row| row[0].clone());
    let told: BTreeSet<String> = cells
        .flat_map(|cell| cell.split('`').map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| word.starts_with("cistern_"))
        .map(|word| {
            let bare = word.strip_suffix("_total").or_else(|| word.strip_suffix("_info"));
            bare.unwrap_or(&word).to_owned()
        })
        .collect();
    assert_eq!(told, known);
}

#[test]
fn every_alert_is_listed() {
    let known: BTreeSet<String> =
        Alerts::default().all().iter().map(|alert| alert.alert.to_owned()).collect();
    assert_eq!(words("| alert | warning | critical |"), known);
    for alert in Alerts::default().all() {
        let rows = table("| alert | warning | critical |");
        let row = rows.iter().find(|row| row[0].trim_matches('`') == alert.alert).unwrap();
        let cell = if alert.severity.as_str() == "warning" { &row[1] } else { &row[2] };
        assert_eq!(*cell, alert.bound, "{}", alert.alert);
    }
}

#[test]
fn every_field_name_is_listed() {
    let source = text_of("src/base/names.rs");
    let quoted = source.split("HeaderName::from_static(\"").skip(1);
    let names: BTreeSet<_> =
        quoted.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    assert!(names.len() > 8, "{names:?}");
    let told = words("| field | where |");
    let missing: Vec<_> = names.difference(&told).collect();
    assert!(missing.is_empty(), "the README does not name {missing:?}");
    // What is no constant of ours is a field of HTTP itself.
    assert_eq!(told.difference(&names).collect::<Vec<_>>(), ["age", "via"]);
}

#[test]
fn every_variable_is_listed() {
    let told: Vec<_> =
        table("| variable | means |").iter().map(|row| row[0].replace('`', "")).collect();
    assert_eq!(told, cistern::base::names::VARIABLES);
}

#[test]
fn every_exit_code_is_listed() {
    const ALL: [Exit; 7] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Differences,
        Exit::Unreachable,
        Exit::Unauthorised,
        Exit::Configuration,
    ];
    // A new way to end does not compile here until it stands in the list above.
    let known = |exit: Exit| match exit {
        Exit::Done
        | Exit::Failed
        | Exit::Usage
        | Exit::Differences
        | Exit::Unreachable
        | Exit::Unauthorised
        | Exit::Configuration => ExitCode::from(exit),
    };
    let told: Vec<ExitCode> =
        table("| exit code |").iter().map(|row| row[0].parse::<u8>().unwrap().into()).collect();
    assert_eq!(told, ALL.map(known));
}

/// Keys and defaults of `cistern.toml`, read from the source that declares them.
fn declared() -> Vec<(String, String)> {
    let source = text_of("src/node/file.rs");
    let mut all = Vec::new();
    for section in source.split("\nsection! {").skip(1) {
        let section = section.split("\n}").next().unwrap();
        let (head, fields) = section
            .lines()
            .filter(|line| !line.contains("///"))
            .collect::<Vec<_>>()
            .join(" ")
            .split_once('{')
            .map(|(head, fields)| (head.trim().to_lowercase(), fields.to_owned()))
            .unwrap();
        for field in fields.trim().trim_end_matches('}').split(',').map(str::trim) {
            if let Some((name, value)) = field.split_once(": ") {
                let (_, value) = value.split_once(" = ").unwrap();
                all.push((format!("{head}.{name}"), default_of(value)));
            }
        }
    }
    let whole = source.split("impl Default for File").nth(1).unwrap();
    let whole = whole.split("log:").next().unwrap();
    for line in whole.lines().filter_map(|line| line.trim().strip_suffix(',')) {
        let (name, value) = line.split_once(": ").unwrap();
        all.push((name.to_owned(), default_of(value)));
    }
    all
}

fn default_of(value: &str) -> String {
    match value.trim_end_matches(".into()") {
        "None" => "none".to_owned(),
        "Vec::new()" => "`[]`".to_owned(),
        value => format!("`{value}`"),
    }
}

#[test]
fn every_setting_is_listed_with_its_default() {
    let mut declared = declared();
    let told = table("| key | default |");
    let mut told: Vec<_> =
        told.into_iter().map(|row| (row[0].replace('`', ""), row[1].clone())).collect();
    declared.sort();
    told.sort();
    assert!(declared.len() > 20, "{declared:?}");
    assert_eq!(told, declared);
}

#[test]
fn limits_are_what_the_program_holds_to() {
    let kib = |bytes: usize| match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    };
    let span = |span: Span| span.to_string();
    let slow =
        format!("a client that takes less than {} of what waits for it", kib(l::WRITE_BYTES_MIN));
    let known = [
        ("request head", kib(l::HEAD_BYTES_MAX)),
        ("field lines in a request head", l::HEAD_LINES_MAX.to_string()),
        ("request target", kib(l::TARGET_BYTES_MAX)),
        ("silence before or in a request head", span(l::HEAD_TIMEOUT)),
        ("a TLS handshake", span(l::TLS_HANDSHAKE_TIMEOUT)),
        ("TLS handshakes under way on one listener", l::TLS_HANDSHAKES_MAX.to_string()),
        ("certificates of one listener", l::CERTIFICATES_MAX.to_string()),
        ("streams at once on one connection of HTTP/2", l::HTTP2_STREAMS_MAX.to_string()),
        (
            "requests broken off on one such connection, beyond those that came to an end",
            l::HTTP2_BROKEN_MAX.to_string(),
        ),
        (
            "a request's body that waits to be read, of one such stream, and of all of a connection",
            [l::HTTP2_STREAM_WINDOW, l::HTTP2_CONNECTION_WINDOW]
                .map(|n| kib(n as usize))
                .join(", "),
        ),
        ("chunk extensions and trailers of one request body", kib(l::CHUNK_BALLAST_BYTES_MAX)),
        ("origin's answer head", kib(l::ORIGIN_HEAD_BYTES_MAX)),
        ("field lines in an origin's answer", l::ORIGIN_HEAD_LINES_MAX.to_string()),
        ("connections at once", l::CONNECTIONS_MAX.to_string()),
        ("connections to the admin listener at once", l::ADMIN_CONNECTIONS_MAX.to_string()),
        ("an admin call, up to the head of its answer", span(l::CALL_WITHIN)),
        ("who follows events at once", l::EVENT_FOLLOWERS_MAX.to_string()),
        (slow.as_str(), span(l::WRITE_TIMEOUT)),
        ("variants of one key", l::VARIANTS_PER_KEY_MAX.to_string()),
        ("names in one `Vary`", l::VARY_NAMES_MAX.to_string()),
        ("ranges in one request", l::RANGES_MAX.to_string()),
        ("body that rules read as JSON", kib(l::JSON_BYTES_MAX as usize)),
        ("nesting of such JSON", l::JSON_DEPTH_MAX.to_string()),
        ("key, tag or selector", kib(l::KEY_BYTES_MAX)),
        ("tags of one entry, groups among them", l::TAGS_PER_ENTRY_MAX.to_string()),
        ("groups that one answer to a write names", l::GROUPS_PER_WRITE_MAX.to_string()),
        ("things that one PURGE names", l::CALL_SELECTORS_MAX.to_string()),
        ("selectors that cascades add to one purge", l::CASCADE_SELECTORS_MAX.to_string()),
        ("answers that one write has fetched anew", l::REFRESH_PER_WRITE_MAX.to_string()),
        ("such fetches of all writes at once", l::REFRESH_AT_ONCE_MAX.to_string()),
        ("jobs that wait for others", l::JOBS_WAITING_MAX.to_string()),
        ("URLs that one call to `warm` names", l::WARM_NAMED_MAX.to_string()),
        ("URLs that one template makes", l::WARM_MADE_MAX.to_string()),
        ("entries that one `verify` compares", l::VERIFY_SAMPLED_MAX.to_string()),
        ("requests waiting for an origin with `max_concurrent`", l::ORIGIN_QUEUE_MAX.to_string()),
        ("silence in a tunnel (WebSocket)", span(l::TUNNEL_IDLE)),
        ("an unshareable key is remembered for", span(l::UNSHAREABLE_FOR)),
        (
            "purges that wait: a write's outcome is unknown, or `settle`",
            l::UNSETTLED_MAX.to_string(),
        ),
    ];
    let told: Vec<_> = table("| bound | value |")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(told, known.map(|(what, value)| (what.to_owned(), value)));
}
