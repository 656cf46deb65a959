//! Reading rules again while everything runs. A bad file changes nothing and says so loudly; a good
//! one is in force by one pointer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admin::{Rules, RulesDiff, RulesStatus, RulesText, RulesVersion};
use crate::engine::{Book, Engine};
use crate::node::diff;
use crate::node::history::History;
use crate::node::load::{self, LoadError, Loaded};
use crate::rules::{self, LoadContext, Source};
use crate::telemetry::event::Event;

/// Reads rules and puts them in force.
#[derive(Debug)]
pub struct Reloader {
    engine: Arc<Engine>,
    path: Option<PathBuf>,
    context: LoadContext,
    state: Mutex<State>,
}

/// Rules that have been read.
#[derive(Debug)]
pub struct Read {
    /// Their file or folder.
    pub path: Option<PathBuf>,
    /// What they were compiled under.
    pub context: LoadContext,
    /// Their texts.
    pub sources: Vec<Source>,
}

#[derive(Debug)]
struct State {
    seen: Option<blake3::Hash>,
    status: RulesStatus,
    history: History,
}

/// What is wrong with rules, in short and in full.
type Wrong = (String, Vec<String>);

impl Reloader {
    /// For rules that are in force already.
    pub fn new(engine: Arc<Engine>, first: Read) -> Self {
        let Read { path, context, sources } = first;
        let now = engine.clock.now();
        let status = RulesStatus {
            ok: true,
            detail: "first rules".to_owned(),
            errors: Vec::new(),
            read_at_ms: now.as_millis(),
            in_force_at_ms: now.as_millis(),
            generation: 1,
        };
        let mut history = History::default();
        if path.is_some() {
            history.note(1, now, &status.detail, sources);
        }
        let state = Mutex::new(State { seen: None, status, history });
        let reloader = Self { engine, path, context, state };
        let seen = reloader.digest();
        reloader.state().seen = seen;
        reloader
    }

    /// Reads if the content is not what was read last.
    pub fn if_changed(&self) -> Option<RulesStatus> {
        let seen = self.digest();
        let changed = self.state().seen != seen;
        changed.then(|| self.reload())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts rules in force if nothing is wrong with them, and says so.
    fn apply(
        &self,
        mut state: MutexGuard<'_, State>,
        read: Result<Loaded, Wrong>,
        word: &str,
    ) -> RulesStatus {
        let now = self.engine.clock.now();
        let RulesStatus { generation, in_force_at_ms, .. } = state.status;
        let applied = read.and_then(|loaded| self.put_in_force(loaded));
        state.status = match applied {
            Ok((detail, sources)) => {
                let (generation, detail) = (generation + 1, format!("{word}{detail}"));
                state.history.note(generation, now, &detail, sources);
                let read_at_ms = now.as_millis();
                RulesStatus {
                    ok: true,
                    detail,
                    errors: Vec::new(),
                    read_at_ms,
                    in_force_at_ms: read_at_ms,
                    generation,
                }
            }
            Err((detail, errors)) => {
                let read_at_ms = now.as_millis();
                RulesStatus { ok: false, detail, errors, read_at_ms, in_force_at_ms, generation }
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

    fn put_in_force(&self, loaded: Loaded) -> Result<(String, Vec<Source>), Wrong> {
        let failed = failed_tests(&loaded.rules);
        if !failed.is_empty() {
            return Err((format!("{} [[test]] blocks fail", failed.len()), failed));
        }
        let detail = difference(&self.engine.book.load().rules, &loaded.rules);
        let book = Book::new(loaded.rules).map_err(|wrong| told(&wrong.into()))?;
        self.engine.apply(book);
        Ok((detail, loaded.sources))
    }

    fn read(&self) -> Result<Loaded, Wrong> {
        let paths: Vec<PathBuf> = self.path.iter().cloned().collect();
        load::sources(&paths)
            .and_then(|sources| load::compile(&sources, &self.context))
            .map_err(|wrong| told(&wrong))
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

impl Rules for Reloader {
    fn status(&self) -> RulesStatus {
        self.state().status.clone()
    }

    /// Reads the rules and puts them in force, or leaves the old ones.
    fn reload(&self) -> RulesStatus {
        // One at a time: two readings at once could end in the older content.
        let mut state = self.state();
        state.seen = self.digest();
        let read = self.read();
        self.apply(state, read, "")
    }

    fn text(&self, version: Option<u64>) -> Option<RulesText> {
        self.state().history.text(version)
    }

    fn history(&self) -> Vec<RulesVersion> {
        self.state().history.told()
    }

    fn diff(&self) -> RulesDiff {
        let old = self.state().history.sources(None).map(<[Source]>::to_vec).unwrap_or_default();
        let paths: Vec<PathBuf> = self.path.iter().cloned().collect();
        let new = match load::sources(&paths) {
            Ok(new) => new,
            Err(wrong) => {
                return RulesDiff { same: false, diff: String::new(), errors: told(&wrong).1 };
            }
        };
        let text = |all: &[Source], name: &str| {
            all.iter().find(|one| one.name == name).map(|one| one.text.clone()).unwrap_or_default()
        };
        let mut names: Vec<&String> = old.iter().chain(&new).map(|one| &one.name).collect();
        names.sort_unstable();
        names.dedup();
        let of = |name: &&String| diff::difference(name, &text(&old, name), &text(&new, name));
        let diff: String = names.iter().map(of).collect();
        let errors = match load::compile(&new, &self.context) {
            Ok(loaded) => failed_tests(&loaded.rules),
            Err(wrong) => told(&wrong).1,
        };
        RulesDiff { same: diff.is_empty(), diff, errors }
    }

    fn roll_back(&self, version: u64) -> Option<RulesStatus> {
        let state = self.state();
        let sources = state.history.sources(Some(version))?.to_vec();
        let read = load::compile(&sources, &self.context).map_err(|wrong| told(&wrong));
        Some(self.apply(state, read, &format!("back to version {version}: ")))
    }
}

/// A fault in short and in full.
fn told(wrong: &LoadError) -> Wrong {
    let all = match wrong {
        LoadError::Rules(all) => all.iter().map(|one| one.render(false)).collect(),
        other => vec![other.to_string()],
    };
    (wrong.to_string(), all)
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
