//! What somebody else's hand does to the names of the fleet in Redis: it heals, nothing that was
//! acknowledged is answered with older data, and no request fails.

use std::time::Duration;

use crate::support::caller::Caller;
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK, entries, stored};
use crate::support::redis::{Server, holds_within, until};
use crate::support::versions::Versions;

/// A command that damages something; `TURN` stands for the present turn, `NOW` for its last number.
type Damage = &'static [&'static str];

const KINDS: [(&str, Damage); 4] = [
    ("a text", &["SET", "NAME", "garbage"]),
    ("a list", &["RPUSH", "NAME", "x", "y"]),
    ("another hash", &["HSET", "NAME", "zz", "garbage"]),
    ("a stream", &["XADD", "NAME", "*", "zz", "1"]),
];

const DAMAGE: [Damage; 19] = [
    &["HSET", "cistern:{c}:head", "turn", "4294967296"],
    &["HSET", "cistern:{c}:head", "turn", "4294967294"],
    &["HSET", "cistern:{c}:head", "turn", "-5"],
    &["HSET", "cistern:{c}:head", "turn", "abc"],
    &["HSET", "cistern:{c}:head", "turn", "1"],
    &["HSET", "cistern:{c}:head", "last", "garbage"],
    &["HSET", "cistern:{c}:head", "last", "TURN-4294967295"],
    &["HSET", "cistern:{c}:head", "last", "0-0"],
    &["HSET", "cistern:{c}:head", "base", "garbage"],
    &["HSET", "cistern:{c}:head", "logged", "garbage"],
    &["HSET", "cistern:{c}:head", "logged", "99999999999", "middle", "garbage"],
    &["XADD", "cistern:{c}:log", "18446744073709551615-18446744073709551615", "a", "b"],
    &["XADD", "cistern:{c}:log", "TURN-999999", "a", "b"],
    &["XADD", "cistern:{c}:log", "TURN-999999", "p", "NOW", "i", "x", "e", "-", "s", "a0:"],
    &["XTRIM", "cistern:{c}:log", "MAXLEN", "0"],
    &["HSET", "cistern:{c}:members", "zz", "zz", "00000000000000aa", "zz", "", "x"],
    &["DEL", "cistern:{c}:members"],
    &["PUBLISH", "cistern:{c}:orders", "TURN-4000000000 NOW ff-1 - k5:zzzzz"],
    &["PUBLISH", "cistern:{c}:orders", "4294967295-0 NOW ff-1 - k5:zzzzz"],
];

/// Two nodes that have the same in L1, on a server that is damaged between two changes.
struct Shop {
    redis: Server,
    origin: Versions,
    fleet: Fleet,
}

impl Shop {
    fn open() -> Self {
        let (redis, origin) = (Server::start(), Versions::start());
        let fleet = Fleet::of(2, origin.address(), &redis.url());
        Self { redis, origin, fleet }
    }

    fn does(&self, command: Damage, name: &str) {
        let head = |field: &str| self.redis.cli(&["HGET", "cistern:{c}:head", field]);
        let (turn, last) = (head("turn"), head("last"));
        let words: Vec<String> = command
            .iter()
            .map(|word| word.replace("NAME", name).replace("TURN", turn.trim()))
            .map(|word| word.replace("NOW", last.trim()))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if name.is_empty() {
            self.redis.cli(&words);
            return;
        }
        // What has its own kind stands in the way of another, and comes back at once.
        let script = "redis.call('DEL', KEYS[1]) return redis.call(unpack(ARGV))";
        self.redis.cli(&[&["EVAL", script, "1", name], &words[..]].concat());
    }

    /// Changes go on through the first node while the second asks; then all is as it was.
    #[track_caller]
    fn heals(&self, what: &str, path: &str) {
        let [writer, other] = &self.fleet.nodes[..] else { panic!("two nodes") };
        for _ in 0..6 {
            writer.send(&ask("PUT", path)).with_status(200);
            let version = self.origin.version(path);
            let told = writer.get(path).with_status(200).json();
            assert_eq!(told["version"], version, "{what}: older on its own node");
            let follows = || other.get(path).with_status(200).json()["version"] == version;
            // Whoever hears nothing for so long asks the origin.
            assert!(holds_within(LAG_MAX + SLACK, follows), "{what}: older on the other node");
        }
        let whole = || {
            let told = Caller::of(writer.address()).asks("PURGE", path);
            told.is_ok_and(|told| told.member("level").is_some_and(|level| level == "nodes"))
        };
        assert!(holds_within(Duration::from_secs(10), whole), "{what}: it never healed");
        let shared = || {
            let path = format!("{path}/{}", self.origin.asked_in_all());
            writer.get(&path);
            std::thread::sleep(Duration::from_millis(20));
            other.get(&path).cache_status().contains("L2")
        };
        assert!(holds_within(Duration::from_secs(10), shared), "{what}: nothing is shared");
    }
}

#[test]
fn names_that_hold_something_else_heal() {
    let shop = Shop::open();
    for name in ["head", "log", "fences", "members", "done", "open", "runs", "expect"] {
        for (kind, damage) in KINDS {
            let path = format!("/{name}/{}", kind.replace(' ', "-"));
            shop.fleet.each(&get(&path));
            shop.does(damage, &format!("cistern:{{c}}:{name}"));
            shop.heals(&format!("{kind} under {name}"), &path);
        }
    }
}

