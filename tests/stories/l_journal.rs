//! Purges of a time in which Redis was away: they hold here at once, elsewhere after it is back,
//! and with a journal not even the death of their node loses them.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::cistern::{Setup, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::redis::{Server, holds_within, until};
use crate::support::versions::Versions;

/// A node that writes down what waits.
fn keeping(origin: &Versions, redis: &Server) -> Setup {
    let settings = format!("{}journal = \"journal\"\n", settings(&redis.url()));
    in_front_of(origin.address()).config(&settings)
}

#[track_caller]
fn is_local(answer: Answer) {
    let told = answer.with_status(202).json();
    assert_eq!(told["level"], "local", "{told}");
}

#[test]
fn a_purge_without_redis_is_local_and_says_so() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    for path in ["/a", "/b"] {
        fleet.each(&get(path));
        stored(&redis, &format!("{path}}}"), 1);
    }
    redis.save();
    redis.kill();
    let version = origin.commit("/a");
    // Redis may be found dead by this very question.
    is_local(fleet.nodes[0].send(&ask("PURGE", "/a")));
    assert_eq!(fleet.nodes[0].get("/a").json()["version"], version);
    // A writer does not wait, nor is it told of any trouble.
    fleet.nodes[0].send(&ask("PUT", "/b")).with_status(200);
    assert_eq!(fleet.nodes[0].get("/b").json()["version"], 2);
    // The other hears nothing either, and soon trusts nothing.
    fleet.all_tell("/a", version);
    fleet.all_tell("/b", 2);
    // What comes back is older than the purge.
    redis.restart();
    fleet.is_one();
    fleet.all_tell("/a", version);
    fleet.all_tell("/b", 2);
    let told = fleet.nodes[0].send(&ask("PURGE", "/a")).json();
    assert_ne!(told["level"], "local", "{told}");
}

#[test]
fn a_journal_outlives_its_node() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let mut fleet = Fleet::start([keeping(&origin, &redis), keeping(&origin, &redis)]);
    let (by_key, by_tag) = ("/a", "/b");
    for path in [by_key, by_tag] {
        fleet.nodes[0].get(path).with_status(200);
        stored(&redis, &format!("{path}}}"), 1);
    }
    redis.save();
    redis.kill();
    let versions = [by_key, by_tag].map(|path| origin.commit(path));
    is_local(fleet.nodes[0].send(&ask("PURGE", by_key)));
    let prefix = "prefix:http://api.example/b";
    is_local(fleet.nodes[0].send(&ask("PURGE", "/").header("X-Purge-Selector", prefix)));
    // The one that knows dies; what it did not know of comes back in Redis.
    let dead = fleet.nodes.remove(0).crashes();
    redis.restart();
    fleet.nodes.insert(0, dead.start());
    fleet.is_one();
    for (path, version) in [by_key, by_tag].into_iter().zip(versions) {
        fleet.all_tell(path, version);
        for node in &fleet.nodes {
            assert!((0..20).all(|_| node.get(path).json()["version"] == version), "{path}");
        }
        let new = Fleet::of(1, origin.address(), &redis.url());
        assert_eq!(new.nodes[0].get(path).json()["version"], version, "{path} on a new node");
    }
}

#[test]
fn what_a_node_was_writing_when_it_died_is_purged_by_another() {
    let (redis, origin) = (Server::start(), Versions::start());
    let rules = format!(
        "version = 1\n[origin.it]\nurl = \"http://{}\"\ntimeout = \"1s\"\n\
         [[route]]\nname = \"all\"\nmatch = \"GET|PUT /{{rest...}}\"\norigin = \"it\"\n",
        origin.address()
    );
    let node = || {
        let setup = in_front_of(origin.address()).without("--origin");
        setup.config(&settings(&redis.url())).rules(&rules)
    };
    let mut fleet = Fleet::start([node(), node()]);
    for answer in fleet.each(&get("/a")) {
        assert_eq!(answer.with_status(200).json()["version"], 1);
    }
    let gate = origin.holds("PUT /a");
    let _writer = fleet.nodes[0].begin(&ask("PUT", "/a"));
    // It is committed, and its node has not been told.
    gate.reached();
    drop(fleet.nodes.remove(0).crashes());
    let other = &fleet.nodes[0];
    assert_eq!(other.get("/a").json()["version"], 1, "who should have told it is dead");
    // The origin's time, five seconds, and two for the dead one.
    let told = || other.get("/a").with_status(200).json()["version"] == 2;
    assert!(holds_within(Duration::from_secs(30), told), "nobody purged it");
    gate.open();
}

