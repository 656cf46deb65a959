//! The calls about jobs: what runs and what has run, one of them, its pause and its end; and those
//! that hold entries against their origin.

mod told;

use axum::Extension;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Json, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::admin::door::{Caller, problem};
use crate::admin::entries::{Refused, selector, wrong};
use crate::base::limits;
use crate::engine::compare::Of;
use crate::engine::{purge, reclaim};
use crate::entry::order::{Order, Selector};
use crate::jobs::lanes::Pace;
use crate::jobs::registry::{Job, NotGoing, Task};
use crate::jobs::sync::{Reach, Sync};
use crate::jobs::verify::Verify;

pub(super) use told::{
    begun_as, shape_with, told_all, told_cancel, told_one, told_pause, told_resume, told_sync,
    told_verify, told_warm,
};

/// `GET jobs`.
pub(super) async fn all(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
) -> Json<Value> {
    let jobs = admin.jobs.all();
    let own = jobs.iter().filter(|job| caller.sees_of(job.by()));
    let mut jobs: Vec<Value> = own.map(|job| job.told()).collect();
    // Whose purges they belong to is not kept.
    if caller.sees_of("") {
        jobs.extend(reclaim::all(&admin.engine));
    }
    Json(json!({ "jobs": jobs }))
}

/// `GET jobs/{id}`.
pub(super) async fn one(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    told(&admin, &caller, id).map(Json).into_response()
}

fn told(
    admin: &Admin,
    caller: &Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<Value, Refused> {
    let Path(id) = id.map_err(|error| wrong(&error.body_text()))?;
    own(admin, caller, &id)?;
    let told = admin.jobs.one(&id).map(|job| job.told());
    told.or_else(|| reclaim::one(&admin.engine, &id)).ok_or_else(|| unknown(&id))
}

/// Refuses a bound token the jobs of others, and what belongs to purges, of which nobody keeps
/// whose they were.
fn own(admin: &Admin, caller: &Caller, id: &str) -> Result<(), Refused> {
    let job = admin.jobs.one(id);
    if caller.sees_of(job.as_ref().map_or("", |job| job.by())) {
        return Ok(());
    }
    let detail = format!(
        "a token that is bound to selectors sees and ends the jobs alone that it began, and `{id}` \
         is none of them"
    );
    Err(problem(StatusCode::FORBIDDEN, "not-allowed", &detail).into())
}

fn unknown(id: &str) -> Refused {
    let detail = format!("no job `{id}` is known here; `jobs` lists those that are, of this node");
    problem(StatusCode::NOT_FOUND, "no-job", &detail).into()
}

/// `DELETE jobs/{id}`.
pub(super) async fn cancel(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let now = admin.engine.clock.now();
    let cancel = |id: &str| admin.jobs.cancel(id, now);
    changed(&admin, &caller, id, "cancelled", cancel).map(Json).into_response()
}

/// `POST jobs/{id}/pause`.
pub(super) async fn pause(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let hold = |id: &str| admin.jobs.hold(id);
    changed(&admin, &caller, id, "paused", hold).map(Json).into_response()
}

/// `POST jobs/{id}/resume`.
pub(super) async fn resume(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let resume = |id: &str| admin.jobs.resume(id);
    changed(&admin, &caller, id, "resumed", resume).map(Json).into_response()
}

/// Changes how a job stands, and notes who did it.
fn changed(
    admin: &Admin,
    caller: &Caller,
    id: Result<Path<String>, PathRejection>,
    outcome: &str,
    change: impl FnOnce(&str) -> Result<std::sync::Arc<Job>, NotGoing>,
) -> Result<Value, Refused> {
    let Path(id) = id.map_err(|error| wrong(&error.body_text()))?;
    own(admin, caller, &id)?;
    if reclaim::one(&admin.engine, &id).is_some() {
        let detail = "what a purge names is refused already, and only memory is freed behind it";
        return Err(problem(StatusCode::CONFLICT, "no-end", detail).into());
    }
    match change(&id) {
        Ok(job) => {
            admin.audit.note(&admin.engine, caller.name(), "job", &id, outcome);
            Ok(job.told())
        }
        Err(NotGoing::Unknown) => Err(unknown(&id)),
        Err(NotGoing::Ended) => {
            let detail = format!("the job `{id}` has ended already");
            Err(problem(StatusCode::CONFLICT, "job-ended", &detail).into())
        }
    }
}

/// How fast a job may go, as it is asked for.
pub(super) fn pace(rate: Option<u64>, at_once: Option<usize>) -> Result<Pace, Refused> {
    let (rate, at_once) =
        (rate.unwrap_or(limits::JOB_RATE_USUALLY), at_once.unwrap_or(limits::JOB_LANES_USUALLY));
    if !(1..=limits::JOB_RATE_MAX).contains(&rate) {
        let most = limits::JOB_RATE_MAX;
        return Err(wrong(&format!("`rate` is a number of requests a second, 1 to {most}")));
    }
    if !(1..=limits::JOB_LANES_MAX).contains(&at_once) {
        let most = limits::JOB_LANES_MAX;
        return Err(wrong(&format!("`at_once` is a number of requests, 1 to {most}")));
    }
    Ok(Pace::new(rate, at_once))
}

/// Takes a job on, and notes who wanted it.
pub(super) fn begun(
    admin: &Admin,
    caller: &Caller,
    task: Task,
    what: String,
) -> Result<std::sync::Arc<Job>, Refused> {
    let kind = task.kind();
    let job = admin.jobs.add(task, what.clone(), caller.name()).map_err(|full| {
        Refused::from(problem(StatusCode::CONFLICT, "too-many-jobs", &full.to_string()))
    })?;
    admin.audit.note(&admin.engine, caller.name(), kind, &what, job.id());
    Ok(job)
}

/// What is to be compared, as it is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VerifyAsked {
    /// Of what; everything unless said.
    selectors: Vec<String>,
    /// How many entries, evenly taken.
    sample: Option<usize>,
    /// Every entry.
    all: bool,
    /// Where: `l1` (this node's, unless said) or `l2`.
    level: Option<String>,
    /// Purge what differs, on all nodes.
    repair: bool,
    /// Requests in a second, at most.
    rate: Option<u64>,
    /// Requests at once, at most.
    at_once: Option<usize>,
}

