//! One fetch per key in the whole fleet: a lease in Redis with a token and an expiry. It only saves
//! work. Whoever waits looks again when it ends, and takes no data from a message or a lease.

use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Effects, Fleet, waits};
use crate::base::limits;
use crate::base::tasks;
use crate::base::units::Span;
use crate::entry::Key;
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Place;
use crate::store::redis::scripts;
use crate::store::redis::slot::Slot;

/// Stands behind the word of a lease whose answer is nobody else's.
pub(super) const ALONE: char = '!';

/// Who fetches what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lease {
    /// Nobody was asked.
    #[default]
    None,
    /// This node; the token ends it.
    Ours(String),
    /// Another node, for so many milliseconds at most.
    Theirs(u64),
}

/// A lease that is renewed for as long as its fetch runs: until this is dropped.
#[derive(Debug)]
pub struct Renewal {
    _runs: oneshot::Sender<()>,
}

impl Fleet {
    /// Renews a lease of this node's while its fetch runs. A node that dies is waited for no longer
    /// than the lease has left.
    /// `first` is for how long it was taken; longer when the fetch goes on.
    pub fn keep_lease(
        &self,
        key: &Key,
        shard: Option<&str>,
        lease: &Lease,
        first: Span,
    ) -> Option<Renewal> {
        let Lease::Ours(token) = lease else { return None };
        let name = self.names.lease(&Place::of(key, shard));
        let (token, servers) = (token.clone(), self.servers.clone());
        let (runs, mut ended) = oneshot::channel();
        tasks::tend(async move {
            let ms = limits::LEASE_FOR.as_millis().to_string();
            let args: [&[u8]; 2] = [token.as_bytes(), ms.as_bytes()];
            let mut every = first.to_duration() / 3;
            while timeout(every, &mut ended).await.is_err() {
                every = limits::LEASE_FOR.to_duration() / 3;
                let Ok(server) = servers.master(Slot::of(&name)) else { continue };
                // One that fails leaves two thirds of the time for the next.
                let _ = server
                    .script::<redis::Value>(&scripts::RENEW, &[&name], &args, limits::LEASE_FOR)
                    .await;
            }
        });
        Some(Renewal { _runs: runs })
    }

    /// A place among those who wait for a fetch of this identity; to be taken before the look.
    pub fn wait_for(&self, key: &Key) -> waits::Place {
        self.waits.enter(key.identity())
    }

    /// The lease where something stands that is of no use.
    pub(super) async fn take_lease(
        &self,
        place: &Place<'_>,
        token: &str,
        span: Span,
        effects: &dyn Effects,
    ) -> Lease {
        let name = self.names.lease(place);
        let Ok(server) = self.servers.master(Slot::of(&name)) else { return Lease::None };
        let (keys, ms) = ([name.as_slice()], span.as_millis().to_string());
        let until = self.asked_until(effects);
        let args: [&[u8]; 3] = [token.as_bytes(), ms.as_bytes(), until.as_bytes()];
        let taken: Result<(String, i64), _> =
            server.script(&scripts::LEASE, &keys, &args, self.config.budget).await;
        match taken {
            Ok((held, left)) => lease_of(&held, u64::try_from(left).unwrap_or_default(), token),
            Err(fault) => {
                // Whether it was taken, nobody may know.
                if !matches!(fault, TierFault::Open | TierFault::Busy) {
                    self.release(place, &Lease::Ours(token.to_owned()), false);
                }
                Lease::None
            }
        }
    }

