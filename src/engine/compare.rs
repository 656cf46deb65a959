//! What stands in a level compared with what the origin says: the same question that the entry
//! answers, with its validators first, and its answer against what is stored. Nothing of it is
//! stored, and no client waits for it. What of a body counts is for the rule to say (`fields`).

pub(in crate::engine) mod fields;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};

use crate::base::limits;
use crate::engine::admit::Plan;
use crate::engine::ahead::{self, Brought, Target};
use crate::engine::entries::Untold;
use crate::engine::transit::Transit;
use crate::engine::{Engine, Worker, errand, fleet, miss};
use crate::entry::Entry;
use crate::entry::order::Selector;
use crate::origin::{InBody, Whole, whole};
use crate::policy::validate;
use crate::store::l1::After;
use crate::store::redis::fleet::Kept;
use fields::Against;

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The origin says the same.
    Same,
    /// It says something else: under these pointers of the rule, or somewhere in the whole.
    Differs(Vec<Box<str>>),
    /// It has nothing there any more.
    Gone,
    /// It gave no answer.
    Failed(String),
    /// Nothing was compared.
    Skipped(&'static str),
}

/// A comparison, and how the entry stood by what is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What came of it.
    pub compared: Compared,
    /// Whether it would have been served without a question.
    pub fresh: bool,
    /// Seconds since it was known to be current: for how long it may have been wrong.
    pub since: u64,
}

/// The level whose entries are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Of {
    /// What this node holds.
    #[default]
    L1,
    /// What nodes share.
    L2,
}

/// Where a walk through a level goes on.
#[derive(Debug)]
pub enum Standing {
    /// In this node's.
    Held(Option<After>),
    /// In the shared one.
    Shared(Option<String>),
    /// It is over.
    End,
}

impl Standing {
    /// At the beginning.
    pub const fn of(level: Of) -> Self {
        match level {
            Of::L1 => Self::Held(None),
            Of::L2 => Self::Shared(None),
        }
    }

    /// A page of what stands there of any of these selectors, perhaps an empty one; nothing at the
    /// end. Of the shared level only what no field selects, since it does not tell their values.
    ///
    /// # Errors
    /// When there is no shared level, or it does not answer.
    pub async fn next(
        &mut self,
        engine: &Engine,
        named: &[Selector],
    ) -> Result<Option<Vec<Target>>, Untold> {
        match std::mem::replace(self, Self::End) {
            Self::End => Ok(None),
            Self::Held(after) => {
                let page = engine.l1.list(named, after.as_ref(), limits::JOB_PAGE);
                *self = page.next.map_or(Self::End, |next| Self::Held(Some(next)));
                let each = page.found.iter();
                let each = each.flat_map(|one| one.entries.iter().map(|one_of| (&one.key, one_of)));
                Ok(Some(each.map(|(key, entry)| Target::of_entry(key, entry)).collect()))
            }
            Self::Shared(after) => {
                let fleet = engine.fleet.as_ref().ok_or(Untold::Alone)?;
                let page = fleet.list(named, after.as_deref(), limits::JOB_PAGE).await?;
                *self = page.next.map_or(Self::End, |next| Self::Shared(Some(next)));
                let plain = page.found.iter().filter(|kept| kept.selecting.is_empty());
                let target = |kept: &Kept| Target::of_kept(&kept.key, kept.target.as_deref());
                Ok(Some(plain.map(target).collect()))
            }
        }
    }
}

/// Compares one entry of a level with what the origin says now.
pub async fn compare(worker: &Worker, target: &Target, level: Of) -> Outcome {
    let (engine, nobody) = (&worker.engine, ahead::nobody(&worker.engine));
    let skipped = |compared| Outcome { compared, fresh: false, since: 0 };
    let (transit, plan) = match ahead::planned(engine, &nobody, target) {
        Ok(planned) => planned,
        Err(Brought::NotCacheable(reason)) => return skipped(Compared::Skipped(reason)),
        Err(Brought::Failed(why)) => return skipped(Compared::Failed(why)),
        Err(_) => return skipped(Compared::Skipped(NO_CREDENTIALS)),
    };
    let now = engine.clock.now();
    let Some(entry) = standing(engine, target, &transit, &plan, level).await else {
        return skipped(Compared::Skipped("it is not there any more"));
    };
    let fresh = entry.stamp.is_fresh(now);
    let since = now.since(entry.stamp.stored_at).as_secs();
    let compared = match ask(worker, &transit, &plan, &entry).await {
        differs @ (Compared::Differs(_) | Compared::Gone) => {
            // What has come in its place meanwhile is not what was compared.
            let after = standing(engine, target, &transit, &plan, level).await;
            let bytes = |entry: &Entry| fields::digest(entry.body.segments());
            if after.is_some_and(|after| bytes(&after) == bytes(&entry)) {
                differs
            } else {
                Compared::Skipped("it changed meanwhile")
            }
        }
        compared => compared,
    };
    Outcome { compared, fresh, since }
}

async fn standing(
    engine: &Engine,
    target: &Target,
    transit: &Transit,
    plan: &Plan,
    level: Of,
) -> Option<Arc<Entry>> {
    if level == Of::L2 {
        let entry = fleet::glance(engine, plan, &transit.parts.headers).await?;
        return Some(Arc::new(entry.counted_in(&engine.transit)));
    }
    let bundle = engine.l1.peek(plan.key.identity())?;
    bundle.variants().iter().find(|entry| entry.selecting == target.selecting).cloned()
}

async fn ask(worker: &Worker, transit: &Transit, plan: &Plan, entry: &Entry) -> Compared {
    let conditions = errand::conditions(entry, false);
    let head = miss::head_for_cache(worker, transit, plan, conditions, false);
    let asked = validate::asks_if_changed(&head.headers);
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let request = Request::from_parts(head, body);
    let answer = match worker.ask_for_cache(&plan.routed, request).await {
        Ok(answer) => answer.into_response(),
        Err(why) => return Compared::Failed(why.to_string()),
    };
    let (head, body) = answer.into_parts();
    match (head.status, entry.head.status()) {
        (StatusCode::NOT_MODIFIED, _) if asked => Compared::Same,
        (StatusCode::NOT_MODIFIED, _) => {
            Compared::Failed("304 to a request without a condition".to_owned())
        }
        (new, old) if new == old => judge(plan, &head.headers, body, entry).await,
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Compared::Skipped(NO_CREDENTIALS),
        (StatusCode::NOT_FOUND | StatusCode::GONE, _) => Compared::Gone,
        (status, _) if status.is_server_error() => {
            Compared::Failed(format!("the origin answered {}", status.as_u16()))
        }
        _ => Compared::Differs(Vec::new()),
    }
}

/// Why what needs a credential is left alone.
const NO_CREDENTIALS: &str = "no-credentials";

/// Whether what counts of the body is as it is stored.
async fn judge(plan: &Plan, fields: &HeaderMap, body: InBody, entry: &Entry) -> Compared {
    let rule = plan.routed.route.as_deref();
    match whole(body, fields::longest(rule, entry)).await {
        Ok(Whole::TooLong(_)) => Compared::Differs(Vec::new()),
        Ok(Whole::Complete { chunks, .. }) => match fields::against(rule, fields, &chunks, entry) {
            Against::Same => Compared::Same,
            Against::Differs(pointers) => Compared::Differs(pointers),
            Against::Coded => {
                Compared::Failed("the origin sends another content coding now".to_owned())
            }
        },
        Err(cut) => Compared::Failed(cut.to_string()),
    }
}

#[cfg(test)]
mod tests;
