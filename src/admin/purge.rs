//! The purge call: several selectors at once, tried first where that is wished, answered again
//! where a call is repeated under its `Idempotency-Key`.

mod told;

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::admin::Admin;
use crate::admin::door::{Caller, problem};
use crate::base::limits;
use crate::base::names;
use crate::base::units::Span;
use crate::engine::ordering::Patience;
use crate::engine::purge::{self, Done, How};
use crate::engine::tried::tried;
use crate::entry::order::{Mode, Order, Selector};
use crate::store::redis::fleet::Level;

pub(super) use told::{carried, done as done_shape, done_or_tried, told, told_undo};

/// A purge, as it is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// What goes: `key:…`, `prefix:…`, `pattern:…`, `tag:…`, `type:…`, `rule:…`, `url:…`, `all`.
    #[schemars(example = ["tag:docs", "key:doc:1"])]
    selectors: Vec<String>,
    /// Count what would go, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// Make it stale, in place of letting it go.
    #[serde(default)]
    soft: bool,
    /// Have what stood in this node's memory fetched anew.
    #[serde(default)]
    refresh: bool,
    /// What must have happened before the answer.
    #[serde(default)]
    confirm: Confirm,
    /// How long to wait for other nodes, such as "200ms"; at most 30s.
    #[serde(default)]
    #[schemars(example = &"200ms")]
    wait: Option<String>,
}

/// How far the order must have got before the answer leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Confirm {
    Local,
    Shared,
    #[default]
    Nodes,
}

/// Answers of calls that were made under a key.
#[derive(Debug, Default)]
pub struct Remembered {
    calls: Mutex<VecDeque<Call>>,
    /// Those under way, by their names.
    begun: Mutex<HashSet<String>>,
}

/// A call under a key, until it is answered.
struct Begun<'a> {
    all: &'a Remembered,
    name: String,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.all.begun().remove(&self.name);
    }
}

#[derive(Debug)]
struct Call {
    /// Who made it, under which key.
    name: String,
    /// The digest of what was asked.
    asked: blake3::Hash,
    at: Instant,
    answer: (StatusCode, Value),
}

impl Remembered {
    /// Nothing where a call of this name is under way.
    fn begin(&self, name: String) -> Option<Begun<'_>> {
        let is_new = self.begun().insert(name.clone());
        is_new.then_some(Begun { all: self, name })
    }

    fn begun(&self) -> MutexGuard<'_, HashSet<String>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, name: &str) -> Option<(blake3::Hash, (StatusCode, Value))> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = limits::CALLS_REMEMBERED_FOR.to_duration();
        calls.retain(|call| call.at.elapsed() < kept);
        let call = calls.iter().find(|call| call.name == name)?;
        Some((call.asked, call.answer.clone()))
    }

    fn keep(&self, name: String, asked: blake3::Hash, answer: (StatusCode, Value)) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push_back(Call { name, asked, at: Instant::now(), answer });
        if calls.len() > limits::CALLS_REMEMBERED_MAX {
            calls.pop_front();
        }
    }
}

pub(super) fn wrong(detail: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "bad-request", detail)
}

/// `POST purge`.
pub(super) async fn purge(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    head: HeaderMap,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        Err(error) => return wrong(&error.body_text()),
    };
    let (order, patience) = match read(&asked, &caller) {
        Ok(read) => read,
        Err(refusal) => return *refusal,
    };
    let key = match idempotency_key(&head, &caller) {
        Ok(key) => key,
        Err(why) => return wrong(why),
    };
    let digest = blake3::hash(format!("{asked:?}").as_bytes());
    // Held until the answer is remembered: the same call, made twice at once, is carried out once.
    let begun = match key.map(|key| admin.remembered.begin(key)) {
        Some(None) => {
            let detail = "a call with this Idempotency-Key is under way; repeat it later";
            return problem(StatusCode::CONFLICT, "key-in-use", detail);
        }
        begun => begun.flatten(),
    };
    if let Some((before, (status, mut answer))) =
        begun.as_ref().and_then(|begun| admin.remembered.of(&begun.name))
    {
        if before != digest {
            let detail = "this Idempotency-Key was used for another call; take a new one";
            return problem(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail);
        }
        answer["repeated"] = true.into();
        return (status, Json(answer)).into_response();
    }
    let order = purge::resolved(&admin.engine, order);
    let (status, answer) = if asked.dry_run {
        (StatusCode::OK, tried(&admin.engine, &order).await)
    } else {
        let how = match () {
            () if asked.soft => How::Soft,
            () if asked.refresh => How::Refresh,
            () => How::Delete,
        };
        done(&admin, &caller, order, how, patience).await
    };
    if let Some(begun) = begun.as_ref().filter(|_| !asked.dry_run) {
        admin.remembered.keep(begun.name.clone(), digest, (status, answer.clone()));
    }
    (status, Json(answer)).into_response()
}

