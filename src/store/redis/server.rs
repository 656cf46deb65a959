//! One server behind its guard: a deadline for every call, a breaker, a bound on calls under way.
//!
//! What must never happen: that a call waits for a connection to be made, that it waits longer than
//! its deadline, or that it waits at all while the server is known to be away. [`super::keep`]
//! makes connections and probes; a call only uses what is there.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use redis::aio::PubSub;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::config::Address;
use super::fault::{FAULT_WORDS, TierFault, moved_to};
use super::link::{Link, Role, listen};
use super::script::{Script, ScriptCall, Step};
use super::watch::{Told, Watch};
use super::way::Way;
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::units::Span;
use crate::policy::breaker::{Breaker, Phase};

/// One server in one role.
pub struct Server {
    pub(super) address: Address,
    pub(super) role: Role,
    pub(super) way: Arc<Way>,
    pub(super) watch: Arc<Watch>,
    pub(super) clock: Clock,
    pub(super) breaker: Mutex<Breaker>,
    pub(super) links: ArcSwap<Vec<Arc<Link>>>,
    /// How many there should be.
    pub(super) links_wanted: usize,
    /// Told when a link ended or the breaker opened.
    pub(super) wake: Arc<Notify>,
    calls_max: usize,
    /// What a request waits for one call.
    pub(super) budget: Span,
    under_way: AtomicUsize,
    turn: AtomicUsize,
    answered: AtomicU64,
    faults: [AtomicU64; FAULT_WORDS.len()],
    pub(super) last_fault: Mutex<Option<String>>,
}

/// What a server's guard knows, for metrics and `doctor`.
#[derive(Clone, Debug)]
pub struct State {
    /// Whether it is asked.
    pub phase: Phase,
    /// Its role.
    pub role: Role,
    /// Connections that work.
    pub connections: usize,
    /// Calls that wait for an answer now.
    pub under_way: usize,
    /// Calls that were answered, with errors of the server's own not counted.
    pub answered: u64,
    /// Calls that were not, by [`FAULT_WORDS`].
    pub faults: [u64; FAULT_WORDS.len()],
    /// The last fault of the server, or of reaching it.
    pub last_fault: Option<String>,
}

impl Server {
    pub(super) fn new(
        address: Address,
        role: Role,
        way: Arc<Way>,
        watch: Arc<Watch>,
        (links_wanted, calls_max, budget): (usize, usize, Span),
    ) -> Self {
        // Never aligned again, so that its time does not go back.
        let clock = Clock::system();
        let breaker = Mutex::new(Breaker::new(clock.now()));
        Self {
            address,
            role,
            way,
            watch,
            clock,
            breaker,
            links: ArcSwap::default(),
            links_wanted,
            wake: Arc::default(),
            calls_max,
            budget,
            under_way: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            faults: Default::default(),
            last_fault: Mutex::default(),
        }
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether calls are let through now.
    pub fn is_up(&self) -> bool {
        self.breaker().admits()
    }

    /// What its guard knows.
    pub fn state(&self) -> State {
        let last = self.last_fault.lock().unwrap_or_else(PoisonError::into_inner);
        State {
            phase: self.breaker().phase(),
            role: self.role,
            connections: self.links.load().iter().filter(|link| link.is_alive()).count(),
            under_way: self.under_way.load(Ordering::Relaxed),
            answered: self.answered.load(Ordering::Relaxed),
            faults: std::array::from_fn(|index| {
                self.faults.get(index).map_or(0, |count| count.load(Ordering::Relaxed))
            }),
            last_fault: last.clone(),
        }
    }

    /// One command.
    pub async fn call<T: FromRedisValue>(
        &self,
        command: &Cmd,
        deadline: Span,
    ) -> Result<T, TierFault> {
        self.guarded(bytes_of(command), deadline, async |link| {
            command.query_async(&mut link.connection()).await
        })
        .await
    }

    /// Several commands in one round trip; the first error is the error of all. A transaction, if
    /// the pipeline is one.
    pub async fn pipe<T: FromRedisValue>(
        &self,
        pipe: &Pipeline,
        deadline: Span,
    ) -> Result<T, TierFault> {
        let bytes = pipe.cmd_iter().map(bytes_of).sum();
        self.guarded(bytes, deadline, async |link| pipe.query_async(&mut link.connection()).await)
            .await
    }

    /// A script, sent by its hash, and as text within the same deadline if the server does not
    /// know it.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[&[u8]],
        args: &[&[u8]],
        deadline: Span,
    ) -> Result<T, TierFault> {
        let call = ScriptCall { script, keys, args };
        self.guarded(call.bytes(), deadline, async |link| {
            let mut connection = link.connection();
            match call.by_hash(link.run()).query_async(&mut connection).await {
                Err(error) if error.code() == Some("NOSCRIPT") => {
                    call.by_text(link.run()).query_async(&mut connection).await
                }
                other => other,
            }
        })
        .await
    }

