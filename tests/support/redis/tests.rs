use super::cluster::Cluster;
use super::sentinel::Trio;
use super::*;

#[test]
fn a_server_is_killed_and_comes_back_with_what_was_saved() {
    let mut server = Server::start();
    server.cli(&["SET", "a", "1"]);
    server.save();
    server.cli(&["SET", "b", "2"]);
    server.kill();
    assert!(server.asked(&["PING"]).contains("refused"), "{}", server.asked(&["PING"]));
    server.restart();
    assert_eq!(server.keys("*"), ["a"]);
    server.restart_empty();
    assert!(server.keys("*").is_empty());
}

#[test]
fn a_frozen_server_takes_connections_and_says_nothing() {
    let server = Server::start();
    server.freeze();
    let mute = std::net::TcpStream::connect(server.address()).expect("the kernel accepts");
    mute.set_read_timeout(Some(Duration::from_millis(50))).expect("a limit");
    std::io::Write::write_all(&mut &mute, b"PING\r\n").expect("the kernel takes it");
    let mut answer = [0; 7];
    assert!(std::io::Read::read_exact(&mut &mute, &mut answer).is_err());
    server.thaw();
    mute.set_read_timeout(None).expect("no limit");
    std::io::Read::read_exact(&mut &mute, &mut answer).expect("it goes on where it stood");
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
fn a_full_server_refuses_and_has_room_again() {
    let server = Server::with(&["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"]);
    server.fill(64);
    assert!(server.asked(&["SET", "a", "1"]).starts_with("OOM"));
    server.unfill();
    assert_eq!(server.cli(&["SET", "a", "1"]), "OK");
    server.set("maxmemory", "16mb");
    assert_eq!(server.info("maxmemory"), "16777216");
}

#[test]
fn bytes_come_and_go_as_they_are() {
    let server = Server::start();
    let value = [0, 255, 10, 13, 10, 34];
    server.set_bytes(&["SET", "a"], &value);
    assert_eq!(server.bytes(&["GET", "a"]), value);
}

#[test]
#[should_panic(expected = "WRONGTYPE")]
fn a_refusal_ends_the_story() {
    let server = Server::start();
    server.cli(&["SET", "a", "1"]);
    server.cli(&["LPUSH", "a", "1"]);
}

#[test]
fn a_server_goes_with_the_story_that_started_it() {
    let (address, folder) = {
        let server = Server::start();
        (server.address(), server.folder.clone())
    };
    assert!(std::net::TcpStream::connect(address).is_err());
    assert!(!folder.exists());
}

#[test]
fn the_trio_makes_the_replica_master_when_the_master_dies() {
    let mut trio = Trio::start(&["--min-replicas-to-write", "0"]);
    let before = trio.master_port();
    trio.master().cli(&["SET", "a", "1", "PX", "100000"]);
    assert_eq!(trio.master().cli(&["WAIT", "1", "5000"]), "1");
    trio.kill_master();
    trio.failed_over(before);
    assert_ne!(trio.master_port(), before);
    assert_eq!(trio.master().cli(&["GET", "a"]), "1");
    trio.revive();
    assert_eq!(trio.replica().cli(&["GET", "a"]), "1");
}

#[test]
fn the_trio_fails_over_when_told() {
    let trio = Trio::start(&[]);
    let before = trio.master_port();
    trio.fail_over();
    assert_ne!(trio.master_port(), before);
}

#[test]
fn a_slot_moves_with_its_keys_and_a_dead_master_is_replaced() {
    let mut cluster = Cluster::start();
    cluster.cli(&["SET", "{a}1", "one"]);
    cluster.cli(&["SET", "{a}2", "two"]);
    let slot = cluster.slot_of("{a}1");
    let from = cluster.owner_of(slot);
    let to = (0..cluster.servers.len())
        .find(|at| *at != from && cluster.is_master(*at))
        .expect("another master");
    cluster.move_slot(slot, to);
    assert_eq!(cluster.owner_of(slot), to);
    assert_eq!(cluster.servers[to].cli(&["GET", "{a}2"]), "two");
    cluster.settled();
    cluster.wait_for_replicas();
    cluster.kill(to);
    cluster.failed_over(to);
    assert_eq!(cluster.cli(&["GET", "{a}1"]), "one");
    cluster.revive(to);
    cluster.settled();
}
