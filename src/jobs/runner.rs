//! Carries jobs out, a few at once, with connections of its own to the origins.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::base::{limits, tasks};
use crate::engine::{Engine, Worker};
use crate::jobs::registry::{Job, Jobs, State, Task};
use crate::telemetry::event::Event;

/// Begins to carry jobs out, on the current runtime, until that ends.
pub fn start(worker: &Worker, jobs: &Arc<Jobs>) {
    for _ in 0..limits::JOBS_AT_ONCE_MAX {
        let (worker, jobs) = (worker.clone(), Arc::clone(jobs));
        tasks::tend(async move {
            loop {
                let (job, task) = jobs.next().await;
                carry_out(&worker, job, task).await;
            }
        });
    }
}

/// What must happen however a job ends.
struct Ending {
    engine: Arc<Engine>,
    job: Arc<Job>,
    _over: oneshot::Sender<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let now = self.engine.clock.now();
        self.job.end(State::Failed, Some("it broke off".to_owned()), now);
        let word = self.job.state().as_str();
        self.engine.telemetry.tell(now, &Event::Job { what: word, detail: &self.job.summary() });
    }
}

async fn carry_out(worker: &Worker, job: Arc<Job>, task: Task) {
    let engine = &worker.engine;
    if !job.begin(engine.clock.now()) {
        return;
    }
    engine.telemetry.tell(engine.clock.now(), &Event::Job { what: "running", detail: job.id() });
    let (over, ended) = oneshot::channel();
    let ending = Ending { engine: Arc::clone(engine), job, _over: over };
    let worker = worker.clone();
    // A task of its own: whatever happens to it, the next job has its turn.
    tasks::tend(async move {
        let job = &ending.job;
        let work = async {
            match task {
                Task::Warm(warm) => warm.run(&worker, job).await,
                Task::Verify(verify) => verify.run(&worker, job).await,
                Task::Sync(sync) => sync.run(&worker, job).await,
            }
        };
        let ended = tokio::select! {
            ended = work => ended,
            () = job.cancelled() => return,
        };
        let (state, error) = match ended {
            Ok(()) => (State::Done, None),
            Err(why) => (State::Failed, Some(why)),
        };
        job.end(state, error, worker.engine.clock.now());
    });
    // Nothing is sent: its end is what is waited for.
    let _ = ended.await;
}