    /// Takes the right to do for all nodes what one does at each interval. It ends shortly before
    /// the interval does, so that whoever is first then has the next turn, and the death of a node
    /// costs no more than one.
    ///
    /// # Errors
    /// Why nobody can say whose turn it is.
    pub async fn take_round(
        &self,
        what: &str,
        every: Span,
        effects: &dyn Effects,
    ) -> Result<Lease, TierFault> {
        let name = self.names.order(what);
        let (token, ms) = (self.token(), (every.as_millis() / 10 * 9).to_string());
        let until = self.asked_until(effects);
        let args: [&[u8]; 3] = [token.as_bytes(), ms.as_bytes(), until.as_bytes()];
        let server = self.servers.master(Slot::of(&name))?;
        let patience = limits::L2_BACKGROUND_DEADLINE;
        let (held, left): (String, i64) =
            server.script(&scripts::LEASE, &[&name], &args, patience).await?;
        Ok(lease_of(&held, u64::try_from(left).unwrap_or_default(), &token))
    }

    /// Gives such a turn back, for whoever asks next.
    pub async fn give_back_round(&self, what: &str, lease: &Lease) {
        let Lease::Ours(token) = lease else { return };
        let name = self.names.order(what);
        let Ok(server) = self.servers.master(Slot::of(&name)) else { return };
        // Nobody waits for it under any name.
        let (channel, wake) = (self.names.channel("wake"), format!("{:016x}", 0));
        let args: [&[u8]; 3] = [token.as_bytes(), channel.as_bytes(), wake.as_bytes()];
        let patience = limits::L2_BACKGROUND_DEADLINE;
        // One that stays ends by itself.
        let _ = server.script::<redis::Value>(&scripts::RELEASE, &[&name], &args, patience).await;
    }

    /// Until when, by the server's clock, a question that is sent now may take a lease. One that a
    /// server gets later, because it stood still, is nobody's any more.
    pub(super) fn asked_until(&self, effects: &dyn Effects) -> String {
        let waits = self.config.budget.as_millis() + limits::LEASE_ASKED_LATE.as_millis();
        self.redis_now_ms(effects).saturating_add(waits).to_string()
    }

    pub(super) fn token(&self) -> String {
        let count = self.tokens.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{count:x}", self.member().life())
    }

    /// Ends a lease of this node's, unless a put does so; nobody waits for that. `alone`: what was
    /// fetched is nobody else's.
    pub fn give_back(&self, key: &Key, shard: Option<&str>, lease: &Lease, alone: bool) {
        self.release(&Place::of(key, shard), lease, alone);
    }

    pub(super) fn release(&self, place: &Place<'_>, lease: &Lease, alone: bool) {
        let Lease::Ours(token) = lease else { return };
        let name = self.names.lease(place);
        let Ok(server) = self.servers.master(Slot::of(&name)) else { return };
        let (token, channel) = (token.clone(), self.names.channel("wake"));
        let mut wake = self.wake_word(&name);
        if alone {
            wake.push(ALONE);
        }
        tasks::tend(async move {
            let args: [&[u8]; 3] = [token.as_bytes(), channel.as_bytes(), wake.as_bytes()];
            let patience = limits::L2_BACKGROUND_DEADLINE;
            // A lease that stays ends by itself.
            let _ =
                server.script::<redis::Value>(&scripts::RELEASE, &[&name], &args, patience).await;
        });
    }

    /// What is said of an identity whose lease ends.
    pub(super) fn wake_word(&self, lease: &[u8]) -> String {
        let frame = String::from_utf8_lossy(lease).replacen("l:{", "e:{", 1);
        let identity = self.names.identity(frame.as_bytes()).unwrap_or_default();
        format!("{:016x}", waits::name(&identity))
    }
}

pub(super) fn lease_of(held: &str, left_ms: u64, token: &str) -> Lease {
    match held.trim_end_matches('w') {
        "" => Lease::None,
        held if held == token => Lease::Ours(token.to_owned()),
        _ => Lease::Theirs(left_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_ours_by_its_token() {
        assert_eq!(lease_of("", 0, "a1"), Lease::None);
        assert_eq!(lease_of("a1", 0, "a1"), Lease::Ours("a1".into()));
        assert_eq!(lease_of("a1w", 0, "a1"), Lease::Ours("a1".into()));
        assert_eq!(lease_of("b2w", 7, "a1"), Lease::Theirs(7));
    }
}
