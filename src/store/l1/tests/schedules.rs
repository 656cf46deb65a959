//! Random schedules of fetches, changes at the origin, purges and lookups over the real level and
//! fences, with a checker that knows only requests, answers and acknowledgements: no lookup that
//! begins after a purge was acknowledged returns data older than the purge. Guards can be taken
//! away; the same checker must then find a schedule that breaks the promise.

use super::threads::Dice;
use super::*;
use crate::entry::order::{Glob, Order, Selector};
use crate::entry::{Body, Labels};
use crate::policy::stamp::Stamp;
use crate::store::fence::Birth;

/// What keeps the promise. Each is taken away in turn.
#[derive(Clone, Copy, Debug)]
struct Guards {
    /// An answer is compared with the fences at all.
    fenced: bool,
    /// The birth is taken before the origin is read.
    birth_first: bool,
    /// Comparing and storing are one step.
    at_once: bool,
    /// Without that: compared again after storing, and taken back.
    again: bool,
    /// Fences rise before entries are dropped.
    raise_first: bool,
    /// Entries are dropped before the acknowledgement.
    drop_first: bool,
}

const SOUND: Guards = Guards {
    fenced: true,
    birth_first: true,
    at_once: true,
    again: false,
    raise_first: true,
    drop_first: true,
};

const KEYS: [(&str, &str); 3] = [("a:1", "odd"), ("a:2", "even"), ("b:1", "odd")];

struct Fetch {
    key: usize,
    birth: Option<Birth>,
    read: Option<u64>,
    stored: Option<Arc<Entry>>,
}

struct Purge {
    order: Order,
    /// What the origin had when the purge was asked for, for the keys it covers.
    promised: [u64; 3],
    raised: Option<Tick>,
    dropped: bool,
}

struct World {
    guards: Guards,
    level: L1,
    fences: Fences,
    origin: [u64; 3],
    /// The oldest version a lookup may return now.
    needed: [u64; 3],
    fetches: Vec<Fetch>,
    purges: Vec<Purge>,
    /// What was stored, for who adds a coded form to it later.
    landed: Vec<(Key, Arc<Entry>)>,
}

fn facts(number: usize) -> (Key, Labels) {
    let (text, tag) = KEYS[number];
    let at = key(text);
    let labels =
        Labels::new(samples::place("", "rule"), &[tag.into()], &format!("http://h/{text}"), &at);
    (at, labels)
}

fn order(dice: &mut Dice) -> Order {
    Order::of([match dice.below(9) {
        0 => Selector::Key("a:1".into()),
        1 => Selector::Tag("odd".into()),
        2 => Selector::Prefix("a:".into()),
        3 => Selector::Pattern(Glob::new("*:1")),
        4 => Selector::Url("http://h/b:1".into()),
        5 => Selector::Rule("rule".into()),
        6 => Selector::Type(String::new()),
        7 => Selector::Tags(Glob::new("ev*")),
        _ => Selector::All,
    }])
}

fn covers(order: &Order, number: usize) -> bool {
    let (text, tag) = KEYS[number];
    let url = Selector::Url(format!("http://h/{text}"));
    order.selectors.contains(&url) || order.covers(text, &[tag.into()], "", "rule")
}

impl World {
    fn new(guards: Guards, at_once: usize) -> Self {
        let mut level = level(MIB);
        level.at_once = at_once;
        Self {
            guards,
            level,
            fences: Fences::default(),
            origin: [1; 3],
            needed: [1; 3],
            fetches: Vec::new(),
            purges: Vec::new(),
            landed: Vec::new(),
        }
    }

    /// One step of somebody; a lookup that saw what it may not is an error.
    fn step(&mut self, dice: &mut Dice) -> Result<(), String> {
        match dice.below(13) {
            11 | 12 => drop(self.level.reclaim()),
            0 if self.fetches.len() < 4 => {
                let birth = self.guards.birth_first.then(|| self.fences.begin());
                let key = dice.below(3) as usize;
                self.fetches.push(Fetch { key, birth, read: None, stored: None });
            }
            1 => self.origin[dice.below(3) as usize] += 1,
            2 if self.purges.len() < 2 => {
                let order = order(dice);
                let promised =
                    std::array::from_fn(|i| if covers(&order, i) { self.origin[i] } else { 0 });
                self.purges.push(Purge { order, promised, raised: None, dropped: false });
            }
            3..6 if !self.fetches.is_empty() => self.advance_fetch(dice),
            6..8 if !self.purges.is_empty() => self.advance_purge(dice),
            10 if !self.landed.is_empty() => {
                let at = dice.below(self.landed.len() as u64) as usize;
                let (key, entry) = self.landed.swap_remove(at);
                let coded = Body::from_chunks(vec![vec![7; 9].into()]);
                self.level.add_coded(&key, &entry, coded);
            }
            _ => return self.look(dice.below(3) as usize),
        }
        Ok(())
    }