/// What a call asks for, if its caller may.
fn read(asked: &Asked, caller: &Caller) -> Result<(Order, Patience), Box<Response>> {
    let refuse = |detail: &str| Box::new(wrong(detail));
    if asked.selectors.is_empty() {
        return Err(refuse("`selectors` names nothing; everything is [\"all\"]"));
    }
    if asked.selectors.len() > limits::CALL_SELECTORS_MAX {
        let most = limits::CALL_SELECTORS_MAX;
        return Err(refuse(&format!("`selectors` has at most {most} of them")));
    }
    let mut selectors = Vec::with_capacity(asked.selectors.len());
    for text in &asked.selectors {
        let selector =
            Selector::parse(text).map_err(|error| refuse(&format!("`{text}`: {error}")))?;
        if let Selector::Url(target) = &selector
            && target.starts_with('/')
        {
            let remedy = format!("write url:https://shop.example{target}");
            return Err(refuse(&format!("`{text}` names no site; {remedy}")));
        }
        caller.must_reach(&selector)?;
        selectors.push(selector);
    }
    if asked.soft && asked.refresh {
        return Err(refuse("`soft` and `refresh` exclude each other: say one of them"));
    }
    let patience = patience(asked.confirm, asked.wait.as_deref()).map_err(refuse)?;
    Ok((Order::of(selectors), patience))
}

/// For how much a call waits.
pub(super) fn patience(confirm: Confirm, wait: Option<&str>) -> Result<Patience, &'static str> {
    let wait = match wait {
        None => limits::CONFIRM_WAIT,
        Some(text) => Span::parse(text)
            .ok()
            .filter(|wait| *wait <= limits::CONFIRM_WAIT_MAX)
            .ok_or("`wait` is a time of at most 30s, such as \"200ms\"")?,
    };
    Ok(match confirm {
        Confirm::Local => Patience::None,
        Confirm::Shared => Patience::Shared,
        Confirm::Nodes => Patience::Nodes(wait.to_duration()),
    })
}

/// The name of a call that may be repeated: its key belongs to its caller.
fn idempotency_key(head: &HeaderMap, caller: &Caller) -> Result<Option<String>, &'static str> {
    let Some(key) = head.get(names::IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = key.to_str().unwrap_or_default().trim_matches('"');
    if text.is_empty() || text.len() > 255 {
        return Err("Idempotency-Key is a text of 1 to 255 characters");
    }
    Ok(Some(format!("{} {text}", caller.name())))
}

/// Carries an order out, and notes that.
pub(super) async fn done(
    admin: &Admin,
    caller: &Caller,
    order: Order,
    how: How,
    patience: Patience,
) -> (StatusCode, Value) {
    let began = Instant::now();
    let done = purge::by_hand(&admin.engine, order, how, "admin", patience).await;
    answer(admin, caller, &done, began)
}

/// The answer to what was carried out, which is noted.
pub(super) fn answer(
    admin: &Admin,
    caller: &Caller,
    done: &Done,
    began: Instant,
) -> (StatusCode, Value) {
    let Done { order, carried, .. } = done;
    let ms = Duration::as_millis(&began.elapsed()) as u64;
    let mut answer = purge::told(&admin.engine, done, ms);
    answer["selectors"] = named(order);
    let level = carried.receipt.level;
    let (call, did) = match order.mode {
        Mode::Delete => ("purge", "purged"),
        Mode::Soft(_) => ("purge", "made stale"),
        Mode::Undo(_) => ("undo", "restored"),
    };
    let outcome = format!("{did} {} {}", carried.counts.entries, level.as_str());
    let what = order.said().join(" ");
    admin.audit.note(&admin.engine, caller.name(), call, &what, &outcome);
    let waits = admin.engine.fleet.is_some() && level == Level::Local;
    (if waits { StatusCode::ACCEPTED } else { StatusCode::OK }, answer)
}

fn named(order: &Order) -> Value {
    order.said().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_under_way_is_not_begun_again() {
        let remembered = Remembered::default();
        let begun = remembered.begin("ann 1".to_owned());
        assert!(begun.is_some() && remembered.begin("ann 1".to_owned()).is_none());
        assert!(remembered.begin("ben 1".to_owned()).is_some());
        drop(begun);
        assert!(remembered.begin("ann 1".to_owned()).is_some());
    }
}
