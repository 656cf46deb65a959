//! The question to the origin, and what its answer means for the entry that stands.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;

use super::Synced;
use crate::base::clock::Timestamp;
use crate::base::reason::Reason;
use crate::engine::Worker;
use crate::engine::admit::Plan;
use crate::engine::ahead::Target;
use crate::engine::compare::fields::{self, Against};
use crate::engine::errand::Errand;
use crate::engine::fetch::{self, Times};
use crate::engine::fleet;
use crate::engine::flight::{Flight, Landing};
use crate::engine::senders::Room;
use crate::engine::transit::Transit;
use crate::entry::Entry;
use crate::origin::{InBody, Whole, whole};
use crate::policy::{date, validate};

/// An entry that is asked about.
pub(super) struct Asking<'a> {
    pub(super) worker: &'a Worker,
    pub(super) target: &'a Target,
    pub(super) transit: &'a Transit,
    pub(super) plan: &'a Plan,
    /// What stood here when it began.
    pub(super) held: Option<Arc<Entry>>,
    pub(super) flight: &'a Arc<Flight>,
}

/// An answer that says something, its body read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) chunks: Vec<Bytes>,
    pub(super) times: Times,
}

impl Asking<'_> {
    /// Does all of it.
    pub(super) async fn carry_out(&self, mut errand: Errand) -> Synced {
        // What the shared level has, if that is newer, is what the origin is asked about.
        let _ = fleet::look(self.worker, self.flight, &mut errand).await;
        let Some(stored) = errand.stale.clone() else {
            return Synced::Skipped("it is not there any more".into());
        };
        match self.ask(&errand, &stored).await {
            Ok(answer) => self.weigh(&errand, &stored, answer).await,
            Err(synced) => synced,
        }
    }

    /// Asks on the entry's own conditions. Gives an answer that need be looked at, or what came.
    async fn ask(&self, errand: &Errand, stored: &Entry) -> Result<Answer, Synced> {
        let (mut head, mut plain) = (errand.head.clone(), errand.plain_head.clone());
        loop {
            let asked = validate::asks_if_changed(&head.headers);
            let asked_at = self.worker.engine.clock.now();
            let began = Instant::now();
            let body = Full::new(self.plan.body.clone());
            let body = body.map_err(|never| match never {}).boxed_unsync();
            let request = Request::from_parts(head, body);
            let answer = self.worker.ask_for_cache(&self.plan.routed, request).await;
            let answer = answer.map_err(|why| Synced::Failed(why.to_string()))?.into_response();
            let times = Times {
                asked_at,
                answered_at: self.worker.engine.clock.now(),
                origin_micros: began.elapsed().as_micros() as u64,
            };
            if answer.status() != StatusCode::NOT_MODIFIED {
                return self.read(answer, times, stored).await;
            }
            if asked && fetch::renew(self.worker, self.flight, errand, answer.headers(), times) {
                return Err(self.renewed().await);
            }
            // It speaks of something else than what stands there: the whole, once.
            head = plain
                .take()
                .filter(|_| asked)
                .ok_or_else(|| Synced::Failed("304 to a request without a condition".to_owned()))?;
        }
    }

    /// What became of an entry that the origin confirmed.
    async fn renewed(&self) -> Synced {
        match (self.flight.landing().await, self.flight.fate.refusal()) {
            (Landing::Alone(alone), _) => {
                self.drop_everywhere().await;
                Synced::NotCacheable(alone.reason.as_str())
            }
            (_, Some(reason)) => Synced::Skipped(reason.text().into()),
            (_, None) => Synced::Unchanged,
        }
    }

    /// Reads an answer whole, if it says anything about the entry.
    async fn read(
        &self,
        answer: Response<InBody>,
        times: Times,
        stored: &Entry,
    ) -> Result<Answer, Synced> {
        let engine = &self.worker.engine;
        let (head, mut body) = answer.into_parts();
        let status = head.status;
        if status.is_server_error() || WAITS.contains(&status) {
            return Err(Synced::Failed(format!("the origin answered {}", status.as_u16())));
        }
        if status != stored.head.status() {
            match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(Synced::NoCredentials);
                }
                StatusCode::NOT_FOUND | StatusCode::GONE => {
                    return Err(self.drop_if_undisturbed(stored, Synced::Gone).await);
                }
                _ => {}
            }
        }
        match engine.room_for(fetch::declared_len(&head.headers)) {
            Room::Open => {}
            Room::Reserved(charge) => body.count_against(charge),
            Room::None => return Err(Synced::Failed(Reason::Memory.text().to_owned())),
        }
        let most = self.plan.law(engine).max_object.unwrap_or(engine.options.max_object);
        let rule = self.plan.routed.route.as_deref();
        match whole(body, most.max(fields::longest(rule, stored))).await {
            Ok(Whole::Complete { chunks, .. }) => {
                let mut fields = head.headers;
                crate::base::fields::strip_hop_by_hop(&mut fields);
                Ok(Answer { status, fields, chunks, times })
            }
            Ok(Whole::TooLong(_)) => {
                let synced = Synced::NotCacheable(Reason::TooLarge.as_str());
                Err(self.drop_if_undisturbed(stored, synced).await)
            }
            Err(cut) => Err(Synced::Failed(cut.to_string())),
        }
    }

    /// Compares a whole answer with what is stored, and keeps the newer of the two.
    async fn weigh(&self, errand: &Errand, stored: &Arc<Entry>, answer: Answer) -> Synced {
        let rule = self.plan.routed.route.as_deref();
        let against = if answer.status == stored.head.status() {
            fields::against(rule, &answer.fields, &answer.chunks, stored)
        } else {
            Against::Differs(Vec::new())
        };
        match against {
            // A copy that lags may say what was stored before, but not that it is current.
            Against::Same if is_older(&answer.fields, stored) => Synced::Unchanged,
            Against::Same => match self.store(self.flight, errand, answer) {
                Ok(None) => Synced::Unchanged,
                Ok(Some(reason)) => Synced::Skipped(reason.text().into()),
                Err(reason) => {
                    let synced = Synced::NotCacheable(reason.as_str());
                    self.drop_if_undisturbed(stored, synced).await
                }
            },
            Against::Differs(_) | Against::Coded if is_older(&answer.fields, stored) => {
                Synced::Older
            }
            Against::Differs(pointers) => self.replace(errand, stored, answer, pointers).await,
            Against::Coded => self.replace(errand, stored, answer, Vec::new()).await,
        }
    }
}

