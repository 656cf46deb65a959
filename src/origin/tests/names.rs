//! Names whose addresses change.

use std::sync::Arc;
use std::time::Duration;

use tokio::join;
use tokio::time::Instant;

use super::script::{Names, Script, bare, fetch};
use crate::base::units::Span;
use crate::origin::{OriginFault, Sent, Spec, Target, Upstreams};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn named(names: &Arc<Names>) -> (Upstreams, Spec) {
    let mut spec = Spec::new(Target::parse("http://app.internal:8000").unwrap());
    // Connections outlive lookups here, so that only the lookup can end them.
    spec.keep.idle_timeout = Span::from_secs(3_600);
    (Upstreams::with_lookup(names.clone()), spec)
}

#[tokio::test(start_paused = true)]
async fn an_address_that_left_the_name_gets_no_more_requests() {
    let (old, new) = (Script::open().await, Script::open().await);
    let names = Names::saying(&[old.address]);
    let (upstreams, spec) = named(&names);
    let ask = || fetch(&upstreams, &spec, bare("GET /", &[]));
    let begun = Instant::now();
    let server = async {
        let (mut one, mut two) = (old.accept().await, old.accept().await);
        join!(one.answers(OK), two.answers(OK));
        // The last that was laid down is the first that is taken; which it was is not settled.
        let served = tokio::select! {
            _ = one.answers(OK) => true,
            _ = two.answers(OK) => false,
        };
        let (mut busy, mut idle) = if served { (one, two) } else { (two, one) };
        busy.answers(OK).await;
        // Both are closed, the one that was used and the one that nobody asked.
        idle.is_left().await;
        busy.is_left().await;
        new.accept().await.answers(OK).await;
    };
    let client = async {
        let (one, two) = join!(ask(), ask());
        assert!(one.is_ok() && two.is_ok() && upstreams.idle() == 2);
        tokio::time::advance(Duration::from_secs(29)).await;
        names.say(&[new.address]);
        assert!(ask().await.unwrap().reused);
        assert_eq!(names.asked(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        // This one makes the lookup begin, and does not wait for it.
        assert!(ask().await.unwrap().reused);
        assert_eq!((names.asked(), upstreams.idle()), (2, 0));
        assert!(!ask().await.unwrap().reused);
    };
    join!(server, client);
    assert_eq!((names.asked(), begun.elapsed().as_secs()), (2, 30));
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_use_is_not_kept_when_its_address_left() {
    let (old, new) = (Script::open().await, Script::open().await);
    let names = Names::saying(&[old.address]);
    let (upstreams, mut spec) = named(&names);
    spec.limits.first_byte = Span::from_secs(600);
    let ask = || fetch(&upstreams, &spec, bare("GET /", &[]));
    let others = async {
        let mut peer = old.accept().await;
        peer.head().await;
        tokio::time::advance(Duration::from_secs(31)).await;
        names.say(&[new.address]);
        // Another request finds the lookup due; it still goes where it knows.
        let server = async { old.accept().await.answers(OK).await };
        assert_eq!(join!(ask(), server).0.unwrap().status, 200);
        while upstreams.idle() > 0 || names.asked() < 2 {
            tokio::task::yield_now().await;
        }
        peer.says(OK).await;
        peer.is_left().await;
    };
    assert_eq!(join!(ask(), others).0.unwrap().status, 200);
    assert_eq!((upstreams.idle(), names.asked()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_makes_the_name_looked_up_again() {
    let (gone, new) = (Script::open().await.address, Script::open().await);
    let names = Names::saying(&[gone]);
    let (upstreams, spec) = named(&names);
    let ask = || fetch(&upstreams, &spec, bare("POST /", &[]));
    // The lookup was made a moment ago: asking again would say the same.
    assert!(matches!(ask().await, Err(OriginFault::Connect { .. })));
    assert_eq!(names.asked(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    names.say(&[new.address]);
    let server = async { new.accept().await.answers(OK).await };
    assert_eq!(join!(ask(), server).0.unwrap().status, 200);
    assert_eq!(names.asked(), 2);
}

#[tokio::test]
async fn the_next_address_stands_in_for_one_that_refuses() {
    let (gone, alive) = (Script::open().await.address, Script::open().await);
    let names = Names::saying(&[gone, alive.address, gone]);
    let (upstreams, spec) = named(&names);
    let server = async { alive.accept().await.answers(OK).await };
    let head = join!(server, fetch(&upstreams, &spec, bare("GET /", &[]))).0;
    assert!(head.contains("host: h\r\n"));
}

#[tokio::test(start_paused = true)]
async fn without_a_resolver_the_known_addresses_stay_in_use() {
    let script = Script::open().await;
    let names = Names::saying(&[script.address]);
    let (upstreams, spec) = named(&names);
    let ask = || fetch(&upstreams, &spec, bare("GET /", &[]));
    let server = async {
        let mut peer = script.accept().await;
        peer.answers(OK).await;
        drop(peer);
        script.accept().await.answers(OK).await;
    };
    let client = async {
        ask().await.unwrap();
        names.say(&[]);
        tokio::time::advance(Duration::from_mins(50)).await;
        while upstreams.idle() > 0 {
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
        assert_eq!(ask().await.unwrap().status, 200);
    };
    join!(server, client);
    assert!(names.asked() > 1);
}

#[tokio::test]
async fn a_name_without_address_is_a_fault_before_anything_is_sent() {
    let (upstreams, spec) = named(&Names::saying(&[]));
    let fault = fetch(&upstreams, &spec, bare("GET /", &[])).await.err().unwrap();
    assert!(matches!(fault, OriginFault::Resolve { .. }), "{fault}");
    assert_eq!((fault.sent(), fault.fault().status().as_u16()), (Sent::Nothing, 502));
}

#[tokio::test]
async fn many_at_once_share_one_lookup() {
    let script = Script::open().await;
    let names = Names::saying(&[script.address]);
    let (upstreams, spec) = named(&names);
    let ask = || fetch(&upstreams, &spec, bare("GET /", &[]));
    let server = async {
        for _ in 0..3 {
            script.accept().await.answers(OK).await;
        }
    };
    let ((), one, two, three) = join!(server, ask(), ask(), ask());
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(names.asked(), 1);
}

#[tokio::test]
async fn a_literal_address_asks_nobody_and_ipv6_works() {
    let names = Names::saying(&[]);
    let upstreams = Upstreams::with_lookup(names.clone());
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let script = Script::at(address).await;
        let server = async { script.accept().await.answers(OK).await };
        let spec = script.spec();
        let answer = join!(server, fetch(&upstreams, &spec, bare("GET /", &[]))).1;
        assert_eq!(answer.unwrap().body, "ok");
    }
    assert_eq!(names.asked(), 0);
}
