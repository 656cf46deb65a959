//! Idle connections of one worker: per origin a plain list, last in, first out, so that those not
//! needed grow old and go. The lock is taken for a push or a pop, never across an await, and has
//! one user: the worker that owns it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::base::tasks;
use crate::base::units::Span;
use crate::origin::addresses::AddressBook;
use crate::origin::dial;
use crate::origin::fault::OriginFault;
use crate::origin::link::Link;
use crate::origin::resolve::{Lookup, SystemLookup};
use crate::origin::spec::{Keep, after};
use crate::origin::target::Target;

/// One worker's way to all origins. Clones share the same connections; connections are driven by
/// the runtime on which they were opened.
#[derive(Clone)]
pub struct Upstreams {
    lookup: Arc<dyn Lookup>,
    places: Arc<Mutex<Places>>,
}

#[derive(Default)]
struct Places {
    by_authority: HashMap<Arc<str>, Arc<Place>, foldhash::fast::RandomState>,
    closed: bool,
}

impl Default for Upstreams {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstreams").field("idle", &self.idle()).finish_non_exhaustive()
    }
}

impl Upstreams {
    /// With the system's resolver.
    pub fn new() -> Self {
        Self::with_lookup(Arc::new(SystemLookup))
    }

    /// With another resolver.
    pub fn with_lookup(lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, places: Arc::default() }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idle connections now, over all origins.
    pub fn idle(&self) -> usize {
        self.places().by_authority.values().map(|place| place.shelf().idle.len()).sum()
    }

    /// Closes what is idle and keeps nothing from now on. Requests go on working.
    pub fn close(&self) {
        let mut places = self.places();
        places.closed = true;
        for place in places.by_authority.values() {
            place.close();
        }
    }

    pub(super) fn place(&self, target: &Target) -> Arc<Place> {
        let mut places = self.places();
        if let Some(place) = places.by_authority.get(target.authority()) {
            return Arc::clone(place);
        }
        let place = Arc::new(Place::new(target, Arc::clone(&self.lookup)));
        if places.closed {
            place.close();
        }
        // Origins that a reload took away leave an empty place; the next new one clears them.
        places.by_authority.retain(|_, old| Arc::strong_count(old) > 1 || old.is_in_use());
        places.by_authority.insert(Arc::clone(target.shared_authority()), Arc::clone(&place));
        place
    }
}

/// One origin, as one worker knows it.
pub(super) struct Place {
    authority: Arc<str>,
    addresses: AddressBook,
    shelf: Mutex<Shelf>,
    bell: Arc<Notify>,
}

#[derive(Default)]
struct Shelf {
    idle: Vec<Idle>,
    reaping: bool,
    closed: bool,
}

struct Idle {
    link: Link,
    until: Instant,
}

