//! What servers and topology tell: to the event log, and to the task that asks who is who.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::config::Address;
use crate::base::units::Span;

/// Something that happened to the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A server is not asked any more, or could not be reached from the beginning.
    Down {
        /// Which.
        server: Address,
        /// Its last fault.
        why: String,
    },
    /// A server is asked.
    Up {
        /// Which.
        server: Address,
        /// How long it was not.
        after: Span,
    },
    /// Other servers than before, or in other roles.
    Topology {
        /// The masters.
        masters: Vec<Address>,
        /// The replicas that are used.
        replicas: Vec<Address>,
    },
    /// Nobody says who the servers are; those that were known stay.
    Unfound {
        /// What the last one asked said.
        why: String,
    },
}

/// Who hears of it.
pub(super) struct Watch {
    tell: Box<dyn Fn(Told) + Send + Sync>,
    suspected: Notify,
    /// A node that knows of a change, from the last redirection.
    informed: Mutex<Option<Address>>,
}

impl Watch {
    pub(super) fn new(tell: impl Fn(Told) + Send + Sync + 'static) -> Self {
        Self { tell: Box::new(tell), suspected: Notify::new(), informed: Mutex::default() }
    }

    pub(super) fn tell(&self, told: Told) {
        (self.tell)(told);
    }

    /// What is believed about the servers may be wrong.
    pub(super) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// The same, and `there` may know better.
    pub(super) fn moved(&self, there: Address) {
        *self.informed.lock().unwrap_or_else(PoisonError::into_inner) = Some(there);
        self.suspect();
    }

    /// Until somebody suspects; at once if somebody has since the last time.
    pub(super) async fn suspected(&self) {
        self.suspected.notified().await;
    }

    /// Who may know better, once.
    pub(super) fn informed(&self) -> Option<Address> {
        self.informed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
