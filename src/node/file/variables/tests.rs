use super::*;

fn read(all: &[(&str, &str)]) -> Result<Variables, SettingsError> {
    let all: Vec<_> = all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Variables::read(&all)
}

fn laid(text: &str, all: &[(&str, &str)]) -> (Table, Places, Vec<String>) {
    let environment: Vec<_> = all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let mut variables = Variables::read(&environment).unwrap();
    let mut table: Table = text.parse().unwrap();
    let mut places = Places::default();
    places.learn(std::path::Path::new("c.toml"), text);
    variables.lay_over(&mut table, &mut places, &environment);
    (table, places, variables.warnings)
}

#[test]
fn every_variable_is_read() {
    let all = read(&[
        ("REDIS_CACHE_TTL", "300"),
        ("CACHE_PREFIX", "app:"),
        ("REDIS_SYNC_INTERVAL", "60"),
        ("REDIS_DB", "3"),
        ("REDIS_MAX_CONNECTIONS", "10"),
        ("REDIS_POOL_TIMEOUT", "1.5"),
        ("REDIS_PASSWORD", "pw"),
        ("REDIS_HOST", "cache"),
        ("REDIS_PORT", "7000"),
    ])
    .unwrap();
    assert_eq!(all.cache_ttl, Some(Span::from_secs(300)));
    assert_eq!(all.cache_prefix.as_deref(), Some("app:"));
    assert_eq!(all.sync_interval, Some(Span::from_secs(60)));
    assert_eq!((all.db, all.max_connections), (Some(3), Some(10)));
    assert_eq!(all.pool_timeout, Some(Span::from_millis(1_500)));
    assert_eq!(all.password, Some(("pw".into(), "REDIS_PASSWORD")));
    assert_eq!(all.url, Some(("redis://cache:7000".into(), "REDIS_HOST")));
    assert!(all.warnings.is_empty(), "{:?}", all.warnings);
    assert!(!format!("{all:?}").contains("pw"));
}

#[test]
fn what_is_empty_is_not_set() {
    let empty = names::VARIABLES.map(|name| (name, ""));
    let all = read(&empty).unwrap();
    assert!(all.url.is_none() && all.password.is_none() && all.cache_ttl.is_none());
    assert!(all.warnings.is_empty());
}

#[test]
fn a_wrong_value_names_its_variable_and_the_remedy() {
    for (name, value, remedy) in [
        ("REDIS_CACHE_TTL", "5m", "write 300"),
        ("REDIS_CACHE_TTL", "-1", "write 300"),
        ("REDIS_CACHE_TTL", "99999999999", "write 300"),
        ("REDIS_SYNC_INTERVAL", "0", "from 1 up"),
        ("REDIS_DB", "one", "write 0"),
        ("REDIS_MAX_CONNECTIONS", "0", "1 or more"),
        ("REDIS_POOL_TIMEOUT", "2s", "write 2 or 0.5"),
        ("REDIS_POOL_TIMEOUT", ".", "write 2 or 0.5"),
        ("REDIS_POOL_TIMEOUT", "1.2.3", "write 2 or 0.5"),
        ("CACHE_PREFIX", "a b", "app:"),
        ("CACHE_PREFIX", "a*", "app:"),
        ("REDIS_HOST", "redis://:secret@cache", "REDIS_URL"),
        ("REDIS_HOST", "cache:6379", "REDIS_PORT"),
        ("REDIS_URL_FILE", "/no/such/file", "/no/such/file"),
        ("REDIS_PASSWORD_FILE", "/no/such/file", "/no/such/file"),
        ("CISTERN_KEY_FILE", "/dev/null", "not a regular file"),
    ] {
        let wrong = read(&[(name, value)]).unwrap_err();
        assert_eq!(wrong.place, name);
        assert!(wrong.problem.contains(remedy), "{wrong}");
        assert!(!wrong.problem.contains("secret"), "{wrong}");
    }
    let twice = read(&[("REDIS_PASSWORD", "secret"), ("REDIS_PASSWORD_FILE", "x")]).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "REDIS_PASSWORD: REDIS_PASSWORD_FILE is set too; set one of them"
    );
}

#[test]
fn a_port_counts_only_beside_a_host() {
    let link = ("REDIS_PORT", "tcp://10.0.0.1:6379");
    assert!(read(&[link]).unwrap().url.is_none());
    let told = read(&[("REDIS_HOST", "cache"), link]).unwrap_err().to_string();
    assert!(told.contains("REDIS_PORT") && told.contains("enableServiceLinks"), "{told}");
    let six = read(&[("REDIS_HOST", "::1")]).unwrap();
    assert_eq!(six.url.unwrap().0, "redis://[::1]:6379");
    let both = read(&[("REDIS_URL", "redis://a"), ("REDIS_HOST", "b"), link]).unwrap();
    assert_eq!(both.url, Some(("redis://a".into(), "REDIS_URL")));
    let told = "REDIS_HOST has no effect: REDIS_URL counts";
    assert_eq!((both.warnings.len(), both.warnings[0].as_str()), (2, told));
}

#[test]
fn the_file_is_overlaid() {
    let file = "[l2]\nurl = 'redis://file'\nconnections = 4\nconnect_timeout = '1s'\ndb = 1\n";
    let (table, places, _) = laid(
        file,
        &[
            ("REDIS_URL", "redis://variable"),
            ("REDIS_MAX_CONNECTIONS", "3"),
            ("REDIS_POOL_TIMEOUT", "0.25"),
            ("REDIS_DB", "2"),
        ],
    );
    let l2 = &table["l2"];
    assert_eq!(l2["url"].as_str(), Some("redis://variable"));
    assert_eq!(l2["connections"].as_integer(), Some(3));
    assert_eq!(l2["connect_timeout"].as_str(), Some("250ms"));
    assert_eq!(l2["db"].as_integer(), Some(2));
    assert_eq!(places.of("l2.connections").to_string(), "REDIS_MAX_CONNECTIONS");
    let (table, places, _) = laid(file, &[("REDIS_MAX_CONNECTIONS", "50")]);
    assert_eq!(table["l2"]["connections"].as_integer(), Some(4), "it is a bound");
    assert_eq!(places.of("l2.connections").to_string(), "c.toml:3");
}

#[test]
fn without_a_server_the_others_are_told_of() {
    let (table, _, warnings) =
        laid("", &[("REDIS_PASSWORD", "pw"), ("REDIS_DB", "1"), ("REDIS_CACHE_TTL", "9")]);
    assert!(table.is_empty());
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().all(|told| told.contains("REDIS_URL or REDIS_HOST")));
    let (table, _, warnings) = laid("", &[("REDIS_HOST", "cache"), ("REDIS_DB", "1")]);
    assert_eq!(table["l2"]["url"].as_str(), Some("redis://cache:6379"));
    assert!(warnings.is_empty());
}
