//! One life of a node: start, serve, reload on request, drain, end.

use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::admin::tokens::Tokens;
use crate::admin::{Admin, Health, OnProxy};
use crate::base::tasks;
use crate::base::units::Span;
use crate::edge::{self, Edge, Listener, Peer, Speech};
use crate::engine::{Engine, Worker, anew};
use crate::jobs::registry::Jobs;
use crate::jobs::rounds::{self, Rounds};
use crate::jobs::runner;
use crate::jobs::watch::Watchman;
use crate::node::build;
use crate::node::certs::Certs;
use crate::node::follow::Follower;
use crate::node::front::Front;
use crate::node::load;
use crate::node::reload::{Read, Reloader};
use crate::node::settings::Settings;
use crate::node::signals::Signals;
use crate::node::sockets;
use crate::node::supervisor::{self, Pulses};
use crate::node::tend::{reclaim, tend};
use crate::node::tokens;
use crate::node::watch::{Nudge, Watch};
use crate::origin::Upstreams;
use crate::rules::Source;
use crate::store::redis::fleet::Effects;
use crate::telemetry::event::Event;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The rules are wrong.
    #[error(transparent)]
    Rules(#[from] load::LoadError),
    /// `[[test]]` blocks of the rules fail.
    #[error("[[test]] blocks fail:\n{0}")]
    Tests(String),
    /// A certificate of a listener is missing or wrong.
    #[error("{0}")]
    Certificates(String),
    /// The engine cannot be made from the settings.
    #[error(transparent)]
    Build(#[from] build::BuildError),
    /// Something could not be opened, bound or started.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: std::io::Error,
    },
}

pub(super) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> StartError {
    let what = what.into();
    move |cause| StartError::System { what, cause }
}

struct Told(Arc<Engine>);

impl edge::Watch for Told {
    fn panicked(&self, peer: &Peer, what: &str) {
        let detail = format!("connection of {} ended by a panic: {what}", peer.address);
        let event = Event::Fault { code: "panic", detail: &detail };
        self.0.telemetry.tell(self.0.clock.now(), &event);
    }

    fn refused(&self, peer: &Peer, refusal: edge::Refusal) {
        let detail = format!("{}: {}", peer.address, refusal.text());
        let event = Event::Fault { code: "bad-request", detail: &detail };
        self.0.telemetry.tell(self.0.clock.now(), &event);
    }
}

/// Runs a node until a signal ends it.
pub fn run(mut settings: Settings) -> Result<(), StartError> {
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("the main runtime"))?;
    let demo = crate::node::demo::prepare(&mut settings).map_err(system("the sample API"))?;
    let (book, loaded) = load::book(settings.rules.as_deref(), &settings.context())?;
    for warning in &loaded.warnings {
        eprintln!("{}", warning.render(false));
    }
    let failed = crate::node::reload::failed_tests(&loaded.rules);
    if !failed.is_empty() {
        return Err(StartError::Tests(failed.join("\n")));
    }
    let greeting = sockets::speeches(&settings)?;
    let engine = build::engine(&settings, book)?;
    if let Some(fleet) = &engine.fleet {
        fleet.hold_journal(&engine).map_err(system("the journal"))?;
    }
    let outcome = runtime.block_on(live(settings, Arc::new(engine), loaded.sources, greeting));
    if let Some(demo) = demo {
        demo.close();
    }
    outcome
}

