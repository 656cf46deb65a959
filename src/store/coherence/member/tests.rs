use super::*;
use crate::base::clock::Timestamp;
use crate::base::ids::SoftId;
use crate::base::units::Span;
use crate::entry::order::{Mode, Soft};
use crate::store::coherence::decode_order;

fn order(text: &str) -> Arc<Order> {
    Arc::new(Order::of([Selector::parse(text).unwrap()]))
}

fn record(count: u32, life: u64, text: &str) -> Record {
    Record {
        number: Number::new(1, count),
        previous: Number::new(1, count - 1),
        id: OrderId { life, count: u64::from(count) },
        order: (*order(text)).clone(),
        event: String::new(),
    }
}

const fn facts(key: &str) -> Facts<'_> {
    Facts { key, target: key, tags: &[], is_open: false, kind: "", rule: "" }
}

fn joined(life: u64) -> Member {
    let mut member = Member::new(life);
    member.check_in(1, "1.0", Number::default());
    member.join(&[], Number::default(), Number::new(1, 0), 0);
    member
}

#[test]
fn an_own_order_refuses_frames_before_and_after_it_is_numbered() {
    let mut member = joined(7);
    let frame = Number::new(1, 4);
    assert_eq!(member.judge(&facts("a"), frame, true), Verdict::Current);
    let count = member.give(order("key:a"), String::new());
    assert_eq!(member.judge(&facts("a"), frame, true), Verdict::Purged);
    assert_eq!(member.judge(&facts("b"), frame, true), Verdict::Current);
    member.number(count, Number::new(1, 5), 0);
    assert_eq!((member.waiting_len(), member.numbered()), (0, count));
    assert_eq!(member.judge(&facts("a"), frame, true), Verdict::Purged);
    assert_eq!(member.judge(&facts("a"), Number::new(1, 5), true), Verdict::Current);
}

#[test]
fn orders_wait_first_in_first_out() {
    let mut member = joined(7);
    let one = member.give(order("key:a"), String::new());
    let two = member.give(order("key:b"), String::new());
    let waiting = member.waiting(9);
    assert_eq!(waiting.iter().map(|w| w.count).collect::<Vec<_>>(), [one, two]);
    member.number(one, Number::new(1, 1), 0);
    let later = Number::new(1, 9);
    assert_eq!(member.judge(&facts("a"), later, true), Verdict::Current);
    assert_eq!(member.judge(&facts("b"), later, true), Verdict::Purged, "it still waits");
}

#[test]
fn too_many_that_wait_become_one_order_on_everything() {
    let mut member = joined(7);
    for i in 0..=limits::ORDERS_WAITING_MAX {
        member.give(order(&format!("key:{i}")), String::new());
    }
    assert_eq!(member.waiting_len(), 1);
    assert_eq!(member.waiting(1)[0].order.selectors, [Selector::All]);
    assert_eq!(member.judge(&facts("never named"), Number::new(1, 9), true), Verdict::Purged);
    let count = member.waiting(1)[0].count;
    member.number(count, Number::new(1, 1), 0);
    assert_eq!(member.numbered(), count);
    assert_eq!(member.judge(&facts("never named"), Number::new(1, 0), true), Verdict::Purged);
}

#[test]
fn records_are_applied_in_their_sequence() {
    let mut member = joined(7);
    assert_eq!(member.next(&record(1, 8, "key:a")), Ok(Some(true)));
    assert_eq!(member.next(&record(2, 8, "key:a")), Err(Gap));
    member.apply(&record(1, 8, "key:a"), 0);
    assert_eq!(member.next(&record(1, 8, "key:a")), Ok(None));
    assert_eq!(member.next(&record(2, 7, "key:a")), Ok(Some(false)), "its own has had its effect");
    assert_eq!(member.known().collect::<Vec<_>>(), [7, 8]);
}

#[test]
fn what_a_server_lost_is_told_again() {
    let mut member = joined(7);
    member.apply(&record(1, 8, "key:a"), 5);
    let count = member.give(order("tag:t"), String::new());
    member.number(count, Number::new(1, 2), 6);
    let mut own = record(2, 7, "tag:t");
    own.id.count = count;
    member.apply(&own, 6);
    let (lost, whole) = member.lost_since(Number::new(1, 1), (2, "2.0"));
    assert_eq!((lost.len(), whole), (1, true));
    assert_eq!(*lost[0].order, *order("tag:t"));
    member.check_in(2, "2.0", Number::new(1, 1));
    assert_eq!((member.applied(), member.turn()), (Number::new(1, 1), 2));
    let old = Number::new(1, 2);
    assert_eq!(member.judge(&facts("b"), old, false), Verdict::Unsettled);
    assert_eq!(member.judge(&facts("b"), old, true), Verdict::Current);
    for count in 3..3 + limits::ORDERS_HEARD_MAX as u32 {
        member.apply(&record(count, 8, "key:c"), 7);
    }
    let (_, whole) = member.lost_since(Number::default(), (2, "2.0"));
    assert!(!whole, "the first order is forgotten");
}

