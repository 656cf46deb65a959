//! Turns, bounds, and what stands still.

use super::*;
use crate::jobs::lanes::Pace;

fn add(jobs: &Jobs) -> Result<Arc<Job>, TooMany> {
    let what = "http://h/a?token=hush".to_owned();
    jobs.add(Task::Warm(Warm::of_hot(Pace::new(1, 1))), what, "ann")
}

const NOW: Timestamp = Timestamp::from_secs(1);

#[tokio::test]
async fn a_job_has_its_turn_unless_it_was_cancelled_before() {
    let jobs = Jobs::default();
    let (first, second) = (add(&jobs).unwrap(), add(&jobs).unwrap());
    assert_eq!((first.id(), second.id()), ("warm-1", "warm-2"));
    assert!(jobs.cancel("warm-1", NOW).is_ok());
    assert_eq!(jobs.cancel("warm-1", NOW).unwrap_err(), NotGoing::Ended);
    assert_eq!(jobs.cancel("warm-9", NOW).unwrap_err(), NotGoing::Unknown);
    let (next, _) = jobs.next().await;
    assert_eq!(next.id(), "warm-2");
    assert!(!first.begin(NOW) && next.begin(NOW));
    next.note("fetched", None);
    next.note("failed", Some(("http://h/a?token=hush", "why")));
    assert!(next.end(State::Done, None, NOW) && !next.end(State::Failed, None, NOW));
    let told = next.told().to_string();
    assert!(told.contains("\"fetched\":1") && !told.contains("hush"), "{told}");
    assert_eq!(next.summary(), "warm-2 fetched=1 failed=1");
}

#[tokio::test]
async fn only_so_many_wait_and_only_so_many_are_kept() {
    let jobs = Jobs::default();
    for _ in 0..limits::JOBS_WAITING_MAX {
        assert!(add(&jobs).is_ok());
    }
    assert_eq!(add(&jobs).unwrap_err(), TooMany);
    for _ in 0..limits::JOBS_KEPT_MAX + 5 {
        let (job, _) = jobs.next().await;
        assert!(job.begin(NOW) && job.end(State::Done, None, NOW) && add(&jobs).is_ok());
    }
    assert_eq!(jobs.all().len(), limits::JOBS_KEPT_MAX);
    assert!(jobs.one("warm-1").is_none() && jobs.all()[0].state() == State::Queued);
}

#[tokio::test]
async fn what_is_held_stands_still_and_others_pass_it() {
    let jobs = Jobs::default();
    let (first, second) = (add(&jobs).unwrap(), add(&jobs).unwrap());
    assert_eq!(jobs.hold("warm-9").unwrap_err(), NotGoing::Unknown);
    assert_eq!(jobs.hold("warm-1").unwrap().state(), State::Paused);
    let (next, _) = jobs.next().await;
    assert_eq!(next.id(), "warm-2");
    assert!(second.begin(NOW));
    jobs.hold("warm-2").unwrap();
    // The emergency switch goes off, the operator's word stands.
    second.pause(true);
    second.pause(false);
    assert!(second.state() == State::Paused && second.is_held());
    assert_eq!(jobs.resume("warm-2").unwrap().state(), State::Running);
    assert_eq!(jobs.resume("warm-1").unwrap().state(), State::Queued);
    let (next, _) = jobs.next().await;
    assert!(next.id() == "warm-1" && first.begin(NOW));
    assert!(first.end(State::Done, None, NOW));
    assert_eq!(first.ended().await, State::Done);
    assert_eq!(jobs.hold("warm-1").unwrap_err(), NotGoing::Ended);
}

#[test]
fn of_what_comes_again_the_last_is_remembered() {
    let jobs = Jobs::default();
    let again = |by: &str| {
        let task = Task::Warm(Warm::of_hot(Pace::new(1, 1)));
        jobs.add_again(task, "all".to_owned(), by).unwrap()
    };
    let ann = again("ann");
    assert!(ann.end(State::Done, None, NOW));
    for _ in 0..3 {
        jobs.kept().waiting.clear();
        assert!(again("interval").end(State::Done, None, NOW));
    }
    again("interval");
    let ids: Vec<String> = jobs.all().iter().map(|job| job.id().to_owned()).collect();
    assert_eq!(ids, ["warm-5", "warm-4", "warm-1"]);
}
