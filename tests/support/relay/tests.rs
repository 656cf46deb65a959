use super::*;
use crate::support::redis::until;

/// A server that says everything twice.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut part = [0; 64];
                while let Ok(count @ 1..) = stream.read(&mut part) {
                    stream.write_all(&[&part[..count], &part[..count]].concat()).ok();
                }
            });
        }
    });
    address
}

fn connected(relay: &Relay) -> TcpStream {
    let stream = TcpStream::connect(relay.address()).expect("the relay listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
    stream
}

fn hears(mut stream: &TcpStream, wanted: &[u8]) -> bool {
    let mut bytes = vec![0; wanted.len()];
    stream.read_exact(&mut bytes).is_ok() && bytes == wanted
}

fn says(mut stream: &TcpStream, words: &[u8]) {
    stream.write_all(words).expect("the relay takes it");
}

#[test]
fn what_is_said_passes_and_connections_are_cut() {
    let relay = Relay::to(&echo());
    let stream = connected(&relay);
    says(&stream, b"ab");
    assert!(hears(&stream, b"abab"));
    relay.cut();
    assert!(!hears(&stream, b"x"));
    let stream = connected(&relay);
    says(&stream, b"c");
    assert!(hears(&stream, b"cc"));
}

#[test]
fn an_end_travels_through() {
    let relay = Relay::to(&echo());
    let stream = connected(&relay);
    says(&stream, b"a");
    stream.shutdown(Shutdown::Write).expect("an open connection");
    assert!(hears(&stream, b"aa"));
    assert!(!hears(&stream, b"x"));
    drop(stream);
    until("nothing is kept", || relay.connections() == 0);
}

#[test]
fn what_is_refused_finds_nobody_and_comes_back() {
    let relay = Relay::to(&echo());
    let stream = connected(&relay);
    relay.becomes(Way::Refuse);
    assert!(!hears(&stream, b"x"));
    until("nobody listens", || TcpStream::connect(relay.address()).is_err());
    relay.passes();
    until("it listens again", || TcpStream::connect(relay.address()).is_ok());
    let stream = connected(&relay);
    says(&stream, b"a");
    assert!(hears(&stream, b"aa"));
}

#[test]
fn what_is_held_comes_late_and_whole() {
    for towards in [Towards::Server, Towards::Client, Towards::Both] {
        let relay = Relay::to(&echo());
        let stream = connected(&relay);
        relay.becomes(Way::Hold(towards));
        says(&stream, b"late");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        assert!(!hears(&stream, b"l"), "{towards:?}");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
        relay.passes();
        assert!(hears(&stream, b"latelate"), "{towards:?}");
    }
}

#[test]
fn what_is_swallowed_never_comes() {
    let relay = Relay::to(&echo());
    let stream = connected(&relay);
    relay.becomes(Way::Swallow);
    says(&stream, b"gone");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
    assert!(!hears(&stream, b"g"));
    relay.passes();
    assert!(!hears(&stream, b"g"), "the connection of then is reset");
    let stream = connected(&relay);
    says(&stream, b"a");
    assert!(hears(&stream, b"aa"));
}

#[test]
fn each_direction_has_its_delay() {
    let slow = Duration::from_millis(60);
    for (up, down) in [(slow, Duration::ZERO), (Duration::ZERO, slow)] {
        let relay = Relay::to(&echo());
        let stream = connected(&relay);
        relay.becomes(Way::Pass { up, down });
        let begun = Instant::now();
        says(&stream, b"a");
        assert!(hears(&stream, b"aa"));
        assert!(begun.elapsed() >= slow, "{:?}", begun.elapsed());
    }
}

#[test]
fn junk_is_answered_and_leaves_no_connection() {
    let relay = Relay::to(&echo());
    let stream = connected(&relay);
    relay.becomes(Way::Answer(JUNK));
    says(&stream, b"a");
    assert!(hears(&stream, JUNK));
    relay.passes();
    assert!(!hears(&stream, b"a"));
}
