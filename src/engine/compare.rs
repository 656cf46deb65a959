//! What stands here compared with what the origin says: the same question that the entry answers,
//! with its validators first, and its answer against what is stored. Nothing of it is stored, and
//! no client waits for it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};

use crate::engine::ahead::{self, Brought, Target};
use crate::engine::{Engine, Worker, miss};
use crate::entry::order::Selector;
use crate::entry::{Entry, Key};
use crate::origin::{InBody, Whole, whole};
use crate::policy::validate;
use crate::store::l1::After;

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The origin says the same.
    Same,
    /// It says something else.
    Differs,
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

/// Where a walk through L1 goes on.
#[derive(Debug, Default)]
pub struct Standing(Option<After>);

impl Standing {
    /// A page of what stands here of any of these selectors; whether there are more.
    pub fn next(
        &mut self,
        engine: &Engine,
        named: &[Selector],
        most: usize,
    ) -> (Vec<Target>, bool) {
        let page = engine.l1.list(named, self.0.as_ref(), most);
        let each = page.found.iter();
        let each = each.flat_map(|one| one.entries.iter().map(|entry| (&one.key, entry)));
        let targets = each.map(|(key, entry)| Target::of_entry(key, entry)).collect();
        self.0 = page.next;
        (targets, self.0.is_some())
    }
}

/// Compares one entry of L1 with what the origin says now.
pub async fn compare(worker: &Worker, target: &Target) -> Outcome {
    let engine = &worker.engine;
    let now = engine.clock.now();
    let Some(entry) = target.key().and_then(|key| standing(engine, key, target)) else {
        let compared = Compared::Skipped("it is not there any more");
        return Outcome { compared, fresh: false, since: 0 };
    };
    let fresh = entry.stamp.is_fresh(now);
    let since = now.since(entry.stamp.stored_at).as_secs();
    let compared = match ask(worker, target, &entry).await {
        differs @ (Compared::Differs | Compared::Gone) => {
            // What has come in its place meanwhile is not what was compared.
            let after = target.key().and_then(|key| standing(engine, key, target));
            if after.is_some_and(|after| after.stamp == entry.stamp) {
                differs
            } else {
                Compared::Skipped("it changed meanwhile")
            }
        }
        compared => compared,
    };
    Outcome { compared, fresh, since }
}

fn standing(engine: &Engine, key: &Key, target: &Target) -> Option<Arc<Entry>> {
    let bundle = engine.l1.peek(key.identity())?;
    bundle.variants().iter().find(|entry| entry.selecting == target.selecting).cloned()
}

async fn ask(worker: &Worker, target: &Target, entry: &Entry) -> Compared {
    let (engine, nobody) = (&worker.engine, ahead::nobody(&worker.engine));
    let (transit, plan) = match ahead::planned(engine, &nobody, target) {
        Ok(planned) => planned,
        Err(Brought::NotCacheable(reason)) => return Compared::Skipped(reason),
        Err(Brought::Failed(why)) => return Compared::Failed(why),
        Err(_) => return Compared::Skipped(NO_CREDENTIALS),
    };
    let stored = entry.head.to_header_map();
    let head = miss::head_for_cache(worker, &transit, &plan, Some(&stored), false);
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
        (new, old) if new == old => judge(&head.headers, body, entry).await,
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Compared::Skipped(NO_CREDENTIALS),
        (StatusCode::NOT_FOUND | StatusCode::GONE, _) => Compared::Gone,
        (status, _) if status.is_server_error() => {
            Compared::Failed(format!("the origin answered {}", status.as_u16()))
        }
        _ => Compared::Differs,
    }
}

/// Why what needs a credential is left alone.
const NO_CREDENTIALS: &str = "no-credentials";

/// Whether the bytes are those that are stored.
async fn judge(fields: &HeaderMap, body: InBody, entry: &Entry) -> Compared {
    let coding = fields.get(header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes);
    if coding != entry.head.get(&header::CONTENT_ENCODING) {
        return Compared::Failed("the origin sends another content coding now".to_owned());
    }
    match whole(body, entry.body.len()).await {
        Ok(Whole::TooLong(_)) => Compared::Differs,
        Ok(Whole::Complete { chunks, .. }) => {
            let same = digest(&chunks) == digest(entry.body.segments());
            if same { Compared::Same } else { Compared::Differs }
        }
        Err(cut) => Compared::Failed(cut.to_string()),
    }
}

fn digest(parts: &[Bytes]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::engine::samples::{Origin, message, read, worker};

    /// What the origin says to `GET /a`, and what it says after the first answer.
    async fn compared(first: &str, then: Option<String>) -> Outcome {
        let said = Mutex::new(vec![then, Some(first.to_owned())]);
        let origin = Origin::start(move |_| {
            let mut said = said.lock().unwrap();
            if said.len() > 1 { said.pop().flatten() } else { said[0].clone() }
        })
        .await;
        let worker = worker(origin.address, "");
        read(&worker, "GET /a", &[]).await;
        let (targets, more) = Standing::default().next(&worker.engine, &[Selector::All], 10);
        assert!(targets.len() == 1 && !more);
        compare(&worker, &targets[0]).await
    }

    #[tokio::test]
    async fn what_the_origin_says_is_told_apart() {
        let lines = ["Cache-Control: max-age=60", "ETag: \"1\""];
        let first = message(200, &lines, "old");
        for (then, expected) in [
            (message(304, &["ETag: \"1\""], ""), Compared::Same),
            (message(200, &lines, "old"), Compared::Same),
            (message(200, &lines, "new"), Compared::Differs),
            (message(200, &lines, "longer than it was"), Compared::Differs),
            (message(404, &[], ""), Compared::Gone),
            (message(401, &[], ""), Compared::Skipped(NO_CREDENTIALS)),
            (message(503, &[], ""), Compared::Failed("the origin answered 503".to_owned())),
        ] {
            let outcome = compared(&first, Some(then)).await;
            assert_eq!((outcome.compared, outcome.fresh), (expected, true));
        }
        let coded = message(200, &["Content-Encoding: gzip"], "old");
        assert!(matches!(compared(&first, Some(coded)).await.compared, Compared::Failed(_)));
    }

    #[tokio::test]
    async fn what_left_meanwhile_is_not_called_different() {
        let origin =
            Origin::start(|_| Some(message(200, &["Cache-Control: max-age=9"], "x"))).await;
        let worker = worker(origin.address, "");
        read(&worker, "GET /a", &[]).await;
        let (targets, _) = Standing::default().next(&worker.engine, &[Selector::All], 10);
        worker
            .engine
            .l1
            .sweep(&worker.engine.fences, &crate::entry::order::Order::of([Selector::All]));
        let outcome = compare(&worker, &targets[0]).await;
        assert!(matches!(outcome.compared, Compared::Skipped(_)));
        assert_eq!(origin.asked("GET /a"), 1);
    }
}
