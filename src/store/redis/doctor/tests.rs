use super::super::config::{Layout, Login};
use super::super::fault::TierFault;
use super::super::samples::{Folder, Redis, config, free_pair, free_port, wait_for};
use super::*;
use crate::base::units::Span;

/// Nothing to say about it.
const GOOD: [&str; 6] = [
    "--maxmemory",
    "256mb",
    "--maxmemory-policy",
    "volatile-lfu",
    "--notify-keyspace-events",
    "Exe",
];

async fn of(config: &Config) -> Report {
    examine(config, &Clock::system()).await.unwrap()
}

async fn at(redis: &Redis) -> Report {
    of(&config(Layout::Single(redis.address()))).await
}

/// The one finding about something.
#[track_caller]
fn about<'a>(report: &'a Report, what: &str) -> &'a Finding {
    let all: Vec<_> = report.findings.iter().filter(|one| one.what == what).collect();
    let [one] = all.as_slice() else { panic!("{what}: {:?}", report.findings) };
    one
}

#[track_caller]
fn is(report: &Report, what: &str, severity: Severity, words: &str) {
    let one = about(report, what);
    assert_eq!(one.severity, severity, "{one:?}");
    let said = format!("{} {}", one.found, one.remedy.as_deref().unwrap_or_default());
    assert!(said.contains(words), "{said}");
    assert_eq!(one.remedy.is_some(), severity != Severity::Ok, "{one:?}");
}

fn started(options: &[&str]) -> Redis {
    let redis = Redis::start(options).ready();
    wait_for("an answer", || redis.ask::<String>(&["PING"]).ok());
    redis
}

#[tokio::test]
async fn a_good_server_gives_nothing_to_say() {
    let redis = started(&GOOD);
    let report = at(&redis).await;
    assert!(report.is_reached);
    let grave: Vec<_> = report.findings.iter().filter(|one| one.severity != Severity::Ok).collect();
    assert!(grave.is_empty(), "{grave:?}");
    for (what, found) in [
        ("maxmemory", "268.4 MB"),
        ("maxmemory-policy", "volatile-lfu"),
        ("role", "master"),
        ("persistence", "none"),
        ("state", "no node has joined"),
        ("rights", "default may give all"),
    ] {
        assert!(about(&report, what).found.contains(found), "{:?}", about(&report, what));
    }
    assert_eq!(about(&report, "version").place, redis.address().to_string());
    // It was looked at, and nothing else happened to it.
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]).unwrap(), 0);
}

#[tokio::test]
async fn what_is_set_badly_comes_with_the_command_that_mends_it() {
    let redis = started(&["--maxmemory-policy", "allkeys-lru", "--notify-keyspace-events", "Kx"]);
    let report = at(&redis).await;
    is(&report, "maxmemory-policy", Severity::Problem, "maxmemory-policy volatile-lfu");
    is(&report, "maxmemory", Severity::Warning, "CONFIG SET maxmemory");
    let remedy = about(&report, "notify-keyspace-events").remedy.clone().unwrap();
    let words: Vec<_> = remedy.split(',').next().unwrap().split(' ').collect();
    assert_eq!(redis.ask::<String>(&words).unwrap(), "OK");
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).unwrap();
    let used: String = redis.ask(&["INFO", "memory"]).unwrap();
    let used: u64 = used
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok())
        .unwrap();
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", &(used / 2).to_string()]).unwrap();
    let report = at(&redis).await;
    is(&report, "notify-keyspace-events", Severity::Ok, "E");
    is(&report, "maxmemory-policy", Severity::Ok, "noeviction");
    is(&report, "memory", Severity::Problem, "puts are refused");
    is(&report, "rights", Severity::Ok, "all");
}

