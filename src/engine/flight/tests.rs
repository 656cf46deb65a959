//! Random schedules of readers, fetches, changes at the origin and orders over the real seats,
//! fences and level, with a checker that knows only what readers see: no reader that begins after
//! an order was acknowledged gets older data, whether from the level or from a fetch it joined; and
//! nothing is fetched while it stands in the level or is on its way for all to have. Each guard can
//! be taken away; the same checker must then find a schedule that breaks a promise.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::base::ids::KindId;
use crate::entry::order::{Glob, Order, Selector};
use crate::entry::samples;
use crate::store::fence::Fences;
use crate::store::l1::{Eviction, KindSpec, L1};

/// What keeps the promises.
#[derive(Clone, Copy, Debug)]
struct Guards {
    /// Whoever joins asks the fences first.
    join_checked: bool,
    /// Tags that only the answer knows count as named by any order on a tag.
    tags_unknown: bool,
    /// An answer is compared with the fences before it is stored.
    fenced: bool,
    /// Who takes the lead looks once more.
    looks_again: bool,
    /// A fetch leaves its seat after it has stored, not before.
    stores_first: bool,
}

const SOUND: Guards = Guards {
    join_checked: true,
    tags_unknown: true,
    fenced: true,
    looks_again: true,
    stores_first: true,
};

/// Keys, each with the tag that only its answer tells.
const KEYS: [(&str, &str); 2] = [("a:1", "odd"), ("a:2", "even")];

enum At {
    Begun,
    Looked(Birth),
    Waits(usize),
}

struct ReaderOf {
    key: usize,
    /// The oldest version it may see: what was acknowledged when it began.
    floor: u64,
    at: At,
}

struct Fetch {
    key: usize,
    flight: Arc<Flight>,
    read: Option<u64>,
    landed: bool,
    ended: bool,
}

struct Carried {
    order: Order,
    promised: [u64; 2],
    raised: bool,
}

struct World {
    guards: Guards,
    level: L1,
    fences: Fences,
    flights: Flights,
    origin: [u64; 2],
    needed: [u64; 2],
    readers: Vec<ReaderOf>,
    fetches: Vec<Fetch>,
    orders: Vec<Carried>,
}

fn key(number: usize) -> Key {
    Key::new(KEYS[number].0, "", "")
}

fn labels(number: usize, tags: &[Arc<str>]) -> Labels {
    let target = format!("http://h/{}", KEYS[number].0);
    Labels::new(samples::place("", "rule"), tags, &target, &key(number))
}

fn order(choice: usize) -> Order {
    Order::of([match choice % 8 {
        0 => Selector::Key("a:1".into()),
        1 => Selector::Tag("odd".into()),
        2 => Selector::Tag("even".into()),
        3 => Selector::Prefix("a:".into()),
        4 => Selector::Pattern(Glob::new("*:2")),
        5 => Selector::Url("http://h/a:2".into()),
        6 => Selector::Tags(Glob::new("od*")),
        _ => Selector::Rule("rule".into()),
    }])
}

fn covers(order: &Order, number: usize) -> bool {
    let (text, tag) = KEYS[number];
    let url = Selector::Url(format!("http://h/{text}"));
    order.selectors.contains(&url) || order.covers(text, &[tag.into()], "", "rule")
}

/// Joins whatever is listed, as if no order had ever come.
fn seat_if(flights: &Flights, flight: Arc<Flight>, joins: fn(&Flight) -> bool) -> Seat {
    let mut shard = flights.shard(&flight.listed.key);
    if let Some(running) = shard.get(&flight.listed)
        && joins(running)
    {
        return Seat::Follower(Arc::clone(running));
    }
    shard.insert(flight.listed.clone(), Arc::clone(&flight));
    Seat::Leader(flight)
}

/// As if an answer could have no other tags than the request tells.
fn admits_without_tags(running: &Flight) -> bool {
    running.birth.admits(&Facts::of(&running.listed.key, &running.labels))
}

