//! What one worker knows of one origin's addresses, and how old that knowledge is. Requests never
//! wait for a lookup while a recent enough one is known; the newer one comes from behind.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::base::limits;
use crate::origin::resolve::Lookup;
use crate::origin::target::Target;

/// Addresses in the order they are tried.
pub(super) type Addresses = Arc<[SocketAddr]>;

pub(super) struct AddressBook {
    host: String,
    port: u16,
    lookup: Arc<dyn Lookup>,
    literal: bool,
    known: Mutex<Known>,
    // Held while the resolver is asked: those who come meanwhile share the result.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    addresses: Option<Addresses>,
    asked_at: Option<Instant>,
    refresh_at: Option<Instant>,
    refreshing: bool,
}

impl AddressBook {
    pub(super) fn new(target: &Target, lookup: Arc<dyn Lookup>) -> Self {
        let literal = target.literal().map(|ip| SocketAddr::new(ip, target.port()));
        let known =
            Known { addresses: literal.map(|address| Arc::from([address])), ..Known::default() };
        Self {
            host: target.host().to_owned(),
            port: target.port(),
            lookup,
            literal: literal.is_some(),
            known: Mutex::new(known),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether connections to `address` are still wanted.
    pub(super) fn lists(&self, address: SocketAddr) -> bool {
        let listed = |all: &Addresses| all.contains(&address);
        self.literal || self.known().addresses.as_ref().is_some_and(listed)
    }

    /// Whether a lookup is due; the caller who hears `true` must [`AddressBook::refresh`].
    pub(super) fn claim_refresh(&self) -> bool {
        if self.literal {
            return false;
        }
        let mut known = self.known();
        let due = known.refresh_at.is_some_and(|at| at <= Instant::now());
        if known.refreshing || !due {
            return false;
        }
        known.refreshing = true;
        true
    }

    /// Asks the resolver, whatever is known. Without an answer the old addresses stay in use.
    pub(super) async fn refresh(&self) {
        // The claim ends with this value, also when the task is dropped in between.
        let _claim = Claim(self);
        drop(self.ask().await);
    }

    /// The addresses to connect to.
    pub(super) async fn current(&self) -> io::Result<Addresses> {
        if let Some(addresses) = self.recent() {
            return Ok(addresses);
        }
        let _turn = self.asking.lock().await;
        if let Some(addresses) = self.recent() {
            return Ok(addresses);
        }
        self.ask().await
    }

    /// Other addresses than `tried`, by a new lookup; `None` when there are none, or when the
    /// resolver was asked a moment ago.
    pub(super) async fn others(&self, tried: &Addresses) -> Option<Addresses> {
        if self.literal {
            return None;
        }
        let _turn = self.asking.lock().await;
        let now = Instant::now();
        let fresh = {
            let known = self.known();
            let lately = |at| at + limits::ORIGIN_RESOLVE_RETRY.to_duration() > now;
            known.addresses.clone().filter(|_| known.asked_at.is_some_and(lately))
        };
        let addresses = match fresh {
            Some(addresses) => addresses,
            None => self.ask().await.ok()?,
        };
        (addresses.iter().any(|address| !tried.contains(address))).then_some(addresses)
    }

    /// What is known, unless it is so old that the refresh from behind must have been missed.
    fn recent(&self) -> Option<Addresses> {
        let known = self.known();
        let grace = limits::ORIGIN_RESOLVE_EVERY.to_duration();
        let too_old = known.refresh_at.is_some_and(|at| at + grace < Instant::now());
        known.addresses.clone().filter(|_| self.literal || !too_old)
    }

    async fn ask(&self) -> io::Result<Addresses> {
        let found = self.lookup.lookup(&self.host, self.port).await;
        let now = Instant::now();
        let mut known = self.known();
        known.asked_at = Some(now);
        let cause = match found {
            Ok(mut list) if !list.is_empty() => {
                let mut seen = std::collections::HashSet::new();
                list.retain(|address| seen.insert(*address));
                let addresses: Addresses = list.into();
                known.addresses = Some(Arc::clone(&addresses));
                known.refresh_at = Some(now + limits::ORIGIN_RESOLVE_EVERY.to_duration());
                return Ok(addresses);
            }
            Ok(_) => io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            Err(cause) => cause,
        };
        // A resolver that fails says nothing about the addresses it gave before.
        known.refresh_at =
            known.addresses.as_ref().map(|_| now + limits::ORIGIN_RESOLVE_RETRY.to_duration());
        known.addresses.clone().ok_or(cause)
    }
}

struct Claim<'a>(&'a AddressBook);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.known().refreshing = false;
    }
}
