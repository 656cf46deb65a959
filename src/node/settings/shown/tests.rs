use super::*;
use crate::node::settings::{Flags, told};

fn shown(flags: &Flags, environment: &[(&str, &str)]) -> Vec<Shown> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    told(flags, &environment.iter().map(owned).collect::<Vec<_>>()).unwrap().1
}

/// `value from` of a key.
fn row(all: &[Shown], key: &str) -> String {
    let row = all.iter().find(|row| row.key == key);
    row.map_or_else(String::new, |row| format!("{} {}", row.value, row.from))
}

const RING: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";

#[test]
fn every_value_has_its_place() {
    let flags = Flags {
        listen: vec!["127.0.0.1:1".into(), "127.0.0.1:2".into()],
        profile: Some("rfc".into()),
        origin: Some("http://ann:pw@o".into()),
        rules: Some("r.toml".into()),
        ..Flags::default()
    };
    let all = shown(&flags, &[("CISTERN_L1__SIZE", "64MB"), ("CISTERN_PROFILE", "safe")]);
    assert_eq!(row(&all, "profile"), "\"rfc\" --profile");
    assert_eq!(row(&all, "l1.size"), "\"64MB\" CISTERN_L1__SIZE");
    assert_eq!(row(&all, "l1.policy"), "\"tinylfu\" built-in");
    assert_eq!(row(&all, "listen[1].address"), "\"127.0.0.1:2\" --listen");
    assert_eq!(row(&all, "rules"), "\"r.toml\" --rules");
    assert_eq!(row(&all, "l2"), "null built-in");
    assert_eq!(row(&all, "--origin"), "\"http://ann:<hidden>@o\" --origin");
    let plain = shown(&Flags::default(), &[]);
    assert_eq!(row(&plain, "listen[0].address"), "\"127.0.0.1:8080\" built-in");
    assert!(!row(&plain, "workers").contains("null"), "what runs is shown");
    assert!(row(&plain, "headers.targeted").contains("cdn-cache-control"));
}

#[test]
fn secrets_are_hidden_and_what_does_not_count_is_not_shown() {
    let all = shown(
        &Flags::default(),
        &[
            ("REDIS_URL", "rediss://ann:secret@cache/3"),
            ("REDIS_PASSWORD", "secret"),
            ("CISTERN_KEY", RING),
            ("REDIS_CACHE_TTL", "300"),
            ("CACHE_PREFIX", "app:"),
            ("REDIS_SYNC_INTERVAL", "60"),
        ],
    );
    let told = format!("{all:?}");
    assert!(!told.contains("secret") && !told.contains(RING), "{told}");
    assert_eq!(row(&all, "l2.url"), "\"rediss://ann:<hidden>@cache/3\" REDIS_URL");
    assert_eq!(row(&all, "l2.password"), "\"<hidden>\" REDIS_PASSWORD");
    assert_eq!(row(&all, "l2.keys"), "\"<hidden>\" CISTERN_KEY");
    assert_eq!(row(&all, "l2.db"), "3 REDIS_URL");
    assert_eq!(row(&all, "l2.tls"), "true REDIS_URL");
    assert_eq!(row(&all, "l2.budget"), "\"20ms\" built-in");
    assert_eq!(row(&all, "REDIS_CACHE_TTL"), "\"5m\" environment");
    assert_eq!(row(&all, "CACHE_PREFIX"), "\"app:\" environment");
    assert_eq!(row(&all, "sync.interval"), "\"1m\" REDIS_SYNC_INTERVAL");
    assert_eq!(row(&all, "sync.rate"), "10 built-in");
    let both = [("REDIS_SYNC_INTERVAL", "60"), ("CISTERN_SYNC__INTERVAL", "5m")];
    let all = shown(&Flags::default(), &both);
    assert_eq!(row(&all, "sync.interval"), "\"5m\" CISTERN_SYNC__INTERVAL");
    let ours = shown(
        &Flags::default(),
        &[("CISTERN_L2__URL", "redis://:secret@h"), ("REDIS_PASSWORD", "other")],
    );
    assert_eq!(row(&ours, "l2.password"), "", "the URL of the higher layer has its own");
    assert_eq!(row(&ours, "l2.tls"), "false built-in");
}