impl World {
    fn new(guards: Guards) -> Self {
        Self {
            guards,
            level: L1::new(&[KindSpec::default()], 1 << 20, Eviction::Lru),
            fences: Fences::default(),
            flights: Flights::default(),
            origin: [1; 2],
            needed: [1; 2],
            readers: Vec::new(),
            fetches: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// One step of somebody.
    fn step(&mut self, what: u8, which: usize) -> Result<(), String> {
        match what % 10 {
            0 if self.readers.len() < 6 => {
                let key = which % 2;
                let floor = self.needed[key];
                self.readers.push(ReaderOf { key, floor, at: At::Begun });
            }
            1 => self.origin[which % 2] += 1,
            2 if self.orders.len() < 2 => {
                let order = order(which);
                let at = |i| if covers(&order, i) { self.origin[i] } else { 0 };
                let promised = [at(0), at(1)];
                self.orders.push(Carried { order, promised, raised: false });
            }
            3 | 4 if !self.orders.is_empty() => self.advance_order(which % self.orders.len()),
            5 if !self.fetches.is_empty() => self.advance_fetch(which % self.fetches.len()),
            _ if !self.readers.is_empty() => {
                return self.advance_reader(which % self.readers.len());
            }
            _ => {}
        }
        Ok(())
    }

    fn advance_order(&mut self, at: usize) {
        let carried = &mut self.orders[at];
        if !carried.raised {
            self.fences.raise(&carried.order);
            carried.raised = true;
            return;
        }
        let carried = self.orders.swap_remove(at);
        self.level.carry(&carried.order, self.fences.tick(), &|| true);
        for (need, promised) in self.needed.iter_mut().zip(carried.promised) {
            *need = promised.max(*need);
        }
    }

    fn advance_fetch(&mut self, at: usize) {
        let guards = self.guards;
        let fetch = &mut self.fetches[at];
        let Some(version) = fetch.read else {
            fetch.read = Some(self.origin[fetch.key]);
            return;
        };
        let store = |fetch: &Fetch| {
            let tag = Arc::from(KEYS[fetch.key].1);
            let stamp = samples::stamp(samples::STORED_AT, 3_600);
            let labels = labels(fetch.key, &[tag]);
            let entry = samples::full(&version.to_string(), labels, &[], stamp);
            let late = self.fences.begin();
            // A birth of this moment passes any fence.
            let birth = if guards.fenced { &fetch.flight.birth } else { &late };
            self.level.land(birth, key(fetch.key), entry);
        };
        match (guards.stores_first, fetch.landed) {
            (true, false) | (false, true) => store(fetch),
            (true, true) | (false, false) => self.flights.unlist(&fetch.flight),
        }
        (fetch.landed, fetch.ended) = (true, fetch.landed);
    }

    fn advance_reader(&mut self, at: usize) -> Result<(), String> {
        let mut reader = self.readers.swap_remove(at);
        reader.at = match reader.at {
            At::Begun => {
                let birth = self.fences.begin();
                if let Some(seen) = self.stands(reader.key) {
                    return check(&reader, seen);
                }
                At::Looked(birth)
            }
            At::Looked(birth) => match self.sit(reader.key, birth)? {
                Some(fetch) => At::Waits(fetch),
                None => At::Begun,
            },
            At::Waits(fetch) => match &self.fetches[fetch] {
                Fetch { ended: true, read: Some(seen), .. } => return check(&reader, *seen),
                _ => At::Waits(fetch),
            },
        };
        self.readers.push(reader);
        Ok(())
    }

    /// Takes a seat: the number of the fetch it waits for, or nothing when it has to look again.
    fn sit(&mut self, number: usize, birth: Birth) -> Result<Option<usize>, String> {
        let guards = self.guards;
        let listed = FlightKey { key: key(number), selecting: None };
        let flight = Flight::new(listed, labels(number, &[]), birth);
        let seat = match (guards.join_checked, guards.tags_unknown) {
            (true, true) => self.flights.seat(flight),
            (true, false) => seat_if(&self.flights, flight, admits_without_tags),
            (false, _) => seat_if(&self.flights, flight, |_| true),
        };
        let flight = match seat {
            Seat::Follower(flight) => {
                let same = |fetch: &Fetch| Arc::ptr_eq(&fetch.flight, &flight);
                return Ok(self.fetches.iter().position(same));
            }
            Seat::Leader(flight) => flight,
        };
        if guards.looks_again && self.stands(number).is_some() {
            self.flights.unlist(&flight);
            return Ok(None);
        }
        let tags = [Arc::from(KEYS[number].1)];
        let of_all = |fetch: &Fetch| {
            let labels = labels(number, &tags);
            let at = key(number);
            let facts = Facts::of(&at, &labels);
            let any_tag = Facts { is_open: true, ..facts };
            fetch.key == number && !fetch.ended && fetch.flight.birth.admits(&any_tag)
        };
        if self.stands(number).is_some() || self.fetches.iter().any(of_all) {
            return Err(format!("{} was fetched twice", KEYS[number].0));
        }
        self.fetches.push(Fetch { key: number, flight, read: None, landed: false, ended: false });
        Ok(Some(self.fetches.len() - 1))
    }

    fn stands(&self, number: usize) -> Option<u64> {
        let bundle = self.level.find(KindId(0), key(number).identity())?;
        samples::text_of(&bundle.variants()[0]).parse().ok()
    }
}

fn check(reader: &ReaderOf, seen: u64) -> Result<(), String> {
    if seen >= reader.floor {
        return Ok(());
    }
    Err(format!("{}: {seen} after {}", KEYS[reader.key].0, reader.floor))
}

fn run(guards: Guards, schedule: &[(u8, u8)]) -> Result<(), String> {
    let mut world = World::new(guards);
    for (what, which) in schedule {
        world.step(*what, usize::from(*which))?;
    }
    Ok(())
}

fn schedules() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec(any::<(u8, u8)>(), 0..200)
}

/// The same schedules each time, so that a guard that is caught once is caught always.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn no_reader_sees_what_was_before_an_order_and_nothing_is_fetched_twice() {
    let sound = |schedule: Vec<(u8, u8)>| run(SOUND, &schedule).map_err(TestCaseError::fail);
    runner(2_000).run(&schedules(), sound).unwrap();
}

#[test]
fn each_guard_is_needed_and_the_checker_sees_it_missing() {
    let broken = [
        Guards { join_checked: false, ..SOUND },
        Guards { tags_unknown: false, ..SOUND },
        Guards { fenced: false, ..SOUND },
        Guards { looks_again: false, ..SOUND },
        Guards { stores_first: false, ..SOUND },
    ];
    for guards in broken {
        let holds = |schedule: Vec<(u8, u8)>| run(guards, &schedule).map_err(TestCaseError::fail);
        assert!(runner(4_000).run(&schedules(), holds).is_err(), "not caught: {guards:?}");
    }
}
