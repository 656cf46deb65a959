//! Reads rules and certificates again when something suggests that they have changed, on a thread
//! of its own: compiling rules stalls no request.

use std::sync::Arc;

use crate::admin::Rules as _;
use crate::engine::Engine;
use crate::jobs::watch::Watchman;
use crate::node::certs::Certs;
use crate::node::reload::Reloader;
use crate::node::sockets;
use crate::node::watch::{Nudge, Watch};
use crate::telemetry::event::Event;

/// Who reads.
pub(super) struct Follower {
    pub(super) reloader: Arc<Reloader>,
    pub(super) certs: Arc<Certs>,
    pub(super) engine: Arc<Engine>,
    pub(super) watchman: Arc<Watchman>,
}

impl Follower {
    /// Goes on until it is told to stop.
    pub(super) fn follow(&self, watch: &Watch) {
        loop {
            let nudge = watch.next();
            match nudge {
                Nudge::Stop => return,
                Nudge::Asked => drop(self.reloader.reload()),
                Nudge::Files => drop(self.reloader.if_changed()),
            }
            self.renew(nudge == Nudge::Asked);
        }
    }

    /// Reads certificates and tells what came of it.
    fn renew(&self, asked: bool) {
        let Some((ok, detail)) = self.certs.reload(asked) else { return };
        let now = self.engine.clock.now();
        self.engine.telemetry.tell(now, &Event::Reload { ok, detail: &detail });
        if !ok {
            eprintln!("error: {detail}");
        }
        sockets::warn(&self.certs, now);
        sockets::note(&self.certs, &self.watchman);
    }
}
