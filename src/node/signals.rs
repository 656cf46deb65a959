//! Signals, as operators and supervisors send them.

use std::sync::mpsc::Sender;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::Engine;
use crate::node::watch::Nudge;

/// Those that the node obeys.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    quit: Signal,
    hup: Signal,
    usr1: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
        })
    }

    /// Obeys signals until one asks for the end.
    pub(super) async fn serve(&mut self, engine: &Engine, nudge: &Sender<Nudge>) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                _ = self.quit.recv() => return,
                // The watcher is gone only when the node is.
                _ = self.hup.recv() => drop(nudge.send(Nudge::Asked)),
                _ = self.usr1.recv() => engine.telemetry.reopen(),
            }
        }
    }

    /// Waits for another signal to end.
    pub(super) async fn second(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
