//! The same promises with real threads.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::entry::order::{Glob, Order, Selector};

/// A small generator, so that runs can be repeated.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn seeded(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn stores_and_purges_at_once_leave_cache_and_index_alike() {
    let kinds = [kind("", None, None), kind("own", Some(MIB), None), kind("few", None, Some(50))];
    let level = L1::new(&kinds, 2 * MIB, Eviction::TinyLfu);
    let fences = Fences::default();
    let gate = Barrier::new(4);
    thread::scope(|scope| {
        for seed in 1..=4 {
            let (level, fences, gate) = (&level, &fences, &gate);
            scope.spawn(move || {
                let mut dice = Dice::seeded(seed);
                gate.wait();
                for _ in 0..6_000 {
                    act(level, fences, &mut dice);
                }
            });
        }
    });
    level.audit();
    level.sweep(&fences, &Order::of([Selector::All]));
    level.audit();
    assert!(level.stats().iter().all(|kind| (kind.entries, kind.bytes) == (0, 0)));
    assert_eq!(fences.remembered(), 0);
}

fn act(level: &L1, fences: &Fences, dice: &mut Dice) {
    let number = dice.below(400);
    let name = ["", "own", "few"][(number % 3) as usize];
    let text = format!("k{number}");
    match dice.below(40) {
        0 => drop(level.sweep(fences, &Order::of([Selector::Tag(format!("t{}", number % 7))]))),
        1 => drop(level.sweep(fences, &Order::of([Selector::Prefix(format!("k{}", number / 40))]))),
        2 => drop(level.sweep(fences, &Order::of([Selector::Pattern(Glob::new("*7"))]))),
        3 => drop(level.sweep(fences, &Order::of([Selector::Key(text)]))),
        4 => level.tend(),
        5..20 => drop(level.find(KindId((number % 3) as u16), key(&text).identity())),
        _ => {
            let tag = format!("t{}", number % 7);
            let body = "x".repeat(dice.below(20_000) as usize);
            let entry = samples::placed(&body, &[&tag], samples::place(name, "r"));
            level.land(&fences.begin(), key(&text), entry);
        }
    }
}

#[test]
fn two_variants_stored_at_once_both_stand() {
    let level = level(MIB);
    let stamp = samples::stamp(samples::STORED_AT, 3_600);
    let gate = Barrier::new(2);
    for round in 0..300 {
        let at = key(&format!("k{round}"));
        thread::scope(|scope| {
            for value in ["a", "b"] {
                let (level, at, gate) = (&level, &at, &gate);
                scope.spawn(move || {
                    let labels = crate::entry::Labels::default();
                    let entry = samples::full(value, labels, &[value], stamp);
                    gate.wait();
                    store(level, at, entry);
                });
            }
        });
        let bundle = level.find(KindId(0), at.identity()).unwrap();
        assert_eq!(bundle.variants().len(), 2, "round {round}");
    }
    level.audit();
}

#[test]
fn a_landing_never_outlives_the_purge_it_meets() {
    let level = level(MIB);
    let fences = Fences::default();
    let selectors =
        [Selector::Key("k".into()), Selector::Tag("t".into()), Selector::Prefix("k".into())];
    for round in 0..1_500 {
        let gate = Barrier::new(2);
        let purged = AtomicBool::new(false);
        let order = Order::of([selectors[round % 3].clone()]);
        thread::scope(|scope| {
            scope.spawn(|| {
                // The origin was read before the order; everything it names is old.
                let birth = fences.begin();
                gate.wait();
                level.land(&birth, key("k"), samples::entry("old", &["t"]));
            });
            scope.spawn(|| {
                gate.wait();
                level.sweep(&fences, &order);
                purged.store(true, Ordering::SeqCst);
                assert_eq!(found(&level, 0, "k"), None, "seen after the order, round {round}");
            });
        });
        assert!(purged.load(Ordering::SeqCst));
        assert_eq!(found(&level, 0, "k"), None, "brought back after the order, round {round}");
    }
    level.audit();
}

#[test]
fn reloads_at_once_with_stores_keep_cache_and_index_alike() {
    let level = L1::new(&[kind("", None, None)], 2 * MIB, Eviction::TinyLfu);
    let fences = Fences::default();
    let gate = Barrier::new(3);
    thread::scope(|scope| {
        for seed in 1..=2 {
            let (level, fences, gate) = (&level, &fences, &gate);
            scope.spawn(move || {
                let mut dice = Dice::seeded(seed);
                gate.wait();
                for _ in 0..3_000 {
                    act(level, fences, &mut dice);
                }
            });
        }
        scope.spawn(|| {
            gate.wait();
            for round in 0..30_u64 {
                let own = kind("own", Some(MIB / 2 + (round % 3) * MIB / 4), None);
                let few = kind("few", None, Some(20 + round));
                let kinds = match round % 4 {
                    0 => vec![kind("", None, None), own, few],
                    1 => vec![kind("", None, None), few, own],
                    2 => vec![kind("", None, None), kind("own", None, None)],
                    _ => vec![kind("", None, None)],
                };
                level.reshape(&kinds, 2 * MIB + (round % 2) * MIB);
            }
        });
    });
    level.audit();
}