async fn live(
    settings: Settings,
    engine: Arc<Engine>,
    sources: Vec<Source>,
    (certs, speeches): (Certs, Vec<Speech>),
) -> Result<(), StartError> {
    let mut signals = Signals::new().map_err(system("signal handlers"))?;
    let listeners = sockets::bind(&settings, speeches)?;
    sockets::warn(&certs, engine.clock.now());
    let certs = Arc::new(certs);
    let watched: Vec<_> = settings.rules.iter().cloned().chain(certs.paths()).collect();
    let watch = Watch::new(&watched);
    let nudge = watch.handle();
    let first = Read { path: settings.rules.clone(), context: settings.context(), sources };
    let reloader = Reloader::new(Arc::clone(&engine), first);
    let reloader = Arc::new(reloader);
    let health = Arc::new(Health::default());
    let proxy = listeners.first().map(Listener::address);
    let watchman = Arc::new(Watchman::new(settings.memory));
    sockets::note(&certs, &watchman);
    let jobs = Arc::new(Jobs::default());
    let doors = Doors {
        health: &health,
        watchman: &watchman,
        reloader: &reloader,
        certs: &certs,
        jobs: &jobs,
    };
    let admin = make_admin(&settings, proxy, &engine, &doors)?;
    let pulses = Arc::new(Pulses::new());
    let edge = start_edge(&settings, listeners, &engine, admin.on_proxy(), &pulses)?;
    let admin = start_admin(&settings, &engine, admin)?;
    let own = admin.as_ref().and_then(|admin| admin.addresses().first().copied());
    let first = announce(&settings, &engine, &edge, own);
    health.ready.store(true, Ordering::Release);
    let follower = Follower { reloader, certs, engine: Arc::clone(&engine), watchman };
    let watchman = Arc::clone(&follower.watchman);
    let watching = std::thread::Builder::new()
        .name("cistern-rules".to_owned())
        .spawn(move || follower.follow(&watch))
        .map_err(system("the thread that watches rules"))?;
    tend(&engine, &watchman);
    let fleet = join_fleet(&engine)?;
    let working = work(&engine, &jobs, settings.sync)?;
    supervisor::serves(&first);
    pulses.watch();
    signals.serve(&engine, &nudge).await;
    health.ready.store(false, Ordering::Release);
    supervisor::stops();
    drain(&settings, &engine, &edge, &mut signals).await;
    // The watcher may be gone already when the channel has closed.
    {
        let _ = nudge.send(Nudge::Stop);
    };
    drop(watching.join());
    working.end();
    if let Some(fleet) = fleet {
        fleet.end();
    }
    edge.close();
    drop(admin);
    engine.telemetry.tell(engine.clock.now(), &Event::Stop { detail: "drained" });
    engine.telemetry.flush();
    Ok(())
}

/// Says where it serves; the first line of that.
fn announce(
    settings: &Settings,
    engine: &Engine,
    edge: &Edge,
    admin: Option<SocketAddr>,
) -> String {
    let banner = build::banner(settings, &engine.book.load(), edge.addresses(), admin);
    let mut stdout = std::io::stdout();
    // A closed standard output is no reason not to serve.
    drop(writeln!(stdout, "{banner}").and_then(|()| stdout.flush()));
    let first = banner.lines().next().unwrap_or_default();
    engine.telemetry.tell(engine.clock.now(), &Event::Start { detail: first });
    first.to_owned()
}

fn start_edge(
    settings: &Settings,
    listeners: Vec<Listener>,
    engine: &Arc<Engine>,
    calls: Option<OnProxy>,
    pulses: &Arc<Pulses>,
) -> Result<Edge, StartError> {
    let watch = Arc::new(Told(Arc::clone(engine)));
    let options = edge::Settings {
        workers: NonZeroUsize::new(settings.workers),
        ..edge::Settings::new(watch)
    };
    let (engine, pulses) = (Arc::clone(engine), Arc::clone(pulses));
    let make = move |_| {
        pulses.pulse();
        Front {
            worker: Worker { engine: Arc::clone(&engine), upstreams: Arc::new(Upstreams::new()) },
            calls: calls.clone(),
        }
    };
    Edge::start(listeners, options, make).map_err(system("the workers"))
}

/// What the admin listener tells of beside the engine.
struct Doors<'a> {
    health: &'a Arc<Health>,
    watchman: &'a Arc<Watchman>,
    reloader: &'a Arc<Reloader>,
    certs: &'a Arc<Certs>,
    jobs: &'a Arc<Jobs>,
}

