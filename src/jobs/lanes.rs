//! How a job goes through what it has to do: so many at once, so many begun in a second, and none
//! while the emergency switch is on or an operator has it stand still. A slow origin slows the job
//! down and nobody else.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::base::limits;
use crate::engine::{Engine, Worker};
use crate::jobs::registry::Job;

/// How fast a job may go.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    at_once: usize,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many requests begun in a second, so many at once.
    pub fn new(rate: u64, at_once: usize) -> Self {
        let every = Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX);
        Self { every, at_once: at_once.max(1), next: Mutex::default() }
    }

    /// Waits until one more may begin. One after the other: what was not used is lost.
    pub(super) async fn turn(&self) {
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let at = next.unwrap_or(now).max(now);
        sleep_until(at).await;
        *next = Some(at + self.every);
    }
}

/// Where the things come from that a job goes through.
pub(super) trait Source {
    /// One of them.
    type Item;

    /// The next few; perhaps none, though there are more. Nothing at the end.
    fn page(
        &mut self,
        engine: &Engine,
        job: &Job,
    ) -> impl Future<Output = Result<Option<Vec<Self::Item>>, String>> + Send;
}

/// Goes through a source to its end.
///
/// # Errors
/// When the source does not tell what there is.
pub(super) async fn through<S, F>(
    worker: &Worker,
    job: &Job,
    pace: &Pace,
    mut source: S,
    each: impl Fn(S::Item) -> F,
) -> Result<(), String>
where
    S: Source,
    F: Future<Output = ()>,
{
    let engine = &worker.engine;
    let mut running = FuturesUnordered::new();
    let mut queue = VecDeque::new();
    let mut is_over = false;
    loop {
        if queue.is_empty() && !is_over {
            match beside(&mut running, source.page(engine, job)).await? {
                Some(page) => queue.extend(page),
                None => is_over = true,
            }
            // A page of which nothing need be fetched waits for nothing.
            tokio::task::yield_now().await;
            if queue.is_empty() && !is_over {
                continue;
            }
        }
        if running.len() < pace.at_once
            && let Some(one) = queue.pop_front()
        {
            beside(&mut running, stand_still(engine, job)).await;
            running.push(each(one));
            continue;
        }
        if running.next().await.is_none() && is_over && queue.is_empty() {
            return Ok(());
        }
    }
}

/// Waits for something, while what is under way goes on: others may wait for what it brings.
async fn beside<F, T>(running: &mut FuturesUnordered<F>, wait: impl Future<Output = T>) -> T
where
    F: Future<Output = ()>,
{
    let mut wait = pin!(wait);
    loop {
        tokio::select! {
            biased;
            out = &mut wait => return out,
            Some(()) = running.next(), if !running.is_empty() => {}
        }
    }
}

/// Waits while the emergency switch is on, or an operator has the job stand still.
pub(super) async fn stand_still(engine: &Engine, job: &Job) {
    let mut paused = false;
    while engine.bypass.is_on(Instant::now()) || job.is_held() {
        if !paused {
            job.pause(true);
        }
        paused = true;
        tokio::select! {
            () = job.resumed() => {}
            () = sleep(limits::JOB_PAUSE.to_duration()) => {}
        }
    }
    if paused {
        job.pause(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_goes_on_while_a_job_waits() {
        let mut running = FuturesUnordered::new();
        let (done, came) = tokio::sync::oneshot::channel();
        running.push(async move {
            sleep(Duration::from_secs(1)).await;
            let _ = done.send(());
        });
        beside(&mut running, async { came.await.expect("it goes on") }).await;
        beside(&mut running, sleep(Duration::from_secs(1))).await;
        assert!(running.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_begin_in_a_second() {
        let pace = Pace::new(10, 1);
        let began = Instant::now();
        for _ in 0..21 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        // What was not used in a pause does not come at once behind it.
        tokio::time::advance(Duration::from_mins(1)).await;
        let began = Instant::now();
        for _ in 0..11 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
