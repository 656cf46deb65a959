//! `GET events`: what happened lately, and with `follow=1` what happens from then on, one JSON
//! object a line.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time::{Instant, interval_at};

use crate::admin::door::{Caller, problem};
use crate::admin::entries::{Pairs, Parameters, Refused, wrong};
use crate::admin::openapi::{Told, such_as, text, word};
use crate::admin::tokens::Role;
use crate::admin::{Admin, top};
use crate::base::limits;
use crate::entry::order::Glob;
use crate::telemetry::event::WORDS;
use crate::telemetry::recent::{Follower, Line, Wanted};

const NDJSON: &str = "application/x-ndjson";

/// What only who may change the node is told: by whom it was changed.
const AUDIT: &str = "AUDIT";

/// `GET events`.
pub(super) async fn events(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    pairs: Pairs,
) -> Response {
    told(&admin, &caller, pairs).into_response()
}

fn told(admin: &Admin, caller: &Caller, pairs: Pairs) -> Result<Response, Refused> {
    let asked = Parameters::read(pairs, &["kind", "key", "limit", "follow"], &[])?;
    let most = asked.limit()?;
    let wanted = wanted(caller, asked.one("kind"), asked.one("key"))?;
    let recent = &admin.engine.telemetry.recent;
    let body = match asked.one("follow") {
        None | Some("0") => Body::from(recent.last(&wanted, most)),
        Some("1") => {
            let follower = recent.follow(wanted, most).ok_or_else(|| {
                let most = limits::EVENT_FOLLOWERS_MAX;
                let detail = format!("{most} follow already, and no more may");
                problem(StatusCode::SERVICE_UNAVAILABLE, "too-many-followers", &detail)
            })?;
            flowing(admin, caller, follower)
        }
        Some(_) => return Err(wrong("`follow` is 0 or 1")),
    };
    let kind = HeaderValue::from_static(NDJSON);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

fn wanted(caller: &Caller, kinds: Option<&str>, key: Option<&str>) -> Result<Wanted, Refused> {
    let mut words = Vec::new();
    for kind in kinds.into_iter().flat_map(|kinds| kinds.split(',')) {
        let known = WORDS.iter().find(|word| word.eq_ignore_ascii_case(kind.trim()));
        let all = || wrong(&format!("`kind`: `{kind}` is none of {}", WORDS.join(", ")));
        words.push(*known.ok_or_else(all)?);
    }
    let may_all = caller.must_be(Role::Operate, "sees who changed what");
    if words.contains(&AUDIT) {
        may_all?;
    } else if may_all.is_err() && words.is_empty() {
        words = WORDS.into_iter().filter(|word| *word != AUDIT).collect();
    }
    let glob = key.map(Glob::new);
    let fits = move |line: &Line| glob.as_ref().is_none_or(|glob| is_about(line, glob));
    Ok(Wanted { words, fits: Box::new(fits) })
}

/// Whether a line is about a key that fits, as it is told; a purge is about each key, prefix or
/// other text that it named.
fn is_about(line: &Line, glob: &Glob) -> bool {
    if line.word != "PURGE" {
        return !line.subject.is_empty() && glob.matches(&line.subject);
    }
    let mut named = line.subject.split(' ');
    named.any(|one| glob.matches(one.split_once(':').map_or(one, |(_, text)| text)))
}

/// Lines as they come, until the token that asked for them is taken out. An empty one now and then
/// shows both ends whether the other is there.
fn flowing(admin: &Admin, caller: &Caller, follower: Follower) -> Body {
    let (admin, token) = (admin.clone(), caller.token.clone());
    let every = limits::EVENTS_PULSE.to_duration();
    let mut pulse = interval_at(Instant::now() + every, every);
    let follower = Arc::new(follower);
    Body::from_stream(stream::poll_fn(move |cx| {
        let next = match follower.poll_lines(cx) {
            Poll::Ready(lines) => Poll::Ready(Bytes::from(lines)),
            Poll::Pending => pulse.poll_tick(cx).map(|_| Bytes::from_static(b"\n")),
        };
        let may = || token.as_ref().is_none_or(|token| admin.tokens.is_in_force(token));
        next.map(|bytes| may().then_some(Ok::<_, Infallible>(bytes)))
    }))
}

/// What `GET events` tells of itself.
pub(super) fn told_events() -> Told {
    let about = "one JSON object a line: `at`, `event` and the members of its line in the event \
                 log; `{\"lost\": 3}` where a reader was too slow, and an empty line now and then";
    let key = "Only what is about keys that fit; `*` is any run of characters.";
    let kinds = format!("Words of events, separated by commas: {}.", WORDS.join(", "));
    Told::of("What happened lately, and what happens from then on.")
        .parameter("kind", such_as(text(&kinds), "PURGE,FAULT"))
        .parameter("key", such_as(text(key), "doc:*"))
        .parameter("limit", top::limit())
        .parameter("follow", word("`1`: go on with what happens.", &["0", "1"]))
        .judges()
        .answers_as(StatusCode::OK, about, NDJSON, text("Lines."))
        .refuses(StatusCode::FORBIDDEN, "not-allowed", "`AUDIT` is for the role `operate`")
        .refuses(StatusCode::SERVICE_UNAVAILABLE, "too-many-followers", "too many follow already")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_is_about_what_it_named() {
        let line = |word: &'static str, subject: &str| Line {
            word,
            subject: subject.to_owned(),
            text: String::new(),
        };
        let purge = line("PURGE", "url:http://h/a key:doc:1 tag:docs");
        for (glob, is) in [("doc:*", true), ("docs", true), ("http://h/*", true), ("doc", false)] {
            assert_eq!(is_about(&purge, &Glob::new(glob)), is, "{glob}");
        }
        assert!(is_about(&line("HIT", "doc:1"), &Glob::new("doc:*")));
        assert!(!is_about(&line("FAULT", ""), &Glob::new("*")));
    }
}