#[test]
fn a_log_that_does_not_reach_back_ends_the_memory() {
    let mut member = joined(7);
    member.apply(&record(1, 8, "key:a"), 0);
    member.skip_to(Number::new(1, 9));
    assert_eq!(member.applied(), Number::new(1, 9));
    let (lost, whole) = member.lost_since(Number::new(1, 3), (2, "2.0"));
    assert_eq!((lost.len(), whole), (0, false));
}

#[test]
fn a_fresh_life_knows_what_the_log_says() {
    let mut member = Member::new(9);
    let bytes = crate::store::coherence::encode_order(&order("type:stats"));
    member.learn_fence(&decode_order(&bytes).unwrap(), Number::new(1, 3));
    let records = [record(4, 8, "key:a"), record(5, 8, "key:b")];
    member.join(&records, Number::new(1, 3), Number::new(1, 5), 0);
    assert_eq!(member.judge(&facts("a"), Number::new(1, 3), true), Verdict::Purged);
    let stats = Facts { kind: "stats", ..facts("c") };
    assert_eq!(member.judge(&stats, Number::new(1, 2), true), Verdict::Purged);
    assert_eq!(member.recent().0.len(), 2);
    assert_eq!(member.recent().1, Number::new(1, 3));
}

#[test]
fn own_orders_that_were_folded_into_another_are_still_told_again() {
    let mut member = joined(7);
    let record = record(1, 7, "key:a");
    member.apply(&record, 0);
    assert_eq!(member.lost_since(Number::default(), (2, "2.0")).0.len(), 1);
    let count = member.give(order("key:b"), String::new());
    member.number(count, Number::new(1, 2), 0);
    assert_eq!(member.lost_since(Number::default(), (2, "2.0")).0.len(), 2);
}

#[test]
fn what_a_replaced_server_said_counts_for_nothing() {
    let mut member = joined(7);
    assert!(member.has_reached(1, Number::new(1, 0)));
    assert!(!member.has_reached(1, Number::new(1, 4)));
    let mut later = record(1, 8, "key:a");
    later.number = Number::new(2, 1);
    member.apply(&later, 0);
    assert!(!member.has_reached(1, Number::new(1, 4)), "the log is another server's");
    assert_eq!(member.turn_seen(), 2);
    member.check_in(2, "2.0", Number::default());
    assert!(member.has_reached(2, Number::new(2, 1)));
}

#[test]
fn an_own_order_is_known_by_its_number_before_it_comes_back() {
    let mut member = joined(7);
    let count = member.give(order("key:a"), String::new());
    member.number(count, Number::new(1, 5), 0);
    assert_eq!(member.number_of(OrderId { life: 7, count }), Number::new(1, 5));
    assert_eq!(member.number_of(OrderId { life: 8, count }), member.applied());
    // However much was applied since, who has come so far has it.
    let others: Vec<Record> = (5..8).map(|at| record(at + 1, 8, "key:b")).collect();
    for one in &others {
        member.apply(one, 0);
    }
    let own = OrderId { life: 7, count };
    assert!(member.number_of(own) > Number::new(1, 5));
    let began = member.began().to_owned();
    assert_eq!(member.number_in(own, 1, &began), Some(Number::new(1, 5)));
    assert_eq!(member.number_in(own, 1, "of another"), None);
    assert_eq!(member.number_in(own, 2, &began), None);
}

#[test]
fn what_is_from_a_turn_that_nobody_remembers_is_not_used() {
    let mut member = joined(7);
    assert_eq!(member.judge(&facts("a"), Number::new(2, 1), true), Verdict::Purged);
    member.check_in(2, "2.0", Number::default());
    assert_eq!(member.judge(&facts("a"), Number::new(2, 1), true), Verdict::Current);
}

#[test]
fn what_was_told_again_keeps_the_sequence_of_its_life() {
    let mut member = joined(7);
    for count in [5, 6] {
        let mut one = record(count, 7, &format!("key:{count}"));
        one.previous = member.applied();
        member.apply(&one, 0);
    }
    // Told again in the next turn, of which only the first came back before that ended, too.
    member.check_in(2, "2.0", Number::default());
    let mut again = record(1, 7, "key:5");
    (again.number, again.id.count) = (Number::new(2, 1), 5);
    member.apply(&again, 0);
    let (lost, _) = member.lost_since(Number::default(), (3, "3.0"));
    assert_eq!(lost.iter().map(|heard| heard.id.count).collect::<Vec<_>>(), [5, 6]);
}

