//! What a look asks, in one round trip where one server has it all: the head, the frame, and then
//! what speaks against the frame. The frame is a plain command between two scripts, since Redis'
//! Lua hashes and copies every byte of every string that it touches. So anything may happen between
//! the steps, and this is why that harms nothing:
//!
//! - An order that was acknowledged before the look began is in the head, whenever within the
//!   look the head is read, and the frame is judged only when all up to the head is known. A head
//!   that is read after the frame (on another server of a cluster, or where a server did not know
//!   the script yet) refuses more, never less. The number for a put is the head's too, and the
//!   origin is asked after all of this.
//! - The tombstone is read after the frame: an order that comes between them is seen with a frame
//!   that it erased, and the frame is refused.
//! - All steps to one server go over one connection, which does not outlive the server's process:
//!   the run that the last step tells is the run that the frame is of.
//! - The lease depends on what the script itself finds, in one step. A frame that went just before
//!   costs a lease, which is given back when the frame is used; one that came in between is asked
//!   for once more, as a long one is.

use std::sync::Arc;

use redis::Value;

use super::follow::Beside;
use super::read::Wanted;
use super::reply::{Head, Heading, Looked, Stood};
use super::{Effects, Fleet};
use crate::base::limits;
use crate::base::units::Span;
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Place;
use crate::store::redis::script::{ScriptCall, Step};
use crate::store::redis::scripts;
use crate::store::redis::server::Server;
use crate::store::redis::slot::Slot;

/// A frame, if one stands there, and what there is to it.
pub(super) type Asked = (Option<Stood>, Looked);

impl Fleet {
    /// The head and the frame.
    pub(super) async fn ask_both(
        &self,
        wanted: &Wanted<'_>,
        place: &Place<'_>,
        token: &str,
        frame: &[u8],
        effects: &dyn Effects,
    ) -> Result<(Heading, Asked), TierFault> {
        let budget = self.config.budget;
        let order = ["head", "log", "fences", "members"].map(|what| self.names.order(what));
        let order: Vec<&[u8]> = order.iter().map(Vec::as_slice).collect();
        let (life, applied) = self.said();
        let (turn, began) = self.history();
        let asks = Beside::Nothing.word();
        let head_args: [&[u8]; 5] =
            [life.as_bytes(), applied.as_bytes(), asks, turn.as_bytes(), began.as_bytes()];
        let names =
            [self.names.directory(place), self.names.tombstone(place), self.names.lease(place)];
        let keys: [&[u8]; 4] = [frame, &names[0], &names[1], &names[2]];
        let lease = wanted.lease.map_or(0, Span::as_millis).to_string();
        let asked_until = self.asked_until(effects);
        let look_args: [&[u8]; 3] = [token.as_bytes(), lease.as_bytes(), asked_until.as_bytes()];
        let head = ScriptCall { script: &scripts::HEAD, keys: &order, args: &head_args };
        let look = ScriptCall { script: &scripts::LOOK, keys: &keys, args: &look_args };
        let (head, read, look) = (Step::Script(head), beginning(frame), Step::Script(look));
        let ordering = self.head_server()?;
        let storing = self.servers.master(Slot::of(frame))?;
        let mut said = if Arc::ptr_eq(&ordering, &storing) {
            ordering.steps(&[head, read, look], budget).await?
        } else {
            let (head, found) = ([head], [read, look]);
            let both = tokio::join!(ordering.steps(&head, budget), storing.steps(&found, budget));
            [both.0?, both.1?].concat()
        }
        .into_iter();
        let headed = said.next().ok_or_else(missing)?;
        let found = asked(said.next(), said.next(), limits::BULKY_BYTES)?;
        match Head::read(&headed?)? {
            Head::Known(heading) => Ok((heading, found)),
            Head::Stranger(_) | Head::Unknown | Head::Other => {
                self.mend.notify_one();
                Err(TierFault::Unserved)
            }
        }
    }

    /// Frames of one identity, each with what there is to it; no lease is taken. `whole`: however
    /// long they are, over the connection for what is bulky.
    pub(super) async fn ask_frames(
        &self,
        server: &Server,
        place: &Place<'_>,
        names: &[Vec<u8>],
        whole: bool,
    ) -> Result<Vec<Asked>, TierFault> {
        let others =
            [self.names.directory(place), self.names.tombstone(place), self.names.lease(place)];
        let keys: Vec<[&[u8]; 4]> =
            names.iter().map(|name| [&**name, &others[0], &others[1], &others[2]]).collect();
        let mut steps = Vec::with_capacity(2 * names.len());
        for (name, keys) in names.iter().zip(&keys) {
            let args: &[&[u8]] = &[b"", b"0", b"0"];
            steps.push(if whole { all_of(name) } else { beginning(name) });
            steps.push(Step::Script(ScriptCall { script: &scripts::LOOK, keys, args }));
        }
        let said = if whole {
            server.steps_long(&steps, limits::L2_BACKGROUND_DEADLINE).await?
        } else {
            server.steps(&steps, self.config.budget).await?
        };
        let most = if whole { usize::MAX } else { limits::BULKY_BYTES };
        let mut said = said.into_iter();
        names.iter().map(|_| asked(said.next(), said.next(), most)).collect()
    }
}

/// As much of a frame as may come along with a usual look, and a byte more, which tells that there
/// is more.
fn beginning(name: &[u8]) -> Step<'static> {
    let mut get = redis::cmd("GETRANGE");
    get.arg(name).arg(0).arg(limits::BULKY_BYTES);
    Step::Command(get)
}

fn all_of(name: &[u8]) -> Step<'static> {
    let mut get = redis::cmd("GET");
    get.arg(name);
    Step::Command(get)
}

type Answer = Option<Result<Value, TierFault>>;

/// `most`: so many bytes are the whole frame.
fn asked(frame: Answer, looked: Answer, most: usize) -> Result<Asked, TierFault> {
    let frame = match frame.ok_or_else(missing)? {
        // Somebody else put it there; the step behind took it away.
        Err(fault) if fault.code() == Some("WRONGTYPE") => Value::Nil,
        other => other?,
    };
    let looked = Looked::read(looked.ok_or_else(missing)??)?;
    Ok((Stood::read(frame, most, looked.bytes)?, looked))
}

fn missing() -> TierFault {
    TierFault::Garbage("an answer was due".to_owned())
}