#[tokio::test]
async fn a_user_with_few_rights_is_told_which_are_missing() {
    let redis = started(&GOOD);
    let rules = "on >pw ~cistern:* &cistern:* +@all -config -xadd";
    let words: Vec<_> = ["ACL", "SETUSER", "ann"].into_iter().chain(rules.split(' ')).collect();
    redis.ask::<String>(&words).unwrap();
    let mut config = config(Layout::Single(redis.address()));
    config.login = Login { user: Some("ann".into()), password: Some("pw".into()) };
    let report = of(&config).await;
    is(&report, "rights", Severity::Problem, "ACL SETUSER ann ~cistern:* &cistern:* +xadd");
    is(&report, "CONFIG GET", Severity::Warning, "min-replicas-to-write");
    is(&report, "messages", Severity::Warning, "&__keyevent@0__:*");
    config.prefix = "other:".to_owned();
    let report = of(&config).await;
    is(&report, "rights", Severity::Problem, "~other:*");
    config.login.password = Some("wrong".into());
    let report = of(&config).await;
    assert!(report.is_reached, "it answered");
    is(&report, "reachable", Severity::Problem, "l2.password_file");
    assert!(!format!("{report:?}").contains("\"pw\""));
}

#[tokio::test]
async fn who_takes_no_writes_is_no_master() {
    let (master, port) = (started(&GOOD), free_port());
    let options = ["--replicaof", "127.0.0.1", &master.port().to_string()];
    let replica = Redis::start_at(port, &options).ready();
    wait_for("the replica to follow", || {
        let said: String = replica.ask(&["INFO", "replication"]).ok()?;
        said.contains("master_link_status:up").then_some(())
    });
    let report = at(&replica).await;
    is(&report, "role", Severity::Problem, "name its master");
    assert_eq!(about(&at(&master).await, "role").found, "master");
}

#[tokio::test]
async fn a_node_of_a_cluster_is_none_alone() {
    let node = Redis::start_at(free_pair(), &["--cluster-enabled", "yes"]).ready();
    wait_for("an answer", || node.ask::<String>(&["PING"]).ok());
    is(&at(&node).await, "mode", Severity::Problem, "redis+cluster://");
    let report = of(&config(Layout::Cluster(vec![started(&GOOD).address()]))).await;
    assert!(report.count(Severity::Problem) > 0 && !report.is_reached);
}

#[tokio::test]
async fn nobody_there_and_somebody_mute_are_not_reached() {
    let closed = Address { host: "127.0.0.1".to_owned(), port: free_port() };
    let report = of(&config(Layout::Single(closed))).await;
    assert!(!report.is_reached);
    is(&report, "reachable", Severity::Problem, "firewall");
    let mute = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = mute.local_addr().unwrap().port();
    let mut config = config(Layout::Single(Address { host: "127.0.0.1".to_owned(), port }));
    config.connect_timeout = Span::from_millis(50);
    let report = of(&config).await;
    assert!(!report.is_reached);
    is(&report, "reachable", Severity::Problem, "no answer within 50ms");
}

#[test]
fn a_server_that_is_old_or_loads_is_told_from_one_that_serves() {
    let info = "redis_version:6.2.7\r\nredis_mode:standalone\r\nrole:master\r\nloading:1\r\n";
    let facts = Facts::made(info, &[]);
    let found = state::judge(&facts, Role::Master, Standing::Single);
    let grave = |what| found.iter().find(|one| one.what == what).map(|one| one.severity);
    assert_eq!(grave("version"), Some(Severity::Problem));
    assert_eq!(grave("loading"), Some(Severity::Problem));
    assert_eq!(grave("role"), Some(Severity::Ok));
    let loading = Err(TierFault::Refused("LOADING it loads".into()));
    assert_eq!(state::ping(&loading, Span::from_millis(20)).severity, Severity::Problem);
}

#[test]
fn an_answer_is_weighed_by_the_budget_of_a_request() {
    let ping = |micros| state::ping(&Ok(micros), Span::from_millis(20)).severity;
    assert_eq!(
        [9_999, 10_000, 20_000].map(ping),
        [Severity::Ok, Severity::Warning, Severity::Problem]
    );
}

