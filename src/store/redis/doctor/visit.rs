//! One connection to one server, for questions that each have their time.

use std::sync::Arc;

use redis::{Cmd, FromRedisValue};
use tokio::time::{Instant, timeout};

use super::clocks::Skew;
use crate::base::clock::Clock;
use crate::base::units::Span;
use crate::store::redis::config::Address;
use crate::store::redis::fault::TierFault;
use crate::store::redis::link::Link;
use crate::store::redis::way::Way;

/// How often it is asked for a sign of life: the quickest answer counts.
const PINGS: usize = 3;

/// A server that is being asked.
pub(super) struct Visit {
    link: Link,
    patience: Span,
}

impl Visit {
    /// Connects and logs in.
    pub(super) async fn open(way: &Way, address: &Address) -> Result<Self, TierFault> {
        let opened = Link::connect(way, address, Arc::default());
        let link = timeout(way.timeout.to_duration(), opened).await;
        let link = link.unwrap_or(Err(TierFault::Deadline))?;
        Ok(Self { link, patience: way.timeout })
    }

    /// One command.
    pub(super) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, TierFault> {
        let asked = timeout(self.patience.to_duration(), self.link.ask(words)).await;
        asked.unwrap_or(Err(TierFault::Deadline))
    }

    /// The same, made before.
    pub(super) async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, TierFault> {
        let mut connection = self.link.connection();
        let called = timeout(self.patience.to_duration(), command.query_async(&mut connection));
        Ok(called.await.map_err(|_| TierFault::Deadline)??)
    }

    /// Microseconds to an answer.
    pub(super) async fn ping(&self) -> Result<u64, TierFault> {
        let mut best = u64::MAX;
        for _ in 0..PINGS {
            let sent = Instant::now();
            let _: redis::Value = self.ask(&["PING"]).await?;
            best = best.min(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        Ok(best)
    }

    /// The server's clock against ours, at the middle of the way there and back.
    pub(super) async fn skew(&self, clock: &Clock) -> Result<Skew, TierFault> {
        let (sent, began) = (clock.now(), Instant::now());
        let (secs, micros): (u64, u64) = self.ask(&["TIME"]).await?;
        let way_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) / 2;
        let theirs = secs.saturating_mul(1_000).saturating_add(micros / 1_000);
        let ours = sent.as_millis().saturating_add(way_ms);
        let ahead_ms = theirs.cast_signed().saturating_sub(ours.cast_signed());
        Ok(Skew { ahead_ms, give_or_take_ms: way_ms.saturating_add(1) })
    }
}
