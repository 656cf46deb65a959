//! A purge of everything, or of a prefix, over a first level full of entries: who hits meanwhile is
//! not held up, and what is gone for one node is gone for all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::caller::Caller;
use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::ask;
use crate::support::fleet::{Fleet, LAG_MAX, SLACK, with_budget};
use crate::support::redis::{Server, holds_within, until};
use crate::support::trial::no_trials;
use crate::support::versions::Versions;

/// Entries that are in nobody's shared level, so that a story can have many.
const RULES: &str = r#"
version = 1
[type.many]
prefix = "many:"
ttl = "1h"
l2 = false
[type.kept]
prefix = "kept:"
ttl = "1h"
[[route]]
name = "many"
match = "GET /many/{id}"
type = "many"
key = "{id}"
[[route]]
name = "kept"
match = "GET /kept/{id}"
type = "kept"
key = "{id}"
"#;

const MANY: usize = 20_000;

/// What a hit may wait here at most, in a binary without optimisation on a machine with other work.
const WAIT_MAX: Duration = Duration::from_millis(250);

/// Has a node fetch so many entries, on several connections.
fn fill(address: &str) {
    thread::scope(|scope| {
        for part in 0..2 {
            scope.spawn(move || {
                let mut caller = Caller::of(address);
                for number in (part..MANY).step_by(2) {
                    let told = caller.asks("GET", &format!("/many/{number}"));
                    assert!(told.is_ok_and(|told| told.status == 200), "{number} failed");
                }
            });
        }
    });
}

/// The longest that a read of what was stored waits, until the story says that it is enough.
fn longest_wait(address: &str, enough: &AtomicBool) -> Duration {
    let (mut caller, mut longest) = (Caller::of(address), Duration::ZERO);
    while !enough.load(Ordering::Relaxed) {
        let began = Instant::now();
        let told = caller.asks("GET", "/kept/1");
        longest = longest.max(began.elapsed());
        assert!(told.is_ok_and(|told| told.status == 200), "a read failed");
        thread::sleep(Duration::from_millis(1));
    }
    longest
}

/// What a story says, and the longest wait of a client that reads in the meantime.
fn while_read<T>(address: &str, story: impl FnOnce() -> T) -> (T, Duration) {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| longest_wait(address, &enough));
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(story));
        enough.store(true, Ordering::Relaxed);
        let longest = reader.join().expect("a reader never panics");
        (told.unwrap_or_else(|panic| std::panic::resume_unwind(panic)), longest)
    })
}

#[test]
fn a_wide_purge_holds_nobody_up() {
    let _machine = no_trials();
    let (redis, origin) = (Server::start(), Versions::start());
    // While a node drops very many it may not hear in time what others do, and asks before it
    // serves: then this is what a request waits.
    let settings = with_budget(&redis.url(), "50ms");
    let node = || in_front_of(origin.address()).config(&settings).rules(RULES);
    let fleet = Fleet::start((0..2).map(|_| node()));
    let (here, there) = (&fleet.nodes[0], &fleet.nodes[1]);
    fill(there.address());
    let ones = (1..MANY).filter(|number| number.to_string().starts_with('1')).count();
    let others = MANY - ones;
    for (selector, first, count) in [("prefix:many:1", "1", ones), ("all", "2", others)] {
        let samples: Vec<_> = (0..20).map(|n| format!("/many/{first}{:03}", n * 50)).collect();
        for sample in &samples {
            there.get(sample).with_status(200);
            origin.commit(sample);
        }
        let ((), calm) = while_read(there.address(), || {
            let began = Instant::now();
            until("some time has passed", || began.elapsed() > WAIT_MAX);
        });
        let (told, waited) = while_read(there.address(), || {
            let purge = ask("PURGE", "/").header("X-Purge-Selector", selector);
            let told = here.send(&purge).json();
            assert_ne!(told["level"], "local", "{selector}");
            // At once if the other node has confirmed it.
            let time = if told["level"] == "nodes" { Duration::ZERO } else { LAG_MAX + SLACK };
            for sample in &samples {
                let fresh = || there.get(sample).with_status(200).json()["version"] == 2;
                assert!(holds_within(time, fresh), "{selector}: {sample} is old: {told}");
            }
            until("the other node has dropped them", || dropped(there, selector) >= count);
            told
        });
        let level = &told["level"];
        println!("| {selector}: {count} entries | {level} | {waited:?}, before {calm:?} |");
        assert!(waited < WAIT_MAX.max(calm * 2), "{selector}: a read waited {waited:?}");
    }
}

/// How many entries a node says that it has dropped for this: at once, and behind the order.
fn dropped(node: &Cistern, selector: &str) -> usize {
    let log = node.log_so_far();
    let lines = log.lines().filter(|line| line.contains(&format!("PURGE selector={selector} ")));
    let count = |line: &str| line.split("count=").nth(1)?.split(' ').next()?.parse::<usize>().ok();
    lines.filter_map(count).sum()
}