#[test]
fn a_cache_that_evicts_may_be_full_and_one_that_does_not_may_not() {
    let severity = |policy: &str, used: u64| {
        let info = format!("maxmemory:1000\r\nmaxmemory_policy:{policy}\r\nused_memory:{used}\r\n");
        let found = memory::judge(&Facts::made(&info, &[]));
        found.into_iter().find(|one| one.what == "memory").unwrap().severity
    };
    let uses = [799, 800, 900];
    let noeviction = uses.map(|used| severity("noeviction", used));
    assert_eq!(noeviction, [Severity::Ok, Severity::Warning, Severity::Problem]);
    let volatile = uses.map(|used| severity("volatile-lfu", used));
    assert_eq!(volatile, [Severity::Ok, Severity::Ok, Severity::Warning]);
}

#[test]
fn a_master_under_sentinels_must_miss_its_replicas() {
    let severity = |info: &str, least: &str, lag: &str, what: &str| {
        let settings = [("min-replicas-to-write", least), ("min-replicas-max-lag", lag)];
        let found = followers::judge(&Facts::made(info, &settings), Standing::Watched);
        found.into_iter().find(|one| one.what == what).unwrap().severity
    };
    let one = "connected_slaves:1\r\nslave0:ip=::1,port=7,state=online,offset=5,lag=1\r\n\
               min_slaves_good_slaves:1\r\n";
    assert_eq!(severity(one, "1", "10", "split brain"), Severity::Ok);
    assert_eq!(severity(one, "0", "10", "split brain"), Severity::Warning);
    assert_eq!(severity(one, "1", "0", "split brain"), Severity::Warning);
    assert_eq!(severity(one, "2", "10", "split brain"), Severity::Problem);
    assert_eq!(severity(one, "1", "10", "replicas"), Severity::Ok);
    for (from, to) in
        [("lag=1", "lag=11"), ("state=online", "state=wait_bgsave"), ("s:1\r", "s:0\r")]
    {
        assert_eq!(severity(&one.replacen(from, to, 1), "1", "10", "replicas"), Severity::Warning);
    }
    assert!(followers::judge(&Facts::made(one, &[]), Standing::Single).is_empty());
}

#[test]
fn clocks_are_weighed_by_what_is_certain() {
    let skew = |ahead_ms, give_or_take_ms| Skew { ahead_ms, give_or_take_ms };
    let severity = |one| clocks::of_server(one).severity;
    assert_eq!(severity(skew(1_001, 1)), Severity::Ok);
    assert_eq!(severity(skew(-1_500, 1)), Severity::Warning);
    assert_eq!(severity(skew(61_000, 2_000)), Severity::Warning);
    assert_eq!(severity(skew(-61_000, 500)), Severity::Problem);
    let at = |port| Address { host: "h".to_owned(), port };
    assert_eq!(clocks::judge(&[(at(1), skew(9, 1))]), None);
    // Each is near enough to us, and they are not to each other.
    let two = clocks::judge(&[(at(1), skew(-900, 1)), (at(2), skew(900, 1))]).unwrap();
    assert_eq!(two.severity, Severity::Warning);
    assert!(two.found.contains("h:1 and h:2"), "{two:?}");
}

#[test]
fn what_a_server_says_stays_on_one_line() {
    let said = format!("a\r\n\u{1b}[2J{}", "x".repeat(1_000));
    let found = well("version", said).found;
    assert!(found.len() <= limits::FINDING_CHARS_MAX && !found.contains(char::is_control));
}

#[test]
fn a_journal_must_be_writable() {
    let folder = Folder::new();
    let grave = |path: &std::path::Path| fleet::journal(Some(path)).severity;
    assert_eq!(grave(folder.path()), Severity::Ok);
    assert_eq!(grave(&folder.path().join("not/there/yet")), Severity::Ok);
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(grave(&folder.path().join("file")), Severity::Problem);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    std::fs::write(folder.path().join("orders.journal"), "1234").unwrap();
    assert!(fleet::journal(Some(folder.path())).found.ends_with("4 bytes wait"));
}
