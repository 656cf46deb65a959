//! The call that has answers fetched before anybody asks for them.

use std::ops::Range;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::admin::Admin;
use crate::admin::door::Caller;
use crate::admin::entries::{Refused, wrong};
use crate::admin::jobs::{begun, pace};
use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::base::units::Span;
use crate::engine::ahead::Target;
use crate::entry::order::Selector;
use crate::jobs::ranges::Template;
use crate::jobs::registry::{Job, Task};
use crate::jobs::warm::Warm;
use crate::policy::date;

/// What is to be warm, as it is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// Absolute URLs, the important ones first.
    #[schemars(example = ["http://shop.example/a"])]
    urls: Vec<String>,
    /// A URL with names in braces.
    template: Option<String>,
    /// What stands for each name: a first and a last number or day.
    ranges: Map<String, Value>,
    /// What is asked for most and is not fresh.
    hot: bool,
    /// What stands of this type and is not fresh.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Of a type, what was stored or made between two days.
    dated: Option<Days>,
    /// Requests in a second, at most.
    rate: Option<u64>,
    /// Requests at once, at most.
    at_once: Option<usize>,
}

/// A span of days, both included; an end that is left out is none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Days {
    /// The first.
    pub(super) from: Option<String>,
    /// The last.
    pub(super) to: Option<String>,
}

/// `POST warm`.
pub(super) fn warm() -> MethodRouter<Admin> {
    post(ask).layer(DefaultBodyLimit::max(limits::WARM_BYTES_MAX))
}

async fn ask(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let asked = asked.map_err(|error| wrong(&error.body_text()));
    let job = asked.and_then(|Json(asked)| warming(&admin, &caller, &asked));
    job.map(|job| (StatusCode::ACCEPTED, Json(job.told()))).into_response()
}

fn warming(admin: &Admin, caller: &Caller, asked: &Asked) -> Result<Arc<Job>, Refused> {
    let Asked { urls, template, ranges, hot, kind, dated, .. } = asked;
    let ways = [!urls.is_empty(), template.is_some(), *hot, kind.is_some()];
    if ways.iter().filter(|said| **said).count() != 1 {
        return Err(wrong("say one of `urls`, `template` with `ranges`, `hot` and `type`"));
    }
    if template.is_none() && !ranges.is_empty() {
        return Err(wrong("`ranges` belongs to a `template`"));
    }
    if kind.is_none() && dated.is_some() {
        return Err(wrong("`dated` belongs to a `type`"));
    }
    let pace = pace(asked.rate, asked.at_once)?;
    if let Some(kind) = kind {
        let job = of_type(admin, caller, kind, dated.as_ref(), pace)?;
        return Ok(job);
    }
    let (task, what) = if let Some(text) = template {
        let template = Template::read(text, ranges).map_err(|why| wrong(&why.to_string()))?;
        let first = template.url(0).unwrap_or_default();
        Target::of_url(&first).map_err(|why| wrong(&format!("`template`: {why}")))?;
        reaches_everything(caller)?;
        let what = format!("{text}: {} URLs", template.total());
        (Warm::of_template(template, pace), what)
    } else if *hot {
        reaches_everything(caller)?;
        (Warm::of_hot(pace), "the hottest keys".to_owned())
    } else {
        let what = format!("{} URLs", urls.len());
        (Warm::of_urls(targets(caller, urls)?, pace), what)
    };
    begun(admin, caller, Task::Warm(task), what)
}

/// A token that is bound to a part of the keys may not have others fetched.
fn reaches_everything(caller: &Caller) -> Result<(), Refused> {
    caller.must_reach(&Selector::All).map_err(Refused::from)
}

fn targets(caller: &Caller, urls: &[String]) -> Result<Vec<Target>, Refused> {
    let most = limits::WARM_NAMED_MAX;
    if urls.len() > most {
        let remedy = "take them in parts, or make them by a `template`";
        return Err(wrong(&format!("`urls` has at most {most} of them; {remedy}")));
    }
    let mut all = Vec::with_capacity(urls.len());
    for url in urls {
        let target = Target::of_url(url).map_err(|why| wrong(&format!("`{url}`: {why}")))?;
        caller.must_reach(&Selector::Url(target.uri().to_owned()))?;
        all.push(target);
    }
    Ok(all)
}

/// Has what stands of a type and is old fetched anew.
pub(super) fn of_type(
    admin: &Admin,
    caller: &Caller,
    kind: &str,
    dated: Option<&Days>,
    pace: crate::jobs::lanes::Pace,
) -> Result<Arc<Job>, Refused> {
    let book = admin.engine.book.load();
    if kind.is_empty() || !book.rules.kinds.iter().any(|known| *known.name == *kind) {
        return Err(wrong(&format!("the rules have no type `{kind}`")));
    }
    caller.must_reach(&Selector::Type(kind.to_owned()))?;
    let span = dated.map(Days::span).transpose().map_err(wrong)?;
    let text = |end: Option<&String>| end.map_or("", String::as_str).to_owned();
    let what = match dated {
        None => format!("type {kind}"),
        Some(Days { from, to }) => {
            format!("type {kind}, {} to {}", text(from.as_ref()), text(to.as_ref()))
        }
    };
    begun(admin, caller, Task::Warm(Warm::of_type(kind, span, pace)), what)
}

impl Days {
    fn span(&self) -> Result<Range<Timestamp>, &'static str> {
        let day = |text: &str| -> Result<Timestamp, &'static str> {
            let days = date::day(text).and_then(|days| u64::try_from(days).ok());
            let days = days.ok_or("a day is such as 2026-01-31, from 1970 on")?;
            Ok(Timestamp::from_secs(days * DAY.as_secs()))
        };
        let from = self.from.as_deref().map_or(Ok(Timestamp::from_secs(0)), day)?;
        let last = self.to.as_deref().map(day).transpose()?;
        let until = last.map_or(Timestamp::from_millis(u64::MAX), |last| last.plus(DAY));
        if from >= until {
            return Err("the last day is before the first");
        }
        Ok(from..until)
    }
}

const DAY: Span = Span::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_days_are_in_the_span() {
        let days = |from: Option<&str>, to: Option<&str>| {
            Days { from: from.map(str::to_owned), to: to.map(str::to_owned) }.span()
        };
        let span = days(Some("1970-01-02"), Some("1970-01-02")).unwrap();
        assert_eq!(span, Timestamp::from_secs(86_400)..Timestamp::from_secs(2 * 86_400));
        assert!(days(None, None).unwrap().contains(&Timestamp::from_secs(1 << 40)));
        assert!(days(Some("1970-01-02"), Some("1970-01-01")).unwrap_err().contains("before"));
        assert!(days(Some("2026-02-30"), None).unwrap_err().contains("such as"));
    }
}