fn soft(id: u64) -> Soft {
    Soft { id: SoftId(id), at: Timestamp::from_secs(1_000) }
}

/// A soft order of this id on a key.
fn softly(id: u64, text: &str) -> Arc<Order> {
    Arc::new(Order::clone(&order(text)).as_mode(Mode::Soft(soft(id))))
}

/// What a member says of a frame: the verdict, and the soft orders that name it.
fn said(member: &Member, key: &str, number: Number) -> (Verdict, Vec<u64>) {
    let softs = member.softs_on(&facts(key), number);
    let verdict = member.judge(&facts(key), number, true);
    (verdict, softs.iter().map(|soft| soft.id.0).collect())
}

#[test]
fn what_a_soft_order_names_is_stale_until_its_time_is_over() {
    let mut member = joined(7);
    let (old, new) = (Number::new(1, 4), Number::new(1, 5));
    let waits = member.give(softly(1, "key:a"), String::new());
    assert_eq!(said(&member, "a", old), (Verdict::Current, vec![1]));
    assert_eq!(said(&member, "a", Number::new(1, 9)), (Verdict::Current, vec![1]));
    member.number(waits, new, 0);
    assert_eq!(said(&member, "a", old), (Verdict::Current, vec![1]));
    assert_eq!(said(&member, "a", new), (Verdict::Current, vec![]));
    let end = Timestamp::from_secs(1_000).plus(limits::SOFT_FOR);
    member.expire_softs(end.minus(Span::from_millis(1)));
    assert_eq!(said(&member, "a", old).0, Verdict::Current);
    member.expire_softs(end);
    assert_eq!(said(&member, "a", old), (Verdict::Purged, vec![]));
    assert_eq!(said(&member, "a", new), (Verdict::Current, vec![]));
}

#[test]
fn what_is_soft_for_too_long_without_a_number_is_purged_with_one() {
    let mut member = joined(7);
    let count = member.give(softly(1, "key:a"), String::new());
    member.expire_softs(Timestamp::NEVER);
    let before = Number::new(1, 4);
    assert_eq!(said(&member, "a", before), (Verdict::Purged, vec![]));
    member.number(count, Number::new(1, 5), 0);
    assert_eq!(said(&member, "a", before), (Verdict::Purged, vec![]));
    assert_eq!(said(&member, "a", Number::new(1, 5)), (Verdict::Current, vec![]));
}

#[test]
fn an_undone_order_is_undone_whichever_is_told_first() {
    let undo = || Arc::new(Order::clone(&order("key:a")).as_mode(Mode::Undo(soft(1))));
    let numbered =
        |count: u32, order: &Order| Record { order: order.clone(), ..record(count, 9, "key:none") };
    for undone_first in [false, true] {
        let mut member = joined(7);
        let mut orders = [softly(1, "key:a"), undo()];
        if undone_first {
            orders.reverse();
        }
        for (at, order) in orders.iter().enumerate() {
            member.apply(&numbered(at as u32 + 1, order), 0);
        }
        let frame = Number::new(1, 0);
        assert_eq!(said(&member, "a", frame), (Verdict::Current, vec![]), "{undone_first}");
        assert!(member.is_undone(&softly(1, "key:a")) && !member.is_undone(&softly(2, "key:a")));
        assert!(member.soft_order(SoftId(1)).is_none());
        // A server that lost both is told both, as they were given.
        let (lost, whole) = member.lost_since(Number::default(), (2, "2.0"));
        assert!(whole && lost.len() == 2 && lost.iter().any(|one| one.order == undo()));
    }
}

#[test]
fn what_this_node_gives_comes_after_what_was_undone_whatever_its_clock_says() {
    let mut member = joined(7);
    let undo = |soft| Order::of([Selector::All]).as_mode(Mode::Undo(soft));
    member.give(softly(1, "key:a"), String::new());
    // It was known by another moment, as the clocks stood then.
    let early = Soft { at: Timestamp::from_secs(1), ..soft(1) };
    assert_eq!(member.given(undo(early)), undo(soft(1)));
    member.give(Arc::new(member.given(undo(early))), String::new());
    assert!(member.soft_order(SoftId(1)).is_none());
    let again = member.given(Order::clone(&softly(1, "key:a")));
    assert!(!member.is_undone(&again) && member.is_undone(&softly(1, "key:a")));
    member.give(Arc::new(again), String::new());
    assert_eq!(said(&member, "a", Number::new(1, 4)).1, [1]);
    // Who undoes the first one now changes nothing here.
    assert!(member.is_undone(&undo(soft(1))));
}