#[test]
fn a_broom_that_nobody_holds_is_taken_again() {
    let shop = Shop::open();
    let broom = "cistern:{c}:broom";
    for damage in [&["RPUSH", "NAME", "x"][..], &["SET", "NAME", "x"], &["HSET", "NAME", "x", "y"]]
    {
        let words: Vec<_> =
            damage.iter().map(|word| if *word == "NAME" { broom } else { *word }).collect();
        shop.fleet.each(&get("/swept"));
        stored(&shop.redis, "/swept}", 1);
        shop.redis.cli(&["DEL", broom]);
        shop.redis.cli(&words);
        let all = ask("PURGE", "/").header("X-Purge-Selector", "pattern:*swept*");
        shop.fleet.nodes[0].send(&all).with_status(200);
        let swept = || entries(&shop.redis).iter().all(|key| !key.contains("/swept}"));
        assert!(holds_within(Duration::from_secs(20), swept), "{damage:?}");
    }
}

#[test]
fn values_that_no_member_wrote_heal() {
    let shop = Shop::open();
    for (number, damage) in DAMAGE.iter().enumerate() {
        let path = format!("/damage/{number}");
        shop.fleet.each(&get(&path));
        shop.does(damage, "");
        shop.heals(&damage.join(" "), &path);
    }
}

#[test]
fn a_server_that_falls_back_without_a_restart_is_noticed() {
    let redis = Server::with(&["--enable-debug-command", "yes"]);
    let origin = Versions::start();
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    let shop = Shop { redis, origin, fleet };
    shop.redis.save();
    for number in 0..5 {
        let path = format!("/before/{number}");
        shop.fleet.each(&get(&path));
        shop.fleet.nodes[0].send(&ask("PUT", &path)).with_status(200);
        shop.fleet.each(&get(&path));
    }
    shop.redis.cli(&["DEBUG", "RELOAD", "NOSAVE"]);
    for number in 0..5 {
        shop.heals("a fall back", &format!("/before/{number}"));
    }
    let log = shop.fleet.nodes[1].log_so_far();
    assert!(log.matches(" REDIS joined ").count() > 1, "nobody began anew: {log}");
}

#[test]
fn fleets_in_two_databases_have_nothing_to_do_with_each_other() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let url = |db: u8| format!("{}/{db}", redis.url().trim_end_matches("/0"));
    let (one, two) = (url(1), url(2));
    let one = Fleet::of(2, origin.address(), &one);
    let two = Fleet::of(2, origin.address(), &two);
    redis.save();
    redis.kill();
    redis.restart();
    one.is_one();
    two.is_one();
    for number in 0..10 {
        let path = format!("/apart/{number}");
        // The first gives many orders; the second takes none of them for its own.
        for _ in 0..3 {
            one.nodes[0].send(&ask("PUT", &path)).with_status(200);
        }
        two.each(&get(&path));
        two.nodes[0].send(&ask("PUT", &path)).with_status(200);
        two.all_tell(&path, origin.version(&path));
    }
}

#[test]
fn a_lease_that_nobody_ends_holds_nobody_up() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(1, origin.address(), &redis.url());
    for (number, options) in [&[][..], &["PX", "3600000"]].into_iter().enumerate() {
        let path = format!("/held/{number}");
        // The name that a fetch of it leaves under is known from its frame's.
        fleet.nodes[0].get(&path);
        stored(&redis, &format!("{path}}}"), 1);
        let frames = redis.keys(&format!("cistern:e:*{path}*"));
        let frame = frames.first().expect("a frame");
        fleet.nodes[0].send(&ask("PURGE", &path)).with_status(200);
        let lease = frame.replacen("cistern:e:", "cistern:l:", 1);
        redis.cli(&[&["SET", &lease, "somebody"], options].concat());
        let began = std::time::Instant::now();
        fleet.nodes[0].get(&path).with_status(200);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[test]
fn a_right_that_is_taken_away_for_a_moment_loses_no_order() {
    let (redis, origin) = (Server::start(), Versions::start());
    redis.cli(&["ACL", "SETUSER", "node", "on", ">pw", "~*", "&*", "+@all"]);
    let url = redis.url().replacen("redis://", "redis://node:pw@", 1);
    let fleet = Fleet::of(2, origin.address(), &url);
    fleet.each(&get("/a"));
    redis.cli(&["ACL", "SETUSER", "node", "resetchannels"]);
    for _ in 0..3 {
        fleet.nodes[0].send(&ask("PUT", "/a")).with_status(200);
    }
    fleet.all_tell("/a", origin.version("/a"));
    redis.cli(&["ACL", "SETUSER", "node", "&*"]);
    until("nothing waits", || {
        let told = fleet.nodes[0].send(&ask("PURGE", "/a")).json();
        told["level"] == "nodes"
    });
    fleet.nodes[0].send(&ask("PUT", "/a")).with_status(200);
    fleet.all_tell("/a", origin.version("/a"));
}
