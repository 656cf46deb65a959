//! Soft orders and their undoing among purges and stores, some of it done at once and the rest
//! behind: what a lookup finds is what each order means, however far anything has got.

use std::collections::BTreeMap;

use super::pending::{MANY, filled};
use super::threads::Dice;
use super::*;
use crate::base::clock::Timestamp;
use crate::base::ids::SoftId;
use crate::base::units::Span;
use crate::entry::Labels;
use crate::entry::order::{Glob, Selector};
use crate::policy::stamp::Stamp;
use crate::store::index::STEP;

fn soft(id: u64) -> Soft {
    Soft { id: SoftId(id), at: samples::STORED_AT.plus(Span::from_secs(60 + id)) }
}

fn marks(entry: &Entry) -> Vec<u64> {
    let mut ids: Vec<u64> = entry.soft_orders().iter().map(|mark| mark.id.0).collect();
    ids.sort_unstable();
    ids
}

/// What a lookup finds, and all reports agree on that.
fn held(level: &L1, text: &str) -> Option<(String, Vec<u64>, Timestamp)> {
    let at = key(text);
    let tell = |entry: &Entry| (samples::text_of(entry), marks(entry), entry.stamp.fresh_until);
    let of = |bundle: Arc<Bundle>| tell(&bundle.variants()[0]);
    let found = level.find(KindId(0), at.identity()).map(of);
    assert_eq!(level.peek(at.identity()).map(of), found, "{text}");
    let order = Order::of([Selector::Key(text.to_owned())]);
    let listed = level.list(&order.selectors, None, 1).found;
    assert_eq!(listed.first().map(|one| tell(&one.entries[0])), found, "{text}");
    assert_eq!(level.count(&order, 1).entries > 0, found.is_some(), "{text}");
    found
}

#[test]
fn what_many_are_named_by_is_done_at_once_and_worked_off_behind() {
    let counted = [Some(MANY as u64 + 1), Some(MANY as u64 + 2), None, None];
    let selectors = [
        Selector::Tag("t".into()),
        Selector::All,
        Selector::Prefix("k:".into()),
        Selector::Pattern(Glob::new("k*")),
    ];
    for (selector, count) in selectors.into_iter().zip(counted) {
        let (fences, order) = (Fences::default(), Order::of([selector.clone()]));
        let level = filled(&fences);
        let copied = || {
            let page = level.page("", usize::MAX);
            page.iter().filter(|(_, one)| one.variants()[0].is_soft()).count()
        };
        let (_, swept) = level.sweep(&fences, &order.clone().as_mode(Mode::Soft(soft(1))));
        assert!(copied() <= limits::SWEPT_AT_ONCE_MAX + STEP, "{selector}: {}", copied());
        let told = (swept.gone.entries, swept.gone.is_open());
        match count {
            Some(count) => assert_eq!(told, (count, false), "{selector}"),
            None => assert!(told.0 < MANY as u64 && told.1, "{selector}: {told:?}"),
        }
        for text in ["k:0", "k:1500", "k:2999"] {
            assert_eq!(held(&level, text).map(|one| one.1), Some(vec![1]), "{selector}: {text}");
        }
        // What is fetched now is new, beside what has yet to be changed.
        let birth = fences.begin();
        level.land(&birth, key("k:7"), tagged(birth.tick(), "new"));
        assert_eq!(held(&level, "k:7").map(|one| one.1), Some(vec![]), "{selector}");
        let mut behind = 0;
        while !level.is_swept() {
            behind += level.reclaim().counted.map_or(0, |(order, count)| {
                assert_eq!(order.mode, Mode::Soft(soft(1)));
                count
            });
        }
        let all = count.unwrap_or(MANY as u64 + 1);
        assert_eq!(told.0 + behind, all, "{selector}");
        assert_eq!(held(&level, "k:2999").map(|one| one.1), Some(vec![1]), "{selector}");
        assert_eq!(held(&level, "k:7").map(|one| one.1), Some(vec![]), "{selector}");
        level.audit();
    }
}

#[test]
fn what_is_taken_back_before_it_was_worked_off_is_as_it_was() {
    for steps in [0, 1, 9] {
        let (fences, order) = (Fences::default(), Order::of([Selector::Tag("t".into())]));
        let level = filled(&fences);
        let before = held(&level, "k:2999");
        level.sweep(&fences, &order.clone().as_mode(Mode::Soft(soft(1))));
        level.sweep(&fences, &order.clone().as_mode(Mode::Soft(soft(2))));
        for _ in 0..steps {
            level.reclaim();
        }
        let (_, back) = level.sweep(&fences, &order.clone().as_mode(Mode::Undo(soft(1))));
        assert!(back.gone.is_open(), "how many still have it nobody knows");
        for text in ["k:0", "k:1500", "k:2999"] {
            assert_eq!(held(&level, text).map(|one| one.1), Some(vec![2]), "{text}");
        }
        // The same name once more: behind what takes the first back.
        level.sweep(&fences, &order.clone().as_mode(Mode::Soft(soft(1))));
        assert_eq!(held(&level, "k:2999").map(|one| one.1), Some(vec![1, 2]));
        level.sweep(&fences, &order.clone().as_mode(Mode::Undo(soft(1))));
        level.sweep(&fences, &order.clone().as_mode(Mode::Undo(soft(2))));
        assert_eq!(held(&level, "k:2999"), before);
        let mut counts = BTreeMap::new();
        while !level.is_swept() {
            if let Some((order, count)) = level.reclaim().counted {
                let Mode::Undo(soft) = order.mode else { continue };
                counts.entry(soft.id.0).or_insert(count);
            }
        }
        let all = MANY as u64 + 1;
        assert_eq!(counts, BTreeMap::from([(1, all), (2, all)]), "{steps} steps");
        assert_eq!(held(&level, "k:2999"), before);
        assert!(level.page("", usize::MAX).iter().all(|(_, one)| !one.variants()[0].is_soft()));
        level.audit();
    }
}

