use std::slice::from_ref;

use super::*;

const LAG: u64 = 500;
const SLACK: u64 = 100;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn law() -> Law {
    Law::of(ms(LAG), ms(SLACK))
}

/// A read of `/a` that takes a millisecond.
fn read(node: usize, began: u64, version: u64, source: Source) -> Read {
    let answer = Ok(Seen { path: "/a".to_owned(), version, source });
    let (began, ended) = (ms(began), ms(began + 1));
    Read { node, path: "/a".to_owned(), began, ended, origin: Duration::ZERO, answer }
}

/// A change of `/a` on node 0 that was sent at 90 ms and acknowledged at 100.
fn change(version: u64, level: Option<Level>) -> Change {
    Change { node: 0, path: "/a".to_owned(), version, sent: ms(90), answered: ms(100), level }
}

fn found(law: &Law, changes: &[Change], reads: &[Read]) -> Vec<Violation> {
    let (reads, changes) = (reads.to_vec(), changes.to_vec());
    History { reads, changes, ..History::default() }.judged_by(law).violations
}

fn is_stale(law: &Law, change: &Change, read: Read) -> bool {
    match &*found(law, from_ref(change), &[read]) {
        [] => false,
        [Violation::Stale { .. }] => true,
        other => panic!("{other:?}"),
    }
}

fn away(node: Option<usize>, from: u64, healed: u64, replayed: u64) -> Law {
    let away =
        vec![Away { node, deaf: true, from: ms(from), healed: ms(healed), replayed: ms(replayed) }];
    Law { away, ..law() }
}

#[test]
fn who_hears_waits_for_the_replay_and_who_is_deaf_does_not() {
    let local = change(2, Some(Level::Local));
    let other = |began| read(1, began, 1, Source::L1);
    let deaf = away(None, 50, 5_000, 6_000);
    let mut hears = deaf.clone();
    hears.away[0].deaf = false;
    assert!(is_stale(&deaf, &local, other(4_900)));
    assert!(!is_stale(&hears, &local, other(4_900)));
    for law in [deaf, hears] {
        assert!(is_stale(&law, &local, other(9_000)));
    }
}

#[test]
fn a_quiet_history_holds() {
    let reads =
        [read(0, 0, 1, Source::Origin), read(1, 50, 1, Source::L2), read(0, 101, 2, Source::L1)];
    let verdict =
        History { reads: reads.to_vec(), changes: vec![change(2, None)], ..History::default() };
    let verdict = verdict.judged_by(&law());
    verdict.holds();
    assert_eq!((verdict.operations, verdict.from_l2), (4, 1));
    assert_eq!((verdict.failed(), verdict.stale()), (0, 0));
}

#[test]
fn a_request_that_failed_is_found() {
    let failed = Read { answer: Err("502".to_owned()), ..read(0, 10, 1, Source::L1) };
    assert!(matches!(&*found(&law(), &[], from_ref(&failed)), [Violation::Failed { .. }]));
    // Unless the origin failed at that time itself.
    let down = |from, until| Law { origin_down: vec![(ms(from), ms(until))], ..law() };
    assert!(found(&down(5, 10), &[], from_ref(&failed)).is_empty());
    assert_eq!(found(&down(12, 20), &[], &[failed]).len(), 1);
    let failure = Failure { path: "/a".to_owned(), at: ms(10), words: "reset".to_owned() };
    let history = History { failures: vec![failure], ..History::default() };
    assert_eq!(history.judged_by(&law()).failed(), 1);
    assert_eq!(history.judged_by(&down(5, 10)).failed(), 0);
}

#[test]
#[should_panic(expected = "Failed")]
fn what_was_found_is_told() {
    let failed = Read { answer: Err("502".to_owned()), ..read(0, 10, 1, Source::L1) };
    History { reads: vec![failed], ..History::default() }.judged_by(&law()).holds();
}

#[test]
fn an_answer_about_something_else_is_found() {
    let mut wrong = read(0, 10, 1, Source::L1);
    wrong.answer = Ok(Seen { path: "/b".to_owned(), version: 1, source: Source::L1 });
    assert!(matches!(&*found(&law(), &[], &[wrong]), [Violation::WrongPath { .. }]));
}

#[test]
fn a_version_that_nobody_made_is_found() {
    let early = read(0, 10, 2, Source::L1);
    assert!(matches!(&*found(&law(), &[], from_ref(&early)), [Violation::Unborn { .. }]));
    assert!(matches!(&*found(&law(), &[change(2, None)], &[early]), [Violation::Unborn { .. }]));
    // Sent is enough: the origin may commit before anybody is told.
    assert!(found(&law(), &[change(2, None)], &[read(1, 90, 2, Source::Origin)]).is_empty());
    // A write that failed may have been committed.
    let failure = Failure { path: "/a".to_owned(), at: ms(5), words: "reset".to_owned() };
    let law = Law { origin_down: vec![(ms(0), ms(9))], ..law() };
    let reads = vec![read(0, 10, 2, Source::L1)];
    let history = History { reads, failures: vec![failure], ..History::default() };
    assert!(history.judged_by(&law).violations.is_empty());
}

#[test]
fn the_writers_node_is_never_behind() {
    for level in [None, Some(Level::Shared), Some(Level::Nodes)] {
        assert!(is_stale(&law(), &change(2, level), read(0, 100, 1, Source::L1)), "{level:?}");
        assert!(!is_stale(&law(), &change(2, level), read(0, 99, 1, Source::L1)), "{level:?}");
    }
    let away = away(None, 50, 5_000, 6_000);
    assert!(is_stale(&away, &change(2, Some(Level::Local)), read(0, 100, 1, Source::L1)));
}

