//! Reading rules again while everything runs. A bad file changes nothing and says so loudly; a good
//! one is in force by one pointer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::clock::Timestamp;
use crate::engine::Engine;
use crate::node::load::{self, LoadError};
use crate::rules::{self, LoadContext};
use crate::telemetry::event::Event;

/// How the last reading went.
#[derive(Clone, Debug)]
pub struct Status {
    /// Whether what was read last is in force.
    pub ok: bool,
    /// What changed, or what is wrong.
    pub detail: String,
    /// Every error, as `check` prints them.
    pub errors: Vec<String>,
    /// When it was read.
    pub at: Timestamp,
    /// When the rules that are in force were read.
    pub in_force_at: Timestamp,
    /// How often rules were put in force.
    pub generation: u64,
}

/// Reads rules and puts them in force.
#[derive(Debug)]
pub struct Reloader {
    engine: Arc<Engine>,
    path: Option<PathBuf>,
    context: LoadContext,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seen: Option<blake3::Hash>,
    status: Status,
}

impl Reloader {
    /// For rules that are in force already.
    pub fn new(engine: Arc<Engine>, path: Option<PathBuf>, context: LoadContext) -> Self {
        let status = Status {
            ok: true,
            detail: "first rules".to_owned(),
            errors: Vec::new(),
            at: engine.clock.now(),
            in_force_at: engine.clock.now(),
            generation: 1,
        };
        let reloader =
            Self { engine, path, context, state: Mutex::new(State { seen: None, status }) };
        let seen = reloader.digest();
        reloader.state.lock().unwrap_or_else(PoisonError::into_inner).seen = seen;
        reloader
    }

    /// How the last reading went.
    pub fn status(&self) -> Status {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).status.clone()
    }

    /// Reads if the content is not what was read last.
    pub fn if_changed(&self) -> Option<Status> {
        let seen = self.digest();
        let changed = self.state.lock().unwrap_or_else(PoisonError::into_inner).seen != seen;
        changed.then(|| self.reload())
    }

    /// Reads the rules and puts them in force, or leaves the old ones.
    pub fn reload(&self) -> Status {
        // One at a time: two readings at once could end in the older content.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seen = self.digest();
        let now = self.engine.clock.now();
        let outcome = self.read();
        let Status { generation, in_force_at, .. } = state.status;
        state.status = match outcome {
            Ok(detail) => Status {
                ok: true,
                detail,
                errors: Vec::new(),
                at: now,
                in_force_at: now,
                generation: generation + 1,
            },
            Err((detail, errors)) => {
                Status { ok: false, detail, errors, at: now, in_force_at, generation }
            }
        };
        let status = state.status.clone();
        drop(state);
        let event = Event::Reload { ok: status.ok, detail: &status.detail };
        self.engine.telemetry.tell(now, &event);
        for error in &status.errors {
            eprintln!("{error}");
        }
        status
    }

    fn read(&self) -> Result<String, (String, Vec<String>)> {
        let loaded = load::book(self.path.as_deref(), &self.context);
        let (book, loaded) = loaded.map_err(|error| {
            let all = match &error {
                LoadError::Rules(all) => all.iter().map(|one| one.render(false)).collect(),
                other => vec![other.to_string()],
            };
            (error.to_string(), all)
        })?;
        let failed = failed_tests(&loaded.rules);
        if !failed.is_empty() {
            return Err((format!("{} [[test]] blocks fail", failed.len()), failed));
        }
        let detail = difference(&self.engine.book.load().rules, &loaded.rules);
        self.engine.apply(book);
        Ok(detail)
    }

    /// A digest of every file's name and bytes; modification times say nothing on some systems.
    fn digest(&self) -> Option<blake3::Hash> {
        let path = self.path.as_ref()?;
        let mut hasher = blake3::Hasher::new();
        for file in load::files(path).ok()? {
            hasher.update(file.as_os_str().as_encoded_bytes());
            match std::fs::read(&file) {
                Ok(bytes) => hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes),
                Err(_) => hasher.update(b"unreadable"),
            };
        }
        Some(hasher.finalize())
    }
}

/// The `[[test]]` blocks that do not hold, each as a text.
pub fn failed_tests(rules: &rules::Rulebook) -> Vec<String> {
    let results = rules::testblock::run(rules);
    results.iter().filter(|result| !result.passed()).map(ToString::to_string).collect()
}

/// Routes added, changed and removed.
fn difference(old: &rules::Rulebook, new: &rules::Rulebook) -> String {
    let named = |book: &rules::Rulebook, name: &str| {
        book.routes.iter().find(|route| &*route.name == name).map(|route| format!("{route:?}"))
    };
    let (mut added, mut changed) = (0, 0);
    for route in &new.routes {
        match named(old, &route.name) {
            None => added += 1,
            Some(text) if text != format!("{route:?}") => changed += 1,
            Some(_) => {}
        }
    }
    let gone = old.routes.iter().filter(|route| named(new, &route.name).is_none()).count();
    format!("{} routes: {added} added, {changed} changed, {gone} removed", new.routes.len())
}