fn tagged(born: Tick, text: &str) -> Arc<Entry> {
    let stamp = Stamp { born, ..samples::stamp(samples::STORED_AT, 3_600) };
    let labels = Labels { tags: ["t".into()].into(), ..Labels::default() };
    samples::full(text, labels, &["a"], stamp)
}

/// What stands, as orders mean it: a version, and the soft orders that name it.
type Meant = BTreeMap<usize, (String, Vec<u64>)>;

const KEYS: [&str; 6] = ["a:1", "a:2", "a:3", "b:1", "b:2", "b:3"];

fn chosen(dice: &mut Dice) -> Selector {
    match dice.below(6) {
        0 => Selector::Key("a:1".into()),
        1 => Selector::Prefix("a:".into()),
        2 => Selector::Pattern(Glob::new("*:1")),
        3 => Selector::Tag("t".into()),
        4 => Selector::Tags(Glob::new("t*")),
        _ => Selector::All,
    }
}

struct World {
    level: L1,
    fences: Fences,
    meant: Meant,
    given: Vec<(u64, Order)>,
    version: u64,
}

impl World {
    fn step(&mut self, dice: &mut Dice) {
        match dice.below(12) {
            0..3 => {
                self.version += 1;
                let (at, text) = (dice.below(6) as usize, self.version.to_string());
                let birth = self.fences.begin();
                let landed = self.level.land(&birth, key(KEYS[at]), tagged(birth.tick(), &text));
                assert_eq!(landed, Landed::Stored);
                self.meant.insert(at, (text, Vec::new()));
            }
            3..6 => {
                let id = 1 + dice.below(4);
                // One that was given says what it said.
                let known = self.given.iter().find(|(known, _)| *known == id);
                let order = known.map_or_else(|| Order::of([chosen(dice)]), |one| one.1.clone());
                self.given.push((id, order.clone()));
                self.carry(&order, Mode::Soft(soft(id)));
            }
            6..8 if !self.given.is_empty() => {
                let (id, order) = self.given[dice.below(self.given.len() as u64) as usize].clone();
                self.carry(&order, Mode::Undo(soft(id)));
            }
            8 => self.carry(&Order::of([chosen(dice)]), Mode::Delete),
            _ => drop(self.level.reclaim()),
        }
    }

    fn carry(&mut self, order: &Order, mode: Mode) {
        let (_, swept) = self.level.sweep(&self.fences, &order.clone().as_mode(mode));
        let mut count = 0;
        self.meant.retain(|at, (_, marks)| {
            if !order.covers(KEYS[*at], &["t".into()], "", "") {
                return true;
            }
            let before = marks.len();
            match mode {
                Mode::Soft(soft) if !marks.contains(&soft.id.0) => marks.push(soft.id.0),
                Mode::Delete | Mode::Soft(_) => {}
                Mode::Undo(soft) => marks.retain(|one| *one != soft.id.0),
            }
            marks.sort_unstable();
            count += u64::from(mode == Mode::Delete || marks.len() != before);
            mode != Mode::Delete
        });
        if !swept.gone.is_open() {
            assert_eq!(swept.gone.entries, count, "{order:?} {mode:?}");
        }
    }

    fn check(&self, seed: u64, at: usize) {
        let held = held(&self.level, KEYS[at]).map(|(version, marks, _)| (version, marks));
        assert_eq!(held.as_ref(), self.meant.get(&at), "seed {seed}: {}", KEYS[at]);
    }
}

#[test]
fn whatever_is_pending_a_lookup_finds_what_the_orders_mean() {
    for seed in 0..400 {
        let mut dice = Dice::seeded(seed);
        let mut level = level(MIB);
        level.at_once = [0, 1, 3, usize::MAX][(seed % 4) as usize];
        let (meant, given) = (Meant::new(), Vec::new());
        let mut world = World { level, fences: Fences::default(), meant, given, version: 0 };
        for _ in 0..60 {
            world.step(&mut dice);
            world.check(seed, dice.below(6) as usize);
        }
        (0..6).for_each(|at| world.check(seed, at));
        while world.level.reclaim().more {}
        (0..6).for_each(|at| world.check(seed, at));
        let page = world.level.page("", usize::MAX);
        for (key, bundle) in page {
            let at = KEYS.iter().position(|one| *one == key.text()).unwrap();
            assert_eq!(marks(&bundle.variants()[0]), world.meant[&at].1, "seed {seed}");
        }
        world.level.audit();
    }
}
