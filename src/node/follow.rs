//! Reads rules and certificates again when something suggests that they have changed, on a thread
//! of its own: compiling rules stalls no request.

use std::sync::Arc;

use crate::admin::Rules as _;
use crate::engine::Engine;
use crate::jobs::watch::Watchman;
use crate::node::certs::Certs;
use crate::node::reload::Reloader;
use crate::node::sockets;
use crate::node::supervisor;
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
            match watch.next() {
                Nudge::Stop => return,
                Nudge::Asked => self.reload(),
                Nudge::Files => {
                    self.reloader.if_changed();
                    self.renew(false);
                }
            }
        }
    }

    /// Reads everything, because somebody asked, and tells whoever that was.
    fn reload(&self) {
        supervisor::reloads();
        let (rules, certs) = (self.reloader.reload().ok, self.renew(true));
        supervisor::serves(match (rules, certs) {
            (true, true) => "rules in force",
            (false, _) => "rules wrong, old ones kept",
            (true, false) => "a certificate wrong, the old one kept",
        });
    }

    /// Reads certificates and tells what came of it; whether all is well.
    fn renew(&self, asked: bool) -> bool {
        let Some((ok, detail)) = self.certs.reload(asked) else { return true };
        let now = self.engine.clock.now();
        self.engine.telemetry.tell(now, &Event::Reload { ok, detail: &detail });
        if !ok {
            eprintln!("error: {detail}");
        }
        sockets::warn(&self.certs, now);
        sockets::note(&self.certs, &self.watchman);
        ok
    }
}
