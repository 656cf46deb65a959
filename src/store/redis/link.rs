//! One multiplexed connection that has been greeted: it answers, the server behind it can serve,
//! and it is what it was taken for. A task on the runtime that made it moves its bytes; anybody may
//! call over it.

use std::sync::{Arc, OnceLock};

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, FromRedisValue, Pipeline, Value};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cluster::serves;
use super::config::Address;
use super::fault::TierFault;
use super::replies::Excess;
use super::script::ScriptCall;
use super::scripts;
use super::way::{Standing, Way};
use crate::base::{limits, tasks};

/// Longest run id that is believed; servers use 40 hexadecimal digits.
const RUN_BYTES_MAX: usize = 64;

/// What a server is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Writes and reads.
    Master,
    /// Reads that may be a little old.
    Replica,
}

impl Role {
    /// The word for people and programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Replica => "replica",
        }
    }
}

/// One connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// The run id of the process at the other end; empty until it was greeted.
    run: String,
    over: CancellationToken,
    excess: Arc<OnceLock<Excess>>,
}

impl Link {
    /// Connects, logs in and greets, within the way's time. `ended` is told when it is over.
    pub(super) async fn open(
        way: &Way,
        address: &Address,
        role: Role,
        ended: Arc<Notify>,
    ) -> Result<Self, TierFault> {
        let opened = async {
            let mut link = Self::connect(way, address, ended).await?;
            let greeted = link.greet(way.standing, role).await;
            link.run = greeted.map_err(|fault| link.explain(fault))?;
            Ok(link)
        };
        timeout(way.timeout.to_duration(), opened).await.unwrap_or(Err(TierFault::Deadline))
    }

    /// The same for somebody who is only asked something: not greeted, and bounded by the caller.
    pub(super) async fn connect(
        way: &Way,
        address: &Address,
        ended: Arc<Notify>,
    ) -> Result<Self, TierFault> {
        let wire = way.open(address).await.map_err(|why| TierFault::Lost(why.to_string()))?;
        let excess = wire.excess();
        // Deadlines are the callers'.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(limits::CONNECTION_QUEUE);
        let made = MultiplexedConnection::new_with_config(way.info(), wire, config).await;
        let (connection, driver) = made?;
        let over = CancellationToken::new();
        let link = Self { connection, run: String::new(), over: over.clone(), excess };
        // A task that ends with its runtime ends the link as well.
        let guard = over.clone().drop_guard();
        tasks::tend(async move {
            tokio::select! {
                () = driver => {}
                () = over.cancelled() => {}
            }
            drop(guard);
            ended.notify_one();
        });
        Ok(link)
    }

    /// Whether calls can be made.
    pub(super) fn is_alive(&self) -> bool {
        !self.over.is_cancelled()
    }

    /// Ends it, and every call that waits on it.
    pub(super) fn cut(&self) {
        self.over.cancel();
    }

    /// Why it was lost, if it is known better than by who lost it.
    pub(super) fn explain(&self, fault: TierFault) -> TierFault {
        match (fault, self.excess.get()) {
            (TierFault::Lost(_), Some(excess)) => TierFault::Garbage(excess.to_string()),
            (fault, _) => fault,
        }
    }

    /// To call over it.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// The run id of the process at the other end, which this connection does not outlive.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// One command without a deadline; for those who greet and ask.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> Result<T, TierFault> {
        let mut packed = redis::Cmd::new();
        packed.arg(command);
        Ok(packed.query_async(&mut self.connection()).await?)
    }

    /// Who is there, if it can serve and is what it is taken for. A script is refused by a server
    /// that is loading, out of touch or held up, as a `PING` is.
    async fn greet(&self, standing: Standing, role: Role) -> Result<String, TierFault> {
        let who = ScriptCall { script: &scripts::WHO, keys: &[], args: &[] };
        let mut pipe = Pipeline::new();
        pipe.add_command(who.by_text(""));
        match (standing, role) {
            (Standing::Single, _) => {}
            (Standing::Watched, _) => {
                pipe.cmd("ROLE");
            }
            (Standing::Cluster, Role::Master) => {
                pipe.cmd("CLUSTER").arg("INFO");
            }
            (Standing::Cluster, Role::Replica) => {
                pipe.cmd("CLUSTER").arg("INFO").cmd("READONLY");
            }
        }
        let said: Vec<Value> = pipe.query_async(&mut self.connection()).await?;
        let mut said = said.into_iter();
        let run = said.next().and_then(|run| redis::from_redis_value(run).ok());
        let none = || TierFault::Garbage("no answer to a greeting".to_owned());
        let run = run.filter(|run: &String| is_run(run)).ok_or_else(none)?;
        match (standing, said.next()) {
            (Standing::Single, _) => {}
            (Standing::Watched, Some(said)) => must_be(role, &said)?,
            (Standing::Cluster, Some(said)) => must_serve(&said)?,
            (_, None) => return Err(none()),
        }
        Ok(run)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// Whether a text can be a run id. It is sent back with every look.
fn is_run(text: &str) -> bool {
    (1..=RUN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|one| one.is_ascii_alphanumeric())
}

/// The answer to `ROLE`.
fn must_be(role: Role, said: &Value) -> Result<(), TierFault> {
    let parts = said.as_sequence().unwrap_or_default();
    let part = |at: usize| parts.get(at).and_then(|part| redis::from_redis_value_ref(part).ok());
    let (name, link): (Option<String>, Option<String>) = (part(0), part(3));
    match (role, name.as_deref(), link.as_deref()) {
        (Role::Master, Some("master"), _) | (Role::Replica, Some("slave"), Some("connected")) => {
            Ok(())
        }
        (Role::Master, Some(_), _) => Err(TierFault::Refused("READONLY not the master".to_owned())),
        (Role::Replica, Some(_), _) => {
            Err(TierFault::Refused("MASTERDOWN not a replica in step".to_owned()))
        }
        (_, None, _) => Err(TierFault::Garbage("no role".to_owned())),
    }
}

/// The answer to `CLUSTER INFO`.
fn must_serve(said: &Value) -> Result<(), TierFault> {
    let text: String =
        redis::from_redis_value_ref(said).map_err(|why| TierFault::Garbage(why.to_string()))?;
    if serves(&text) {
        Ok(())
    } else {
        Err(TierFault::Refused("CLUSTERDOWN the node does not serve".to_owned()))
    }
}

/// A connection that hears messages. Its own task runs where this is called. What nobody takes
/// from it piles up in memory: it must be read without a pause.
pub(super) async fn listen(way: &Way, address: &Address) -> Result<PubSub, TierFault> {
    let opened = async {
        let wire = way.open(address).await.map_err(|why| TierFault::Lost(why.to_string()))?;
        Ok(PubSub::new(way.info(), wire).await?)
    };
    timeout(way.timeout.to_duration(), opened).await.unwrap_or(Err(TierFault::Deadline))
}