fn make_admin(
    settings: &Settings,
    proxy: Option<SocketAddr>,
    engine: &Arc<Engine>,
    doors: &Doors<'_>,
) -> Result<Admin, StartError> {
    let asks = settings.admin.is_some() || settings.aliases.as_ref().is_some_and(|a| a.on_proxy);
    let file = settings.tokens_file.clone().filter(|_| asks);
    let tokens = Tokens::new(file, tokens::read)
        .map_err(std::io::Error::other)
        .map_err(system("the tokens of the admin API (admin.tokens_file)"))?;
    let certs = Arc::clone(doors.certs);
    Ok(Admin {
        engine: Arc::clone(engine),
        health: Arc::clone(doors.health),
        watchman: Arc::clone(doors.watchman),
        proxy,
        rules: Arc::clone(doors.reloader) as _,
        certs: Arc::new(move || certs.status()),
        tokens: Arc::new(tokens),
        hosts: settings.admin_hosts.clone().into(),
        aliases: settings.aliases.clone().map(Arc::new),
        audit: Arc::default(),
        document: Arc::default(),
        remembered: Arc::default(),
        jobs: Arc::clone(doors.jobs),
    })
}

fn start_admin(
    settings: &Settings,
    engine: &Arc<Engine>,
    admin: Admin,
) -> Result<Option<Edge>, StartError> {
    let Some(address) = settings.admin else { return Ok(None) };
    let watch = Arc::new(Told(Arc::clone(engine)));
    let started = admin.start(address, watch);
    started.map(Some).map_err(system(format!("the admin API on {address}")))
}

/// A thread with a runtime of its own, which ends when it is told.
struct Apart {
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Apart {
    /// Runs what `live` makes, on that thread; it ends when its argument does.
    fn start<F>(
        name: &str,
        live: impl FnOnce(tokio::sync::oneshot::Receiver<()>) -> F,
    ) -> Result<Self, StartError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(system(format!("the runtime of {name}")))?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let live = live(stopped);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || runtime.block_on(live))
            .map_err(system(format!("the thread {name}")))?;
        Ok(Self { stop, thread })
    }

    /// Ends it in good order.
    fn end(self) {
        // The thread may have ended by itself.
        let _ = self.stop.send(());
        drop(self.thread.join());
    }
}

/// The thread on which this node belongs to its fleet, with all connections to Redis.
fn join_fleet(engine: &Arc<Engine>) -> Result<Option<Apart>, StartError> {
    let Some(fleet) = engine.fleet.clone() else { return Ok(None) };
    let effects: Arc<dyn Effects> = Arc::clone(engine) as _;
    let live = |stopped| async move {
        tokio::select! {
            () = fleet.run(&effects) => {}
            _ = stopped => fleet.leave().await,
        }
    };
    Apart::start("cistern-l2", live).map(Some)
}

/// The thread of work that nobody waits for, with connections of its own to the origins.
fn work(engine: &Arc<Engine>, jobs: &Arc<Jobs>, sync: Option<Rounds>) -> Result<Apart, StartError> {
    let worker = Worker { engine: Arc::clone(engine), upstreams: Arc::new(Upstreams::new()) };
    let jobs = Arc::clone(jobs);
    Apart::start("cistern-jobs", |stopped| async move {
        runner::start(&worker, &jobs);
        if let Some(every) = sync {
            tasks::tend(rounds::carry_on(Arc::clone(&worker.engine), jobs, every));
        }
        reclaim(&worker.engine);
        tasks::tend(anew::carry_on(worker));
        // Dropped or sent, it is the end.
        let _ = stopped.await;
    })
}

async fn drain(settings: &Settings, engine: &Engine, edge: &Edge, signals: &mut Signals) {
    let stopped = AtomicBool::new(false);
    let graceful = async {
        tokio::time::sleep(settings.drain_delay.to_duration()).await;
        edge.drain(settings.drain_timeout).await
    };
    tokio::select! {
        drained = graceful => {
            if drained.cut_off > 0 {
                let detail = format!("{} connections cut off", drained.cut_off);
                engine.telemetry.tell(engine.clock.now(), &Event::Stop { detail: &detail });
            }
        }
        () = signals.second() => {
            stopped.store(true, Ordering::Relaxed);
            edge.stop();
        }
    }
    if !stopped.load(Ordering::Relaxed) {
        background(settings.drain_timeout).await;
    }
}

/// Writes that no connection waits for any more may end, within the time limit.
async fn background(patience: Span) {
    let until = tokio::time::Instant::now() + patience.to_duration();
    while tasks::running() > 0 && tokio::time::Instant::now() < until {
        tokio::time::sleep(crate::base::limits::DRAIN_POLL.to_duration()).await;
    }
}
