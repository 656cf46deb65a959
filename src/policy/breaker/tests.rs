use super::*;

const fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(10_000 + ms)
}

fn closed() -> Breaker {
    let mut breaker = Breaker::new(at(0));
    assert!(breaker.probe(at(0)));
    breaker.settle(true);
    assert_eq!(breaker.phase(), Phase::Closed);
    breaker
}

#[test]
fn it_begins_open_and_is_probed_at_once() {
    let mut breaker = Breaker::new(at(0));
    assert!(!breaker.admits());
    assert!(breaker.probe(at(0)));
    assert_eq!(breaker.phase(), Phase::HalfOpen);
    assert!(!breaker.admits());
    breaker.settle(true);
    assert!(breaker.admits());
}

#[test]
fn five_faults_within_a_second_open_it_and_four_do_not() {
    let mut breaker = closed();
    for ms in [0, 250, 500, 750] {
        assert!(!breaker.fault(at(ms)));
        assert!(breaker.admits());
    }
    assert!(breaker.fault(at(1_000)));
    assert!(!breaker.admits());
    assert_eq!(breaker.opened(), at(1_000));
}

#[test]
fn faults_that_are_further_apart_never_open_it() {
    let mut breaker = closed();
    for count in 0..100 {
        assert!(!breaker.fault(at(count * 251)), "after {count}");
    }
    assert!(breaker.admits());
}

#[test]
fn the_window_slides() {
    let mut breaker = closed();
    for ms in [0, 900, 1_000, 1_100, 1_200] {
        assert!(!breaker.fault(at(ms)));
    }
    assert!(breaker.fault(at(1_300)));
}

#[test]
fn what_comes_late_changes_nothing() {
    let mut breaker = closed();
    assert!(breaker.trip(at(10)));
    assert!(!breaker.trip(at(20)));
    assert!((0..10).all(|_| !breaker.fault(at(30))));
    assert_eq!(breaker.opened(), at(10));
    assert!(breaker.probe(at(300)));
    assert!(!breaker.fault(at(301)) && !breaker.trip(at(301)));
    assert_eq!(breaker.phase(), Phase::HalfOpen);
}

#[test]
fn one_probe_at_a_time_and_not_too_often() {
    let mut breaker = closed();
    breaker.trip(at(500));
    assert!(breaker.probe(at(500)), "the last was long ago");
    assert!(!breaker.probe(at(5_000)), "one is under way");
    breaker.settle(false);
    assert_eq!(breaker.phase(), Phase::Open);
    assert!(!breaker.probe(at(699)));
    assert!(breaker.probe(at(700)));
    breaker.settle(true);
    // A server that is lost the moment it is back is not asked in circles.
    breaker.trip(at(701));
    assert!(!breaker.probe(at(702)));
    assert!(breaker.probe(at(900)));
}

#[test]
fn an_outcome_without_a_probe_is_none() {
    let mut breaker = closed();
    breaker.settle(false);
    assert!(breaker.admits());
    breaker.trip(at(1));
    breaker.settle(true);
    assert!(!breaker.admits());
}

#[test]
fn old_faults_are_forgotten_when_it_closes() {
    let mut breaker = closed();
    for _ in 0..4 {
        breaker.fault(at(0));
    }
    breaker.trip(at(1));
    breaker.probe(at(300));
    breaker.settle(true);
    for _ in 0..4 {
        assert!(!breaker.fault(at(301)));
    }
    assert!(breaker.fault(at(302)));
}

/// Every sequence of six events against a second description of the same thing: a list of faults.
#[test]
fn every_short_history_agrees_with_its_description() {
    for code in 0..5_u32.pow(6) {
        let (mut breaker, mut faults, mut open) = (closed(), Vec::new(), false);
        let (mut probing, mut probed) = (false, at(0));
        for step in 0..6 {
            let now = at(1_000 + u64::from(step) * 150);
            match code / 5_u32.pow(step) % 5 {
                0 | 1 => {
                    for _ in 0..3 {
                        if !open && !probing {
                            faults.push(now);
                        }
                        let recent = faults.iter().filter(|at| now.since(**at) <= BREAKER_WINDOW);
                        let opens = !open && !probing && recent.count() >= BREAKER_FAULTS;
                        assert_eq!(breaker.fault(now), opens, "{code} at {step}");
                        if opens {
                            open = true;
                            faults.clear();
                        }
                    }
                }
                2 => {
                    let may = open && now.since(probed) >= PROBE_EVERY;
                    assert_eq!(breaker.probe(now), may, "{code} at {step}");
                    if may {
                        (open, probing, probed) = (false, true, now);
                    }
                }
                outcome => {
                    breaker.settle(outcome == 3);
                    if probing {
                        (open, probing) = (outcome != 3, false);
                    }
                }
            }
            assert_eq!(breaker.admits(), !open && !probing, "{code} at {step}");
        }
    }
}
