//! What stands in Redis may be anything: somebody wrote over it, half of it is gone, a newer
//! program put it there. Then it is a miss, it goes, and the request never notices.

use crate::support::fleet::{Fleet, entries, stored};
use crate::support::redis::{Server, until};
use crate::support::versions::Versions;

/// Nothing is answered from memory, so that every question looks into Redis.
const RULES: &str = r#"
version = 1
[defaults]
l1 = false
ttl = "5m"
stale_if_error = "0s"
[[route]]
name = "read"
match = "GET /items/{id}"
key = "item:{id}"
"#;

struct Shelf {
    redis: Server,
    origin: Versions,
    fleet: Fleet,
}

impl Shelf {
    /// With values of about so many bytes.
    fn of(bytes: usize) -> Self {
        let (redis, origin) = (Server::start(), Versions::start());
        let fleet = Fleet::ruled(2, origin.address(), &redis.url(), RULES);
        origin.pads_with(bytes);
        Self { redis, origin, fleet }
    }

    /// Puts an answer to `/items/NAME` there. Its key and its value.
    fn put(&self, name: &str) -> (String, Vec<u8>) {
        self.fleet.nodes[0].get(&format!("/items/{name}")).with_status(200);
        let text = format!("{{item:{name}}}");
        stored(&self.redis, &text, 1);
        let mut keys = entries(&self.redis).into_iter();
        let key = keys.find(|key| key.contains(&text)).expect("it is there");
        let value = self.redis.bytes(&["GET", &key]);
        assert!(value.len() > 100, "{}: {value:?}", value.len());
        (key, value)
    }

    /// What stands there now is a miss, and goes.
    #[track_caller]
    fn is_refused(&self, name: &str, key: &str, how: &str) {
        let target = format!("/items/{name}");
        // With the origin in trouble nothing takes the place of what goes.
        self.origin.fails_with(503);
        for node in &self.fleet.nodes {
            node.get(&target).with_status(503).served_by_origin();
        }
        until(&format!("{how} is gone"), || self.redis.cli(&["EXISTS", key]) == "0");
        self.origin.recovers();
        let asked = self.origin.asked(&format!("GET {target}"));
        let answer = self.fleet.nodes[1].get(&target).with_status(200).served_by_origin();
        assert_eq!(answer.json()["path"], target.as_str());
        stored(&self.redis, &format!("{{item:{name}}}"), 1);
        self.fleet.nodes[0].get(&target).with_status(200).served_from_store();
        assert_eq!(self.origin.asked(&format!("GET {target}")), asked + 1, "{how}");
    }
}

/// What somebody did to a value.
type Break = fn(&mut Vec<u8>);

#[test]
fn a_broken_value_is_a_miss_and_goes() {
    let shelf = Shelf::of(3_000);
    let breaks: [(&str, Break); 9] = [
        ("nothing", Vec::clear),
        ("a word", |value| *value = b"hello".to_vec()),
        ("noise", |value| value.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31) ^ 0xa5)),
        ("a half", |value| value.truncate(value.len() / 2)),
        ("all but the last byte", |value| value.truncate(value.len() - 1)),
        ("a byte too many", |value| value.push(0)),
        ("a bit of its beginning", |value| value[9] ^= 1),
        ("a bit of its end", |value| *value.last_mut().expect("a byte") ^= 0x80),
        ("a newer form", |value| value[4] = value[4].wrapping_add(1)),
    ];
    for (number, (how, change)) in breaks.into_iter().enumerate() {
        let name = number.to_string();
        let (key, mut value) = shelf.put(&name);
        change(&mut value);
        shelf.redis.set_bytes(&["SET", &key], &value);
        shelf.is_refused(&name, &key, how);
    }
}

/// What is too long to come along with a look.
#[test]
fn a_broken_long_value_is_a_miss_and_goes() {
    let shelf = Shelf::of(300_000);
    let breaks: [(&str, Break); 4] = [
        ("a half", |value| value.truncate(value.len() / 2)),
        ("a short beginning", |value| value.truncate(30_000)),
        ("a bit of its middle", |value| {
            let middle = value.len() / 2;
            value[middle] ^= 1;
        }),
        ("a bit of its end", |value| *value.last_mut().expect("a byte") ^= 0x80),
    ];
    for (number, (how, change)) in breaks.into_iter().enumerate() {
        let name = number.to_string();
        let (key, mut value) = shelf.put(&name);
        assert!(value.len() > 150_000, "{}", value.len());
        change(&mut value);
        shelf.redis.set_bytes(&["SET", &key], &value);
        shelf.is_refused(&name, &key, how);
    }
}

#[test]
fn a_value_of_another_kind_is_a_miss_and_goes() {
    let shelf = Shelf::of(3_000);
    let kinds: [(&str, &[&str]); 4] = [
        ("a map", &["HSET", "KEY", "a", "b"]),
        ("a list", &["RPUSH", "KEY", "hello"]),
        ("a set", &["SADD", "KEY", "hello"]),
        ("a stream", &["XADD", "KEY", "*", "a", "b"]),
    ];
    for (number, (how, words)) in kinds.into_iter().enumerate() {
        let name = number.to_string();
        let (key, ..) = shelf.put(&name);
        shelf.redis.cli(&["DEL", &key]);
        let words: Vec<_> = words.iter().map(|word| word.replace("KEY", &key)).collect();
        shelf.redis.cli(&words.iter().map(String::as_str).collect::<Vec<_>>());
        shelf.is_refused(&name, &key, how);
    }
}

#[test]
fn the_value_of_another_key_is_a_miss_and_goes() {
    let shelf = Shelf::of(3_000);
    let (_, other) = shelf.put("other");
    let (key, _) = shelf.put("own");
    shelf.redis.set_bytes(&["SET", &key], &other);
    shelf.is_refused("own", &key, "the value of another key");
}