/// `POST verify`.
pub(super) async fn verify(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<VerifyAsked>, JsonRejection>,
) -> Response {
    let asked = asked.map_err(|error| wrong(&error.body_text()));
    let job = asked.and_then(|Json(asked)| verifying(&admin, &caller, &asked));
    job.map(|job| (StatusCode::ACCEPTED, Json(job.told()))).into_response()
}

fn verifying(
    admin: &Admin,
    caller: &Caller,
    asked: &VerifyAsked,
) -> Result<std::sync::Arc<Job>, Refused> {
    let most = limits::VERIFY_SAMPLED_MAX;
    let sample = match (asked.sample, asked.all) {
        (Some(_), true) => return Err(wrong("say `sample` or `all`, not both")),
        (None, true) => most,
        (sample, false) => sample.unwrap_or(limits::VERIFY_SAMPLED_USUALLY),
    };
    if !(1..=most).contains(&sample) {
        return Err(wrong(&format!("`sample` is a number of entries, 1 to {most}")));
    }
    let selectors = named(&asked.selectors)?;
    for one in &selectors {
        caller.must_reach(one)?;
    }
    if asked.repair {
        caller.must_reach_keys(&selectors)?;
    }
    let names: Vec<String> = selectors.iter().map(ToString::to_string).collect();
    let repair = if asked.repair { ", repairing" } else { "" };
    let what = format!("{}, at most {sample} entries{repair}", names.join(" "));
    let level = match asked.level.as_deref() {
        None | Some("l1") => Of::L1,
        Some("l2") => Of::L2,
        Some(_) => return Err(wrong("`level` is l1 or l2")),
    };
    let what = if level == Of::L2 { format!("{what}, in the shared level") } else { what };
    let task = Verify {
        level,
        selectors: purge::resolved(&admin.engine, Order::of(selectors)).selectors,
        sample,
        repair: asked.repair,
        pace: pace(asked.rate, asked.at_once)?,
    };
    begun(admin, caller, Task::Verify(task), what)
}

/// What a call names; everything where it names nothing.
fn named(texts: &[String]) -> Result<Vec<Selector>, Refused> {
    if texts.len() > limits::CALL_SELECTORS_MAX {
        let most = limits::CALL_SELECTORS_MAX;
        return Err(wrong(&format!("`selectors` has at most {most} of them")));
    }
    let mut selectors =
        texts.iter().map(|text| selector(text)).collect::<Result<Vec<_>, Refused>>()?;
    if selectors.is_empty() {
        selectors.push(Selector::All);
    }
    Ok(selectors)
}

/// What is to follow its origin, as it is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SyncAsked {
    /// Of what; everything unless said.
    #[schemars(example = ["type:doc"])]
    selectors: Vec<String>,
    /// Requests in a second, at most.
    rate: Option<u64>,
    /// Requests at once, at most.
    at_once: Option<usize>,
}

/// `POST sync`.
pub(super) async fn sync(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<SyncAsked>, JsonRejection>,
) -> Response {
    let asked = asked.map_err(|error| wrong(&error.body_text()));
    let job = asked.and_then(|Json(asked)| syncing(&admin, &caller, &asked));
    job.map(|job| (StatusCode::ACCEPTED, Json(job.told()))).into_response()
}

fn syncing(
    admin: &Admin,
    caller: &Caller,
    asked: &SyncAsked,
) -> Result<std::sync::Arc<Job>, Refused> {
    let selectors = named(&asked.selectors)?;
    caller.must_reach_keys(&selectors)?;
    let names: Vec<String> = selectors.iter().map(ToString::to_string).collect();
    let task = Sync {
        selectors: purge::resolved(&admin.engine, Order::of(selectors)).selectors,
        reach: Reach::Levels,
        pace: pace(asked.rate, asked.at_once)?,
    };
    begun(admin, caller, Task::Sync(task), names.join(" "))
}