#[test]
fn another_nodes_first_level_follows_within_the_lag() {
    let shared = change(2, Some(Level::Shared));
    for source in [Source::L1, Source::Joined] {
        assert!(!is_stale(&law(), &shared, read(1, 699, 1, source)), "{source:?}");
        assert!(is_stale(&law(), &shared, read(1, 700, 1, source)), "{source:?}");
    }
    assert!(is_stale(&law(), &change(2, None), read(1, 700, 1, Source::L1)));
}

#[test]
fn the_shared_level_and_the_origin_are_never_behind() {
    for source in [Source::L2, Source::Origin] {
        assert!(is_stale(&law(), &change(2, Some(Level::Shared)), read(1, 100, 1, source)));
        assert!(!is_stale(&law(), &change(2, Some(Level::Shared)), read(1, 99, 1, source)));
    }
}

#[test]
fn what_all_nodes_confirmed_is_old_at_once_everywhere() {
    assert!(is_stale(&law(), &change(2, Some(Level::Nodes)), read(1, 100, 1, Source::L1)));
}

#[test]
fn what_was_local_counts_for_others_from_the_replay_on() {
    let local = change(2, Some(Level::Local));
    // The writer's node alone was cut off until 1,000 and had replayed at 2,000.
    let law = away(Some(0), 50, 1_000, 2_000);
    assert!(!is_stale(&law, &local, read(1, 2_599, 1, Source::L2)));
    assert!(is_stale(&law, &local, read(1, 2_600, 1, Source::L2)));
    // A change whose answer told no level counts the same while its node is cut off.
    assert!(!is_stale(&law, &change(2, None), read(1, 2_599, 1, Source::L1)));
    assert!(is_stale(&law, &change(2, None), read(1, 2_600, 1, Source::L1)));
    // A node that stays cut off itself asks the origin soon enough.
    let law = away(None, 50, 5_000, 6_000);
    assert!(!is_stale(&law, &local, read(1, 699, 1, Source::L1)));
    assert!(is_stale(&law, &local, read(1, 700, 1, Source::L1)));
    assert!(!is_stale(&law, &local, read(1, 5_500, 1, Source::L1)));
    assert!(is_stale(&law, &local, read(1, 6_600, 1, Source::L1)));
}

#[test]
fn what_was_shared_counts_while_the_level_is_away_too() {
    let law = away(None, 50, 5_000, 6_000);
    assert!(is_stale(&law, &change(2, Some(Level::Shared)), read(1, 700, 1, Source::L1)));
    // Before the trouble began nothing excuses.
    let law = away(None, 150, 5_000, 6_000);
    assert!(is_stale(&law, &change(2, None), read(1, 700, 1, Source::L1)));
}

#[test]
fn the_newest_change_that_is_due_counts() {
    let newer = Change { version: 3, sent: ms(110), answered: ms(120), ..change(3, None) };
    let all = found(&law(), &[change(2, None), newer], &[read(0, 125, 1, Source::L1)]);
    let [Violation::Stale { seen: 1, owed: 3, late, .. }] = &*all else { panic!("{all:?}") };
    assert_eq!(*late, ms(5));
}

#[test]
fn a_local_acknowledgement_without_need_is_found() {
    let local = change(2, Some(Level::Local));
    let wrong = found(&law(), from_ref(&local), &[]);
    assert!(matches!(&*wrong, [Violation::OnlyLocal { .. }]));
    assert!(found(&away(None, 95, 99, 99), from_ref(&local), &[]).is_empty());
    assert_eq!(found(&away(Some(1), 95, 99, 99), from_ref(&local), &[]).len(), 1);
    let lenient = Law { local_max: 1, ..law() };
    assert!(found(&lenient, from_ref(&local), &[]).is_empty());
    assert_eq!(found(&lenient, &[local.clone(), local], &[]).len(), 2);
}

#[test]
fn waiting_beside_the_origin_is_found() {
    let slow = Read { ended: ms(60), ..read(0, 10, 1, Source::Origin) };
    let bound = Law { added_max: ms(40), ..law() };
    assert!(matches!(&*found(&bound, &[], from_ref(&slow)), [Violation::Slow { .. }]));
    let excused = Read { origin: ms(20), ..slow.clone() };
    assert!(found(&bound, &[], &[excused]).is_empty());
    // Two in a hundred are too many, one is not.
    let bound = Law { added_p99: ms(40), ..law() };
    let mut reads = vec![read(0, 10, 1, Source::L1); 99];
    reads.push(slow.clone());
    assert!(found(&bound, &[], &reads).is_empty());
    reads[0] = slow;
    assert!(matches!(&*found(&bound, &[], &reads), [Violation::SlowMostly { .. }]));
    let bound = Law { change_max: ms(9), ..law() };
    let wrong = found(&bound, &[change(2, None)], &[]);
    assert!(matches!(&*wrong, [Violation::SlowChange { .. }]));
}

#[test]
fn what_a_time_added_is_told_apart() {
    let slow = Read { ended: ms(60), ..read(0, 10, 1, Source::L1) };
    let history = History { reads: vec![slow, read(0, 20, 1, Source::L1)], ..History::default() };
    assert_eq!(history.added(ms(0), ms(20), 900), ms(50));
    assert_eq!(history.added(ms(11), ms(21), 900), ms(1));
    assert_eq!(history.added(ms(11), ms(20), 900), Duration::ZERO);
}

#[test]
fn quantiles_are_values_that_were_measured() {
    let all: Vec<_> = (1..=200).map(ms).collect();
    assert_eq!(quantile(&all, 990), ms(198));
    assert_eq!(quantile(&all, 1_000), ms(200));
    assert_eq!(quantile(&all[..1], 990), ms(1));
    assert_eq!(quantile(&[], 990), Duration::ZERO);
}
