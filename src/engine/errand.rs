//! What a fetch is sent for: the plan, the request that the origin gets, and what the answer will
//! be compared and labelled with. It is free of the client that caused it, who may leave.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};

use crate::engine::Worker;
use crate::engine::admit::Plan;
use crate::engine::miss;
use crate::engine::transit::{Gist, Transit};
use crate::entry::{Entry, Labels};
use crate::policy;

/// What a fetch needs to know, free of the client that caused it.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) plan: Plan,
    pub(super) head: Parts,
    pub(super) plain_head: Option<Parts>,
    pub(super) target: String,
    pub(super) gist: Gist,
    pub(super) stale: Option<Arc<Entry>>,
    pub(super) labels: Labels,
    /// It asks for its client alone, with the client's own conditions.
    own_conditions: bool,
    /// What stood here may be current; only that no order names it is not known.
    pub(super) gap: bool,
    /// The origin is to be asked whatever stands in the levels.
    pub(super) confirms: bool,
}

/// The conditions on which the origin may confirm what stands here. Of what a soft order named, or
/// an order may have named that this node has not heard, it must say so by more than a guess.
pub(super) fn conditions(entry: &Entry, in_doubt: bool) -> Vec<(HeaderName, HeaderValue)> {
    let stored = entry.head.to_header_map();
    let strong = in_doubt || entry.is_soft();
    if strong { policy::strong_condition(&stored) } else { policy::conditions(&stored) }
}

impl Errand {
    /// For an answer that has come already, to a write.
    pub(super) fn posted(plan: Plan, labels: Labels, gist: Gist) -> Self {
        let (head, ()) = Request::new(()).into_parts();
        let target = gist.absolute();
        Self {
            plan,
            head,
            plain_head: None,
            target,
            gist,
            stale: None,
            labels,
            own_conditions: false,
            gap: false,
            confirms: false,
        }
    }

    /// To hear from the origin whether this entry still holds, or what the shared level has of it,
    /// fresh or not.
    pub(super) fn confirming(
        worker: &Worker,
        transit: &Transit,
        plan: &Plan,
        entry: Option<Arc<Entry>>,
    ) -> Self {
        Self { confirms: true, ..Self::new(worker, transit, plan, entry, false) }
    }

    /// Whether a 304 to a request without a condition would be taken for more than it is: as news
    /// of the client's copy, whose condition stayed here, or of ours. To a client that asked as
    /// plainly as we did it is the origin's own word, and passes.
    pub(super) fn misleads(&self) -> bool {
        self.stale.is_some() || policy::validate::asks_if_changed(&self.gist.fields)
    }

    /// What `plan` needs from the origin. With a stale entry the fetch asks conditionally; with the
    /// client's own conditions it asks for this client alone.
    pub(super) fn new(
        worker: &Worker,
        transit: &Transit,
        plan: &Plan,
        stale: Option<Arc<Entry>>,
        own_conditions: bool,
    ) -> Self {
        let in_doubt = |entry: &Entry| !worker.engine.is_trusted(entry, transit.looks_at());
        let asks = stale.as_deref().map(|entry| conditions(entry, in_doubt(entry)));
        let asks = asks.unwrap_or_default();
        let head = miss::head_for_cache(worker, transit, plan, asks, own_conditions);
        let plain = || miss::head_for_cache(worker, transit, plan, Vec::new(), false);
        let plain_head = stale.as_ref().map(|_| plain());
        Self {
            plan: plan.clone(),
            head,
            plain_head,
            target: transit.absolute(),
            gist: transit.gist(),
            stale,
            labels: plan.labels(transit),
            own_conditions,
            gap: false,
            confirms: false,
        }
    }

    /// Whether others may wait for what it brings.
    pub(super) const fn may_lead_others(&self) -> bool {
        !self.own_conditions
    }

    /// Whether its question is the client's own, conditions and all.
    pub(super) const fn asks_as_client(&self) -> bool {
        self.own_conditions
    }

    /// Whether what was found elsewhere is newer than what stood here.
    pub(super) fn is_news(&self, found: &Entry) -> bool {
        let newer = |stale: &Arc<Entry>| found.stamp.stored_at > stale.stamp.stored_at;
        self.gap || self.stale.as_ref().is_none_or(newer)
    }
}