impl Place {
    fn new(target: &Target, lookup: Arc<dyn Lookup>) -> Self {
        Self {
            authority: Arc::clone(target.shared_authority()),
            addresses: AddressBook::new(target, lookup),
            shelf: Mutex::default(),
            bell: Arc::default(),
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in_use(&self) -> bool {
        !self.shelf().idle.is_empty()
    }

    fn close(&self) {
        let mut shelf = self.shelf();
        shelf.closed = true;
        shelf.idle.clear();
        self.bell.notify_one();
    }

    /// The youngest idle connection that is alive and whose address is still the origin's.
    pub(super) fn take(self: &Arc<Self>) -> Option<Link> {
        self.mind_addresses();
        let now = Instant::now();
        let mut shelf = self.shelf();
        while let Some(Idle { link, until }) = shelf.idle.pop() {
            if until > now && link.is_ready() && self.addresses.lists(link.peer()) {
                return Some(link);
            }
        }
        None
    }

    /// Takes a connection back after a complete exchange.
    pub(super) fn put(self: &Arc<Self>, link: Link, keep: Keep) {
        if link.is_closed() || !self.addresses.lists(link.peer()) {
            return;
        }
        if link.is_ready() {
            self.lay(link, keep);
            return;
        }
        // The tail of the request is still in our buffers: the origin has answered without
        // reading it yet. It may take as long for that as it may keep the connection.
        let place = Arc::clone(self);
        tasks::tend(async move {
            let mut link = link;
            if timeout(keep.idle_timeout.to_duration(), link.settled()).await == Ok(true) {
                place.lay(link, keep);
            }
        });
    }

    fn lay(self: &Arc<Self>, mut link: Link, keep: Keep) {
        link.mark_used();
        let mut shelf = self.shelf();
        if shelf.closed || keep.idle_max == 0 {
            return;
        }
        if shelf.idle.len() >= keep.idle_max {
            drop(shelf.idle.remove(0));
        }
        let until = after(Instant::now(), keep.idle_timeout);
        shelf.idle.push(Idle { link, until });
        if !shelf.reaping {
            shelf.reaping = true;
            tasks::tend(reap(Arc::downgrade(self), Arc::clone(&self.bell)));
        }
    }

    /// Drops what is too old, dead or elsewhere; the moment to look again, if there is one.
    fn prune(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut shelf = self.shelf();
        shelf.idle.retain(|idle| {
            idle.until > now && !idle.link.is_closed() && self.addresses.lists(idle.link.peer())
        });
        let next = shelf.idle.iter().map(|idle| idle.until).min();
        shelf.reaping = next.is_some();
        next
    }

    /// Starts a lookup from behind when one is due.
    fn mind_addresses(self: &Arc<Self>) {
        if !self.addresses.claim_refresh() {
            return;
        }
        let place = Arc::clone(self);
        tasks::tend(async move {
            place.addresses.refresh().await;
            place.prune_once();
        });
    }

    /// As [`Place::prune`], without touching who reaps.
    fn prune_once(&self) {
        let mut shelf = self.shelf();
        shelf.idle.retain(|idle| self.addresses.lists(idle.link.peer()));
    }

    /// A new connection. The caller bounds the time.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Link, OriginFault> {
        self.mind_addresses();
        let addresses = self
            .addresses
            .current()
            .await
            .map_err(|cause| OriginFault::Resolve { host: self.authority.to_string(), cause })?;
        let open = |address| TcpStream::connect(address);
        let mut dialled = dial::first(&addresses, open).await;
        if dialled.is_err()
            && let Some(others) = self.addresses.others(&addresses).await
        {
            dialled = dial::first(&others, open).await;
            self.prune_once();
        }
        let refused = |cause, address| OriginFault::Connect {
            authority: self.authority.to_string(),
            address,
            cause,
        };
        let (tcp, peer) = dialled.map_err(|(cause, address)| refused(cause, address))?;
        Link::over(tcp, peer)
            .await
            .map_err(|cause| refused(std::io::Error::other(cause), Some(peer)))
    }

    /// Lets a request body flow on after its answer has ended: the origin may still be reading it.
    /// The connection ends with the body, or when nothing moves for `stall`.
    pub(super) fn see_off(mut link: Link, stall: Span) {
        tasks::tend(async move {
            let mut seen = link.meter().written();
            while timeout(stall.to_duration(), link.settled()).await.is_err() {
                let now = link.meter().written();
                if now == seen {
                    return;
                }
                seen = now;
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bell.notify_one();
    }
}

/// Looks after the idle connections of one place until there are none.
async fn reap(place: Weak<Place>, bell: Arc<Notify>) {
    let mut flag = Reaping(Some(Weak::clone(&place)));
    while let Some(next) = place.upgrade().and_then(|place| place.prune()) {
        tokio::select! {
            () = sleep_until(next) => {}
            () = bell.notified() => {}
        }
    }
    // `prune` has said so itself, and by now another may have begun.
    flag.0 = None;
}

/// Without a reaper the next connection that is laid down starts one, also when this one was
/// dropped with its runtime.
struct Reaping(Option<Weak<Place>>);

impl Drop for Reaping {
    fn drop(&mut self) {
        if let Some(place) = self.0.take().and_then(|place| place.upgrade()) {
            place.shelf().reaping = false;
        }
    }
}