    /// Several scripts in one round trip, each with its own outcome. Scripts that the server does
    /// not know run in a second one, after the others: their order among each other is not kept.
    pub async fn scripts(
        &self,
        calls: &[ScriptCall<'_>],
        deadline: Span,
    ) -> Result<Vec<Result<Value, TierFault>>, TierFault> {
        let steps: Vec<Step<'_>> = calls.iter().map(|call| Step::Script(*call)).collect();
        self.steps(&steps, deadline).await
    }

    /// Several steps in one round trip, in this order but for scripts that the server does not
    /// know: these run after all else. Others may be served between two steps.
    pub async fn steps(
        &self,
        steps: &[Step<'_>],
        deadline: Span,
    ) -> Result<Vec<Result<Value, TierFault>>, TierFault> {
        self.steps_of(0, steps, deadline).await
    }

    /// The same, where the answer will be long: over the connection for what is bulky.
    pub async fn steps_long(
        &self,
        steps: &[Step<'_>],
        deadline: Span,
    ) -> Result<Vec<Result<Value, TierFault>>, TierFault> {
        self.steps_of(limits::BULKY_BYTES, steps, deadline).await
    }

    async fn steps_of(
        &self,
        expected: usize,
        steps: &[Step<'_>],
        deadline: Span,
    ) -> Result<Vec<Result<Value, TierFault>>, TierFault> {
        if steps.is_empty() {
            return Ok(Vec::new());
        }
        let bytes_of = |step: &Step<'_>| match step {
            Step::Command(command) => bytes_of(command),
            Step::Script(call) => call.bytes(),
        };
        let bytes = steps.iter().map(bytes_of).fold(expected, usize::saturating_add);
        let values = self.guarded(bytes, deadline, async |link| several(link, steps).await).await?;
        let outcomes = values
            .into_iter()
            .map(|value| value.extract_error().map_err(|error| self.understand(error)));
        let outcomes: Vec<_> = outcomes.collect();
        let faults = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        // The breaker counts a round trip once, however many of its calls say so.
        if let Some(fault) = faults().find(|fault| fault.is_outage()) {
            self.note(fault);
        } else if let Some(fault) = faults().find(|fault| fault.is_surprise()) {
            self.note(fault);
        }
        Ok(outcomes)
    }

    /// A connection of its own that hears messages; its task runs where this is called. What comes
    /// must be taken without a pause, since nothing bounds what waits. Takes the connect timeout at
    /// most.
    pub async fn pubsub(&self) -> Result<PubSub, TierFault> {
        listen(&self.way, &self.address).await
    }

    /// Runs one exchange under the guard.
    async fn guarded<T, F>(&self, bytes: usize, deadline: Span, exchange: F) -> Result<T, TierFault>
    where
        F: AsyncFnOnce(&Link) -> RedisResult<T>,
    {
        let until = Instant::now() + deadline.to_duration();
        if !self.is_up() {
            return self.count(Err(TierFault::Open));
        }
        let Some(_place) = Place::take(&self.under_way, self.calls_max) else {
            return self.count(Err(TierFault::Busy));
        };
        let Some(link) = self.pick(bytes) else {
            let fault = TierFault::Lost("no connection".to_owned());
            self.note(&fault);
            return self.count(Err(fault));
        };
        let outcome = match timeout_at(until, exchange(&link)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(link.explain(self.understand(error))),
            Err(_) => Err(TierFault::Deadline),
        };
        if let Err(fault) = &outcome {
            if matches!(fault, TierFault::Garbage(_)) {
                link.cut();
            }
            self.note(fault);
        }
        self.count(outcome)
    }

    fn understand(&self, error: RedisError) -> TierFault {
        if let Some((host, port)) = moved_to(&error) {
            let host = if host.is_empty() { self.address.host.clone() } else { host };
            self.watch.moved(Address { host, port });
        }
        TierFault::from(error)
    }

    fn count<T>(&self, outcome: Result<T, TierFault>) -> Result<T, TierFault> {
        let counter = match &outcome {
            Ok(_) => Some(&self.answered),
            Err(fault) => self.faults.get(fault.index()),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Draws the conclusions from a fault: for the breaker, and for what is believed about the
    /// servers.
    fn note(&self, fault: &TierFault) {
        if fault.is_surprise() {
            self.watch.suspect();
        }
        if fault.is_outage() {
            self.remember(fault);
            let opened = self.breaker().fault(self.clock.now());
            if opened {
                self.fell(fault);
            }
        }
    }

    /// The breaker has opened: nothing that is under way is waited for any longer, and what the
    /// server may yet say to old questions goes nowhere.
    pub(super) fn fell(&self, fault: &TierFault) {
        for link in self.links.swap(Arc::default()).iter() {
            link.cut();
        }
        self.watch.tell(Told::Down { server: self.address.clone(), why: fault.to_string() });
        self.watch.suspect();
        self.wake.notify_one();
    }

    pub(super) fn remember(&self, fault: &TierFault) {
        let mut last = self.last_fault.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(fault.to_string());
    }

    pub(super) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection whose turn it is. What is bulky has the last one for itself, if there are
    /// several.
    fn pick(&self, bytes: usize) -> Option<Arc<Link>> {
        let links = self.links.load();
        let small = links.len().saturating_sub(1);
        let lane = match links.split_at_checked(small) {
            Some((_, last)) if bytes > limits::BULKY_BYTES => last,
            Some((first, _)) if !first.is_empty() => first,
            _ => links.as_slice(),
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let start = turn.checked_rem(lane.len()).unwrap_or_default();
        let in_turn = lane.iter().skip(start).chain(lane).chain(links.iter());
        in_turn.into_iter().find(|link| link.is_alive()).cloned()
    }
}

/// Values as they came, errors among them.
async fn several(link: &Link, steps: &[Step<'_>]) -> RedisResult<Vec<Value>> {
    let mut connection = link.connection();
    let mut pipe = Pipeline::with_capacity(steps.len());
    for step in steps {
        pipe.add_command(match step {
            Step::Command(command) => command.clone(),
            Step::Script(call) => call.by_hash(link.run()),
        });
    }
    let mut values = connection.send_packed_commands(&pipe, 0, steps.len()).await?;
    let unknown =
        |value: &Value| matches!(value, Value::ServerError(error) if error.code() == "NOSCRIPT");
    let mut again = Pipeline::new();
    for (step, _) in steps.iter().zip(&values).filter(|(_, value)| unknown(value)) {
        if let Step::Script(call) = step {
            again.add_command(call.by_text(link.run()));
        }
    }
    if again.is_empty() {
        return Ok(values);
    }
    let told = connection.send_packed_commands(&again, 0, again.len()).await?;
    let gaps = values.iter_mut().filter(|value| unknown(value));
    for (gap, value) in gaps.zip(told) {
        *gap = value;
    }
    Ok(values)
}

fn bytes_of(command: &Cmd) -> usize {
    let parts = command.args_iter().map(|part| match part {
        redis::Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    });
    parts.sum()
}

/// One of the calls that may be under way; given back however the call ends.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(count: &'a AtomicUsize, most: usize) -> Option<Self> {
        if count.fetch_add(1, Ordering::Relaxed) < most {
            return Some(Self(count));
        }
        count.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