/// Statuses that say to come again later: 408, 425 and 429.
const WAITS: [StatusCode; 3] =
    [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];

/// Whether an answer is from before the stored one, as a copy gives it that lags behind: by
/// `Last-Modified` where both have one and they differ, else by `Date`.
fn is_older(answer: &HeaderMap, stored: &Entry) -> bool {
    let now = Timestamp::default();
    let stored_fields = stored.head.to_header_map();
    let changed = |fields: &HeaderMap| date::field(fields, &header::LAST_MODIFIED, now);
    match (changed(answer), changed(&stored_fields)) {
        (Some(theirs), Some(ours)) if theirs != ours => theirs < ours,
        _ => date::field(answer, &header::DATE, now)
            .is_some_and(|made| made.as_secs() < stored.stamp.date.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::engine::samples::{Origin, message, read, worker};

    /// Whether an answer with these fields is older than a stored one with those.
    async fn older(stored: &[&str], answer: &[(&str, &str)]) -> bool {
        let lines: Vec<&str> = [&["Cache-Control: max-age=60"], stored].concat();
        let text = message(200, &lines, "x");
        let origin = Origin::start(move |_| Some(text.clone())).await;
        let worker = worker(origin.address, "");
        read(&worker, "GET /a", &[]).await;
        let page = worker.engine.l1.list(&[crate::entry::order::Selector::All], None, 1);
        let entry = Arc::clone(&page.found[0].entries[0]);
        let fields = answer
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        is_older(&fields.collect(), &entry)
    }

    #[tokio::test]
    async fn the_newer_one_wins() {
        let (first, second) = ("Tue, 13 Jan 1970 12:00:00 GMT", "Tue, 13 Jan 1970 12:00:01 GMT");
        let changed = |at: &str| format!("Last-Modified: {at}");
        for (stored, answer, expected) in [
            (vec![changed(second)], vec![("last-modified", first)], true),
            (vec![changed(first)], vec![("last-modified", second)], false),
            // What it says of its change counts before what it says of its making.
            (
                vec![changed(first), format!("Date: {second}")],
                vec![("last-modified", second), ("date", first)],
                false,
            ),
            (
                vec![changed(first), format!("Date: {second}")],
                vec![("last-modified", first), ("date", first)],
                true,
            ),
            (vec![format!("Date: {second}")], vec![("date", first)], true),
            (vec![format!("Date: {first}")], vec![("date", first)], false),
            (vec![format!("Date: {second}")], vec![("last-modified", first)], false),
            (vec![changed(first)], vec![("last-modified", "yesterday")], false),
        ] {
            let lines: Vec<&str> = stored.iter().map(|line| &**line).collect();
            assert_eq!(older(&lines, &answer).await, expected, "{stored:?} {answer:?}");
        }
    }
}
