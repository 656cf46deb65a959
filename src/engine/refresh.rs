//! What a write wants fetched anew: what stood here of it is noted before the purge takes it, and
//! asked for after. Each fetch is one like any other, with a birth after the purge: clients join
//! it, and the next purge overtakes it. It asks as its entry's first client did, in the fields that
//! select; a credential goes along only where the rule has one entry for all callers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use crate::base::units::Span;
use crate::base::{limits, tasks};
use crate::engine::admit::Plan;
use crate::engine::ahead::{self, Brought, Target};
use crate::engine::anew::Noted;
use crate::engine::marks::Marks;
use crate::engine::transit::{Caller, Gist, Transit};
use crate::engine::{Engine, Worker};
use crate::entry::order::Order;
use crate::policy::Selecting;
use crate::policy::vary::Said;
use crate::rules::{Share, Tenant};
use crate::telemetry::event::Event;

/// How many of one write's fetches run at once.
const LANES: usize = 4;

/// The bounds of all writes together.
#[derive(Debug)]
pub struct Refreshing {
    /// Those that run.
    turns: Semaphore,
    /// Those that are noted.
    room: Arc<Semaphore>,
}

impl Default for Refreshing {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(limits::REFRESH_AT_ONCE_MAX),
            room: Arc::new(Semaphore::new(limits::REFRESH_WAITING_MAX)),
        }
    }
}

/// What stood here of what a write wants fetched anew.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The variants of one answer stand together: one is fetched after the other.
    jobs: Vec<Vec<Target>>,
    /// Those beyond the bounds.
    left_out: u64,
    /// Those that only the shared level holds, where it was asked.
    shared: Option<u64>,
    /// Whether all was looked through.
    whole: bool,
    room: Option<OwnedSemaphorePermit>,
}

impl Wanted {
    /// These, as far as there is room for them beside all others.
    pub(super) fn of(engine: &Engine, all: Vec<Target>, mut left_out: u64, whole: bool) -> Self {
        let count = all.len() as u32;
        let mut jobs = Vec::<Vec<Target>>::new();
        for job in all {
            match jobs.last_mut() {
                Some(same) if same.first().is_some_and(|one| one.key == job.key) => same.push(job),
                _ => jobs.push(vec![job]),
            }
        }
        let room = Arc::clone(&engine.refreshing.room).try_acquire_many_owned(count).ok();
        if room.is_none() {
            jobs.clear();
            left_out += u64::from(count);
        }
        Self { jobs, left_out, shared: None, whole, room }
    }

    /// The same: so many of them are from the shared level.
    pub(super) fn with_shared(self, count: u64) -> Self {
        let shared = if self.jobs.is_empty() { 0 } else { count };
        Self { shared: Some(shared), ..self }
    }

    /// How many there are, and how many are not among them.
    pub(super) fn noted(&self) -> Noted {
        let noted = self.jobs.iter().map(|same| same.len() as u64).sum();
        Noted { noted, left_out: self.left_out, shared: self.shared, whole: self.whole }
    }
}

/// What stands here of this order. Asked before the purge.
pub(super) fn wanted(engine: &Engine, order: &Order) -> Wanted {
    let (mut jobs, mut met, mut whole) = (Vec::new(), 0_u64, false);
    let mut meeting = engine.l1.meeting(order);
    // A request waits for this.
    for _ in 0..limits::REFRESH_STEPS_OF_WRITE_MAX {
        whole = !engine.l1.meet(&mut meeting, &mut |key, entry| {
            met += 1;
            if jobs.len() < limits::REFRESH_PER_WRITE_MAX {
                jobs.push(Target::of_entry(key, entry));
            }
        });
        let is_known = jobs.len() == limits::REFRESH_PER_WRITE_MAX && meeting.total.is_some();
        if whole || is_known {
            break;
        }
    }
    let all = if whole { met } else { meeting.total.unwrap_or(met) };
    let left_out = all.saturating_sub(jobs.len() as u64);
    Wanted::of(engine, jobs, left_out, whole)
}

/// The writer, as far as its fetches know it.
#[derive(Debug)]
pub(super) struct Writer {
    /// Where it comes from.
    pub(super) caller: Caller,
    /// What it sent.
    pub(super) gist: Gist,
    /// The rule of its write.
    pub(super) rule: Option<Arc<str>>,
    /// Whose its write was; `None` where nobody has written.
    pub(super) tenant: Option<Tenant>,
}

impl Writer {
    /// Whether it may ask for this: what it carries is its own tenant's, and what the origin
    /// answers to that must not be kept as another's.
    pub(super) fn may_ask(&self, plan: &Plan) -> bool {
        self.tenant.as_ref().is_none_or(|own| own.name() == plan.key.tenant())
    }
}