    fn advance_fetch(&mut self, dice: &mut Dice) {
        let at = dice.below(self.fetches.len() as u64) as usize;
        let mut fetch = self.fetches.swap_remove(at);
        let Some(version) = fetch.read else {
            fetch.read = Some(self.origin[fetch.key]);
            self.fetches.push(fetch);
            return;
        };
        let birth = fetch.birth.take().unwrap_or_else(|| self.fences.begin());
        let (key, labels) = facts(fetch.key);
        let facts = Facts::of(&key, &labels);
        if let Some(entry) = fetch.stored {
            if !birth.admits(&facts) {
                self.level.drop_entry(&key, &entry);
            }
            return;
        }
        let stamp = Stamp { born: birth.tick(), ..samples::stamp(samples::STORED_AT, 3_600) };
        let entry = samples::full(&version.to_string(), labels.clone(), &[], stamp);
        if self.guards.fenced && self.guards.at_once {
            self.level.land(&birth, key.clone(), Arc::clone(&entry));
            self.landed.push((key, entry));
        } else if !self.guards.fenced || birth.admits(&facts) {
            // A birth of this moment passes any fence: stored, whatever came before. Whether it
            // may be was asked a line above; the schedule goes on between the two steps when the
            // question is repeated, and a purge may come between them in any case.
            self.unchecked(fetch.key, birth, key, entry, dice);
        }
    }

    fn unchecked(
        &mut self,
        number: usize,
        birth: Birth,
        key: Key,
        entry: Arc<Entry>,
        d: &mut Dice,
    ) {
        while self.guards.fenced && !self.purges.is_empty() && d.below(2) == 0 {
            self.advance_purge(d);
        }
        self.level.land(&self.fences.begin(), key, Arc::clone(&entry));
        if self.guards.again {
            let read = Some(0);
            self.fetches.push(Fetch { key: number, birth: Some(birth), read, stored: Some(entry) });
        }
    }

    fn advance_purge(&mut self, dice: &mut Dice) {
        let at = dice.below(self.purges.len() as u64) as usize;
        let Some(purge) = self.purges.get_mut(at) else { return };
        let raise_now = purge.raised.is_none() && (self.guards.raise_first || purge.dropped);
        if raise_now {
            purge.raised = Some(self.fences.raise(&purge.order));
        } else if !purge.dropped && self.guards.drop_first {
            let tick = purge.raised.unwrap_or_else(|| self.fences.tick());
            self.level.carry(&purge.order, tick, &|| true);
            purge.dropped = true;
        } else {
            let purge = self.purges.swap_remove(at);
            for (need, promised) in self.needed.iter_mut().zip(purge.promised) {
                *need = promised.max(*need);
            }
        }
    }

    fn look(&self, number: usize) -> Result<(), String> {
        let (text, _) = KEYS[number];
        let Some(seen) = found(&self.level, 0, text) else { return Ok(()) };
        let (seen, needed): (u64, u64) = (seen.parse().unwrap(), self.needed[number]);
        if seen < needed { Err(format!("{text}: {seen} after {needed}")) } else { Ok(()) }
    }
}

fn run(guards: Guards, seed: u64) -> Result<(), String> {
    let mut dice = Dice::seeded(seed);
    // None, one, or all of what an order names leaves memory before it is acknowledged.
    let mut world = World::new(guards, [0, 1, usize::MAX][(seed % 3) as usize]);
    for _ in 0..120 {
        world.step(&mut dice)?;
    }
    for number in 0..KEYS.len() {
        world.look(number)?;
    }
    world.fetches.clear();
    assert_eq!(world.fences.remembered(), 0, "orders outlive the fetches that need them");
    Ok(())
}

#[test]
fn no_lookup_after_a_purge_returns_older_data() {
    for seed in 0..1_500 {
        assert_eq!(run(SOUND, seed), Ok(()), "seed {seed}");
    }
}

#[test]
fn each_guard_is_needed_and_the_checker_sees_it_missing() {
    let broken = [
        Guards { fenced: false, ..SOUND },
        Guards { birth_first: false, ..SOUND },
        Guards { at_once: false, ..SOUND },
        Guards { at_once: false, again: true, ..SOUND },
        Guards { raise_first: false, ..SOUND },
        Guards { drop_first: false, ..SOUND },
    ];
    for guards in broken {
        let caught = (0..3_000).find(|seed| run(guards, *seed).is_err());
        assert!(caught.is_some(), "not caught: {guards:?}");
    }
}
