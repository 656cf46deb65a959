use std::path::PathBuf;

use super::*;
use crate::node::settings::{Flags, Settings, resolve};

/// A folder of its own with a settings file and whatever else is named.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cistern-l2-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        Self(folder)
    }

    fn resolve(&self, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let flags = Flags { config: Some(self.0.join("c.toml")), ..Flags::default() };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        resolve(&flags, &environment.iter().map(owned).collect::<Vec<_>>())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

const RING: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
const PEM: &str = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n";

fn with(file: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let files = [
        ("c.toml", file),
        ("pw", "from file\n"),
        ("ca.pem", PEM),
        ("key.pem", KEY),
        ("ring", RING),
    ];
    Folder::new(&files).resolve(environment)
}

fn config(file: &str, environment: &[(&str, &str)]) -> Config {
    with(file, environment).unwrap().l2.unwrap()
}

fn wrong(file: &str, environment: &[(&str, &str)]) -> String {
    with(file, environment).unwrap_err().to_string()
}

fn at(host: &str, port: u16) -> Address {
    Address { host: host.into(), port }
}

#[test]
fn one_line_is_enough() {
    let config = config("[l2]\nurl = 'redis://127.0.0.1:6379/0'\n", &[]);
    assert_eq!(config.layout, Layout::Single(at("127.0.0.1", 6_379)));
    assert!(config.login == Login::default() && config.tls.is_none());
    assert_eq!((config.db, config.prefix.as_str()), (0, "cistern:"));
    assert_eq!(config.budget, Span::from_millis(20));
    assert_eq!(config.purge_budget, Span::from_millis(100));
    assert_eq!(config.connect_timeout, Span::from_secs(2));
    assert_eq!((config.connections, config.calls_max), (2, 1_024));
    assert_eq!((config.max_object, config.lag_max), (8_000_000, Span::from_secs(1)));
    assert_eq!((config.when_deaf, config.replicas), (WhenDeaf::Revalidate, false));
    assert_eq!(config.journal, None);
    assert!(with("", &[]).unwrap().l2.is_none());
}

#[test]
fn every_key_is_resolved() {
    let folder = Folder::new(&[
        (
            "c.toml",
            "[l2]\nnodes = ['a', 'b:7']\nmode = 'sentinel'\nservice = 'main'\nuser = 'ann'\n\
             password_file = 'pw'\nsentinel_user = 'sue'\nsentinel_password_file = 'pw'\n\
             tls = true\nca = 'ca.pem'\ncert = 'ca.pem'\nkey = 'key.pem'\ndb = 4\n\
             prefix = 'shop:'\nbudget = '30ms'\npurge_budget = '1s'\nconnect_timeout = '500ms'\n\
             connections = 3\ncalls_max = 9\nmax_object = '1MiB'\nlag_max = '2s'\n\
             when_deaf = 'serve'\nreplicas = 'allowed'\njournal = 'j'\nkeys_file = 'ring'\n",
        ),
        ("pw", "from file\r\n"),
        ("ca.pem", PEM),
        ("key.pem", KEY),
        ("ring", RING),
    ]);
    let settings = folder.resolve(&[]).unwrap();
    assert_eq!(settings.l2_keys.as_deref(), Some(RING));
    assert!(!format!("{settings:?}").contains(RING));
    let config = settings.l2.unwrap();
    let sentinels = vec![at("a", 26_379), at("b", 7)];
    assert_eq!(config.layout, Layout::Sentinel { sentinels, service: "main".into() });
    let login = |user: &str| Login { user: Some(user.into()), password: Some("from file".into()) };
    assert!(config.login == login("ann") && config.sentinel_login == login("sue"));
    let tls = config.tls.unwrap();
    assert_eq!(tls.ca.as_deref(), Some(PEM.as_bytes()));
    assert_eq!(tls.identity, Some((PEM.into(), KEY.into())));
    assert_eq!((config.db, config.prefix.as_str()), (4, "shop:"));
    assert_eq!(config.budget, Span::from_millis(30));
    assert_eq!(config.purge_budget, Span::from_secs(1));
    assert_eq!(config.connect_timeout, Span::from_millis(500));
    assert_eq!((config.connections, config.calls_max), (3, 9));
    assert_eq!((config.max_object, config.lag_max), (1 << 20, Span::from_secs(2)));
    assert_eq!((config.when_deaf, config.replicas), (WhenDeaf::Serve, true));
    assert_eq!(config.journal, Some(folder.0.join("j")));
    let cluster = self::config("[l2]\nnodes = ['a', '[::1]:7']\nmode = 'cluster'\n", &[]);
    assert_eq!(cluster.layout, Layout::Cluster(vec![at("a", 6_379), at("::1", 7)]));
}

#[test]
fn the_higher_layer_names_the_server() {
    let host = |file: &str, environment: &[(&str, &str)]| match config(file, environment).layout {
        Layout::Single(address) => address.host,
        other => format!("{other:?}"),
    };
    let file = "[l2]\nurl = 'redis://file'\n";
    assert_eq!(host(file, &[]), "file");
    assert_eq!(host(file, &[("REDIS_HOST", "host")]), "host");
    assert_eq!(host(file, &[("REDIS_HOST", "host"), ("REDIS_URL", "redis://url")]), "url");
    let all = [("CISTERN_L2__URL", "redis://ours"), ("REDIS_URL", "redis://url")];
    assert_eq!(host(file, &all), "ours");
    assert_eq!(host("", &[("REDIS_HOST", "host")]), "host");
    assert_eq!(host("", &[("CISTERN_L2__URL", "redis://ours")]), "ours");
    let nodes = "[l2]\nnodes = ['a']\nmode = 'cluster'\n";
    assert_eq!(host(nodes, &[("REDIS_URL", "redis://url")]), "url");
    let ours = [("CISTERN_L2__NODES", "x:1, y"), ("CISTERN_L2__MODE", "cluster")];
    let layout = config(file, &ours).layout;
    assert_eq!(layout, Layout::Cluster(vec![at("x", 1), at("y", 6_379)]));
}

#[test]
fn the_higher_layer_says_user_password_and_database() {
    let file = "[l2]\nurl = 'redis://in:side@h/1'\nuser = 'own'\npassword_file = 'pw'\ndb = 2\n";
    let said = |file: &str, environment: &[(&str, &str)]| {
        let config = config(file, environment);
        let text = |text: Option<String>| text.unwrap_or_default();
        format!("{} {} {}", text(config.login.user), text(config.login.password), config.db)
    };
    assert_eq!(said(file, &[]), "own from file 2");
    assert_eq!(said(file, &[("REDIS_PASSWORD", "var"), ("REDIS_DB", "3")]), "own var 3");
    assert_eq!(said(file, &[("REDIS_URL", "redis://u:p@h/5")]), "u p 5");
    assert_eq!(said(file, &[("REDIS_URL", "redis://h")]), "own from file 2");
    let both = [("REDIS_URL", "redis://u:p@h/5"), ("REDIS_PASSWORD", "var"), ("REDIS_DB", "0")];
    assert_eq!(said(file, &both), "u var 0", "a variable of its own says more than a part");
    let ours = [("CISTERN_L2__URL", "redis://u:p@h/5"), ("REDIS_PASSWORD", "var")];
    assert_eq!(said(file, &ours), "u p 5");
    let folder = Folder::new(&[("c.toml", "[l2]\nurl = 'redis://:inside@h'\n"), ("pw", "own")]);
    let ours = [("REDIS_PASSWORD", "var"), ("CISTERN_L2__PASSWORD_FILE", "pw")];
    let login = folder.resolve(&ours).unwrap().l2.unwrap().login;
    assert_eq!(login.password.as_deref(), Some("own"));
}

#[test]
fn keys_come_from_a_file_or_a_variable() {
    let keys = |file: &str, environment: &[(&str, &str)]| with(file, environment).unwrap().l2_keys;
    let file = "[l2]\nurl = 'redis://h'\nkeys_file = 'ring'\n";
    let other = format!("2:{RING}");
    assert_eq!(keys(file, &[]).as_deref(), Some(RING));
    assert_eq!(keys(file, &[("CISTERN_KEY", &other)]).as_deref(), Some(&*other));
    assert_eq!(keys("", &[("CISTERN_KEY", &other)]).as_deref(), Some(&*other));
    assert_eq!(keys("", &[]), None);
    let both = [("CISTERN_KEY", "var"), ("CISTERN_L2__KEYS_FILE", "ring")];
    assert!(wrong(file, &both).contains("CISTERN_KEY is set too"));
    for (file, environment, place) in [
        ("[l2]\nurl = 'redis://h'\nkeys_file = 'pw'\n", &[][..], "c.toml:3 l2.keys_file: key 1"),
        (file, &[("CISTERN_KEY", "1:secret")], "CISTERN_KEY: key 1"),
        ("", &[("CISTERN_KEY", "0:secret")], "CISTERN_KEY: key 1"),
    ] {
        let told = wrong(file, environment);
        assert!(told.contains(place), "{told}");
        assert!(!told.contains("secret") && !told.contains("from file"), "{told}");
    }
}

#[test]
fn a_login_that_nobody_can_try_names_its_place_and_no_user() {
    for (file, environment, place) in [
        ("", &[("REDIS_URL", "redis://secret@h")][..], "REDIS_URL: "),
        ("", &[("REDIS_URL", "redis://sec%0aret:pw@h")], "REDIS_URL: "),
        ("[l2]\nurl = 'redis://h'\nuser = 'secret'\n", &[], "c.toml:3 l2.user: "),
        (
            "[l2]\nurl = 'redis+sentinel://h/s'\nsentinel_user = 'secret'\n",
            &[],
            "c.toml:3 l2.sentinel_user: ",
        ),
        (
            "[l2]\nurl = 'redis://h'\npassword_file = 'pw'\nuser = \"sec\\u001bret\"\n",
            &[],
            "c.toml:4 l2.user: ",
        ),
    ] {
        let told = wrong(file, environment);
        assert!(told.contains(place), "{told}");
        assert!(!told.contains("sec") && !told.contains("ret"), "{told}");
        assert!(!told.chars().any(char::is_control), "{told}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_remedy() {
    for (line, words) in [
        ("", ["c.toml:1 l2", "set REDIS_URL"]),
        ("budget = '20ms'", ["c.toml:1 l2", "url = \"redis://"]),
        ("url = 'unix:///tmp/x'", ["c.toml:2 l2.url", "unix sockets"]),
        ("url = 'redis://h'\nnodes = ['a']", ["l2.nodes", "keep one"]),
        ("url = 'redis://h'\nmode = 'cluster'", ["l2.mode", "goes with `nodes`"]),
        ("nodes = ['a']", ["l2.nodes", "mode = \"cluster\""]),
        ("nodes = []\nmode = 'cluster'", ["l2.nodes", "at least one"]),
        ("nodes = ['a', 'redis://:secret@b']\nmode = 'cluster'", ["l2.nodes", "number 2"]),
        ("nodes = ['a']\nmode = 'single'", ["l2.mode", "\"sentinel\""]),
        ("nodes = ['a']\nmode = 'sentinel'", ["l2.mode", "service = "]),
        ("nodes = ['a']\nmode = 'cluster'\nservice = 's'", ["l2.service", "no service"]),
        ("nodes = ['a']\nmode = 'cluster'\ndb = 1", ["l2.db", "database 0"]),
        ("url = 'redis://h'\ndb = -1", ["l2", "db"]),
        ("url = 'redis://h'\npassword_file = 'none'", ["l2.password_file", "none: "]),
        ("url = 'redis://h'\npassword_file = '/dev/zero'", ["l2.password_file", "regular file"]),
        ("url = 'redis://h'\nkeys_file = '/dev/zero'", ["l2.keys_file", "regular file"]),
        ("url = 'rediss://h'\nca = '/dev/zero'", ["l2.ca", "regular file"]),
        (
            "url = 'redis://h'\n[purge]\ntoken_file = '/dev/zero'",
            ["purge.token_file", "regular file"],
        ),
        ("url = 'redis://h'\nsentinel_user = 's'", ["l2.sentinel_user", "no effect"]),
        ("url = 'redis://h'\nsentinel_password_file = 'pw'", ["l2.sentinel_", "no effect"]),
        ("url = 'redis://h'\nca = 'ca.pem'", ["l2.ca", "rediss://"]),
        ("url = 'rediss://h'\ntls = false", ["l2.tls", "rediss"]),
        ("url = 'rediss://h'\nca = 'none.pem'", ["l2.ca", "none.pem"]),
        ("url = 'rediss://h'\nca = 'key.pem'", ["l2.ca", "no CERTIFICATE"]),
        ("url = 'rediss://h'\ncert = 'ca.pem'", ["l2.cert", "key = "]),
        ("url = 'rediss://h'\nkey = 'key.pem'", ["l2.key", "cert = "]),
        ("url = 'redis://h'\nprefix = 'a{b}'", ["l2.prefix", "braces"]),
        ("url = 'redis://h'\nprefix = \"a\\u0001\"", ["l2.prefix", "control"]),
        ("url = 'redis://h'\nbudget = '2s'", ["l2.budget", "1ms to 1s"]),
        ("url = 'redis://h'\nlag_max = '100ms'", ["l2.lag_max", "200ms to 1m"]),
        ("url = 'redis://h'\nconnections = 0", ["l2.connections", "1 to 64"]),
        ("url = 'redis://h'\ncalls_max = 0", ["l2.calls_max", "1 to 65536"]),
        ("url = 'redis://h'\nmax_object = '1GB'", ["l2.max_object", "512MiB"]),
        ("url = 'redis://h'\nwhen_deaf = 'sing'", ["l2.when_deaf", "\"revalidate\""]),
        ("url = 'redis://h'\nreplicas = 'yes'", ["l2.replicas", "\"allowed\""]),
        ("url = 'redis://h'\nkeys_file = 'none'", ["l2.keys_file", "none: "]),
        ("url = 'redis://h'\nenabled = true", ["l2", "enabled"]),
        ("url = 'redis://:secret@h\nx = 1", ["c.toml:2", ""]),
    ] {
        let told = wrong(&format!("[l2]\n{line}\n"), &[]);
        assert!(words.iter().all(|word| told.contains(word)), "{line}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }
    let long = "x".repeat(65);
    assert!(wrong("[l2]\nurl = 'redis://h'\n", &[("CISTERN_L2__PREFIX", &long)]).contains("64"));
    let told = wrong("", &[("REDIS_URL", "redis://:sec ret@h/x")]);
    assert!(told.starts_with("REDIS_URL: ") && !told.contains("ret"), "{told}");
    let told = wrong("", &[("REDIS_HOST", "h"), ("REDIS_POOL_TIMEOUT", "0")]);
    assert!(told.starts_with("REDIS_POOL_TIMEOUT: ") && told.contains("10ms"), "{told}");
}