/// The fetches of one write, or call. With its last one it is told what came of them.
#[derive(Debug)]
pub(super) struct Round {
    engine: Arc<Engine>,
    writer: Writer,
    jobs: Mutex<Vec<Vec<Target>>>,
    pub(super) fetched: AtomicU64,
    pub(super) left_out: AtomicU64,
    ended: Mutex<Option<oneshot::Sender<u64>>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Round {
    /// One, and what it is to fetch. Who waits for it is told with its end.
    pub(super) fn begin(
        engine: &Arc<Engine>,
        writer: Writer,
        wanted: Wanted,
        ended: Option<oneshot::Sender<u64>>,
    ) -> (Vec<Vec<Target>>, Self) {
        let Wanted { jobs, left_out, room, .. } = wanted;
        let round = Self {
            engine: Arc::clone(engine),
            writer,
            jobs: Mutex::default(),
            fetched: AtomicU64::new(0),
            left_out: AtomicU64::new(left_out),
            ended: Mutex::new(ended),
            _room: room,
        };
        (jobs, round)
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        let count = self.fetched.load(Ordering::Relaxed);
        let left_out = self.left_out.load(Ordering::Relaxed);
        let event = Event::Refresh { count, left_out, rule: self.writer.rule.as_deref() };
        self.engine.telemetry.tell(self.engine.clock.now(), &event);
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = ended.take() {
            // Who does not wait for it any more need not know.
            let _ = ended.send(count);
        }
    }
}

/// Fetches anew, and waits for that so long at most. How many were, where that is known by then.
pub(super) async fn run(
    worker: &Worker,
    writer: Writer,
    wanted: Wanted,
    wait: Span,
) -> Option<u64> {
    let (end, ended) = oneshot::channel();
    let (jobs, mut round) = Round::begin(&worker.engine, writer, wanted, Some(end));
    let lanes = LANES.min(jobs.len());
    *round.jobs.get_mut().unwrap_or_else(PoisonError::into_inner) = jobs;
    let round = Arc::new(round);
    for _ in 0..lanes {
        tasks::tend(lane(worker.clone(), Arc::clone(&round)));
    }
    drop(round);
    if wait == Span::ZERO {
        return None;
    }
    timeout(wait.to_duration(), ended).await.ok()?.ok()
}

async fn lane(worker: Worker, round: Arc<Round>) {
    loop {
        let variants = round.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
        for job in variants.iter().flatten() {
            let done = fetch_in_turn(&worker, &round, job).await;
            let count = if done.is_some() { &round.fetched } else { &round.left_out };
            count.fetch_add(1, Ordering::Relaxed);
        }
        if variants.is_none() {
            return;
        }
    }
}

/// Fetches one answer when fewer than all that may do so.
pub(super) async fn fetch_in_turn(worker: &Worker, round: &Round, job: &Target) -> Option<()> {
    let _turn = worker.engine.refreshing.turns.acquire().await.ok()?;
    fetch_anew(worker, &round.writer, job).await
}

/// Fetches one answer. Nothing where a request for it would need a credential that is not at hand,
/// or would find another entry.
async fn fetch_anew(worker: &Worker, writer: &Writer, target: &Target) -> Option<()> {
    match ahead::bring_for(worker, writer, target).await {
        Brought::Fetched | Brought::Found | Brought::Fresh => Some(()),
        Brought::NotCacheable(_) | Brought::NoCredentials | Brought::Failed(_) => None,
    }
}

/// The request for this variant of a target. Nothing where it takes a credential that is not at
/// hand.
pub(super) fn asking(
    engine: &Engine,
    writer: &Writer,
    target: &str,
    selecting: &Selecting,
) -> Option<Transit> {
    let uri: Uri = target.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => "http",
        "https" => "https",
        _ => return None,
    };
    let authority: Box<str> = uri.authority()?.as_str().into();
    let mut request = Request::new(());
    let fields = request.headers_mut();
    fields.insert(header::HOST, HeaderValue::from_str(&authority).ok()?);
    for (name, said) in selecting.parts() {
        match said {
            Said::Absent => {}
            Said::Text(text) => {
                fields.insert(name.clone(), HeaderValue::from_bytes(text).ok()?);
            }
            // What it stands for is kept nowhere.
            Said::Digest(_) => return None,
        }
    }
    *request.uri_mut() = uri.path_and_query()?.as_str().parse().ok()?;
    let (mut parts, ()) = request.into_parts();
    let book = Arc::clone(&writer.gist.book);
    let at = engine.clock.now();
    let (began, caller, trusted) = (Instant::now(), writer.caller, writer.gist.trusted);
    book.rules.name_tenant(&writer.gist.fields, &mut parts.headers);
    let id = engine.requests.fetch_add(1, Ordering::Relaxed);
    let marks = Marks::of(&parts.headers);
    let mut transit =
        Transit { began, at, id, caller, parts, marks, trusted, scheme, authority, book };
    let carried = carried(&transit, writer);
    add(&carried, &mut transit.parts);
    transit.marks = Marks::of(&transit.parts.headers);
    Some(transit)
}

/// What our own request carries beside: the fields that the rules give it, else the writer's
/// credentials where all callers share; none where each has an entry of its own.
fn carried(transit: &Transit, writer: &Writer) -> HeaderMap {
    let (book, asked) = (&transit.book, transit.asked());
    let route = book.route(&asked).map(|(route, _)| route);
    let share = route.map_or(Share::Auto, |route| route.share);
    // Without any, what was asked for without any is found again, and nobody's own entry.
    if share == Share::Identity {
        return HeaderMap::new();
    }
    let Some(origin) = book.origin_for(route.map(|route| &**route), &asked) else {
        return HeaderMap::new();
    };
    let own = &origin.job_fields;
    let credentials = &book.rules.credentials;
    // A credential would keep the answer out of an entry that was made without one.
    if share == Share::Public && own.is_empty() {
        let mut theirs = HeaderMap::new();
        for name in credentials.fields_seen(&writer.gist.fields) {
            for value in writer.gist.fields.get_all(name) {
                theirs.append(name.clone(), value.clone());
            }
        }
        return theirs;
    }
    let goes = share == Share::Public || !credentials.seen(own);
    if goes { own.clone() } else { HeaderMap::new() }
}

fn add(fields: &HeaderMap, parts: &mut Parts) {
    for (name, value) in fields {
        parts.headers.append(name.clone(), value.clone());
    }
}