#[test]
fn a_write_may_take_longer_than_its_origin_may() {
    let (redis, origin) = (Server::start(), Versions::start());
    let rules = format!(
        "version = 1\n[origin.it]\nurl = \"http://{}\"\ntimeout = \"1s\"\n\
         [[route]]\nname = \"all\"\nmatch = \"GET|PUT /{{rest...}}\"\norigin = \"it\"\n",
        origin.address()
    );
    let node = || {
        let setup = in_front_of(origin.address()).without("--origin");
        setup.config(&settings(&redis.url())).rules(&rules)
    };
    let mut fleet = Fleet::start([node(), node()]);
    fleet.each(&get("/a"));
    let gate = origin.holds("PUT /a");
    let mut writer = TcpStream::connect(fleet.nodes[0].address()).unwrap();
    writer
        .write_all(b"PUT /a HTTP/1.1\r\nHost: api.example\r\nContent-Length: 2\r\n\r\n1")
        .unwrap();
    let notes = || redis.cli(&["HLEN", "cistern:{c}:open"]);
    until("the write is noted", || notes().trim() == "1");
    // The origin's second, five more, and two for each node that may be dead: as long as its own
    // node lives, the note stands.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(11) {
        assert_eq!(notes().trim(), "1", "after {:?}", began.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    writer.write_all(b"2").unwrap();
    gate.reached();
    drop(fleet.nodes.remove(0).crashes());
    let other = &fleet.nodes[0];
    let told = || other.get("/a").with_status(200).json()["version"] == 2;
    assert!(holds_within(Duration::from_secs(30), told), "nobody purged it");
    gate.open();
}

#[test]
fn what_may_have_been_purged_stands_in_for_no_failure() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    fleet.each(&get("/a"));
    redis.kill();
    origin.commit("/a");
    is_local(fleet.nodes[0].send(&ask("PURGE", "/a")));
    fleet.all_tell("/a", 2);
    origin.commit("/a");
    is_local(fleet.nodes[0].send(&ask("PURGE", "/a")));
    // The other hears nothing of it. What it has is known to it as old, or as perhaps old.
    origin.fails_with(503);
    let deaf = || fleet.nodes[1].get("/a").status == 503;
    assert!(holds_within(Duration::from_secs(10), deaf), "it still serves what was purged");
    assert!((0..20).all(|_| deaf()));
    origin.recovers();
    fleet.all_tell("/a", 3);
}

#[test]
fn a_journal_that_cannot_be_written_says_so_and_not_for_every_purge() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::start([keeping(&origin, &redis)]);
    let node = &fleet.nodes[0];
    redis.kill();
    is_local(node.send(&ask("PURGE", "/a")));
    // A folder where the file was can be written by nobody, not even by root.
    let file = node.file("journal/orders.journal");
    std::fs::remove_file(&file).expect("it was written");
    std::fs::create_dir(&file).expect("a folder in its place");
    for path in ["/b", "/c", "/d"] {
        let told = node.send(&ask("PURGE", path)).with_status(202).json();
        assert_eq!(told["journaled"], false, "{told}");
    }
    let lines = || {
        let log = node.log_so_far();
        log.lines().filter(|line| line.contains(" REDIS journal ")).map(str::to_owned).collect()
    };
    until("it is told", || !Vec::<String>::is_empty(&lines()));
    let told: Vec<String> = lines();
    assert!(told.len() == 1 && told[0].contains("journal:"), "{told:?}");
}

#[test]
fn two_nodes_do_not_share_a_journal() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::start([keeping(&origin, &redis)]);
    let folder = fleet.nodes[0].file("journal");
    let settings = format!("{}journal = \"{}\"\n", settings(&redis.url()), folder.display());
    let second = || in_front_of(origin.address()).config(&settings);
    let (status, words) = second().refused();
    assert_eq!(status.code(), Some(1), "{words}");
    assert!(words.contains(&*folder.display().to_string()) && words.contains("another node"));
    // However the first one ends, the folder is free again.
    let mut fleet = fleet;
    let _dead = fleet.nodes.remove(0).crashes();
    second().start().get("/a").with_status(200);
}

#[test]
fn a_journal_that_cannot_be_made_is_told_at_the_start() {
    let (redis, origin) = (Server::start(), Versions::start());
    let settings = format!("{}journal = \"/proc/none\"\n", settings(&redis.url()));
    let node = in_front_of(origin.address()).config(&settings).start();
    let told = || node.log_so_far().contains(" REDIS journal detail=\"/proc/none: ");
    until("it is told", told);
    node.get("/a").with_status(200);
}

#[test]
fn what_was_replayed_is_forgotten() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let mut fleet = Fleet::start([keeping(&origin, &redis)]);
    redis.kill();
    is_local(fleet.nodes[0].send(&ask("PURGE", "/a")));
    redis.restart();
    fleet.is_one();
    // Another life finds nothing to say again: what is fetched now stays.
    fleet.nodes[0].get("/a").with_status(200);
    stored(&redis, "/a}", 1);
    let again = fleet.nodes.remove(0).crashes();
    let fleet = Fleet::start([again]);
    until("it is found where it was", || fleet.nodes[0].get("/a").is_hit());
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn a_broken_journal_never_keeps_a_node_from_starting() {
    let (mut redis, origin) = (Server::start(), Versions::start());
    let mut fleet = Fleet::start([keeping(&origin, &redis)]);
    let folder = fleet.nodes[0].file("journal");
    redis.kill();
    is_local(fleet.nodes[0].send(&ask("PURGE", "/a")));
    let again = fleet.nodes.remove(0).crashes();
    let files = std::fs::read_dir(&folder).expect("a folder for the journal");
    let files: Vec<_> = files.map(|file| file.expect("a readable folder").path()).collect();
    let files: Vec<_> = files.iter().filter(|path| path.is_file()).collect();
    assert!(!files.is_empty(), "nothing was written down");
    for file in files {
        std::fs::write(file, b"\x00\xffnot a journal\n").expect("a file that can be written");
    }
    redis.restart();
    let fleet = Fleet::start([again]);
    fleet.nodes[0].get("/a").with_status(200);
}
