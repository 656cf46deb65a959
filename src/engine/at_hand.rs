//! The short way of a hit: a stored answer that may go out as it is, written as bytes. No field map
//! is built and nothing waits. What it cannot say goes the long way, which says the same where both
//! can.

use std::fmt;
use std::sync::Arc;

use http::{Method, StatusCode, header};

use crate::base::names;
use crate::engine::Engine;
use crate::engine::admit::Plan;
use crate::engine::lookup::{self, Look};
use crate::engine::marks::Marks;
use crate::engine::metering;
use crate::engine::reply::Pieces;
use crate::engine::respond::{self, OUR_VIA};
use crate::engine::transit::{Account, Outcome, Transit};
use crate::entry::{Body, Entry};
use crate::policy::answer::Digits;
use crate::policy::{self, date};

/// Appends the head of a stored answer to `out` and gives its body, if there is one that is fresh
/// and answers the request whole.
pub(super) fn answer(
    engine: &Arc<Engine>,
    transit: &Transit,
    plan: &Plan,
    closes: bool,
    out: &mut Vec<u8>,
) -> Option<Pieces> {
    if transit.marks.has(Marks::CONDITIONS)
        || plan.routed.route.as_ref().is_some_and(|route| route.inject.is_some())
    {
        return None;
    }
    let now = transit.at;
    let Look::Fresh(entry) = lookup::look_at(engine, transit, plan, now) else { return None };
    let status = entry.head.status();
    if !may_have_body(status) {
        return None;
    }
    let coded = lookup::coded(transit, plan, &entry);
    // What is longer than a segment is sent by the rules of memory.
    let body = match coded.unwrap_or(&entry.body).segments() {
        segments if segments.is_empty() || transit.parts.method == Method::HEAD => {
            Pieces::default()
        }
        [one] => Pieces::one(one.clone()),
        _ => return None,
    };
    let account = lookup::account_at(plan, &entry, Outcome::Hit, now);
    write_fields(engine, transit, &entry, coded, &account, out);
    if closes {
        line(out, header::CONNECTION.as_str(), b"close");
    }
    out.extend_from_slice(b"\r\n");
    respond::tell(engine, &account, now);
    engine.hot.note(transit.id, &account);
    let micros = transit.micros();
    metering::ready(engine, &account, micros);
    respond::sent_whole(engine, transit, &account, status, (micros, body.left()));
    Some(body)
}

/// Answers of these statuses have a length, which may be zero.
fn may_have_body(status: StatusCode) -> bool {
    !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}

fn write_fields(
    engine: &Engine,
    transit: &Transit,
    entry: &Entry,
    coded: Option<&Body>,
    account: &Account,
    out: &mut Vec<u8>,
) {
    let options = &engine.options;
    write_status(entry.head.status(), out);
    let (mut has_date, mut tells_coding) = (false, false);
    for (name, value) in entry.head.lines() {
        has_date |= name == header::DATE;
        // These are said anew, once.
        let ours = name == header::AGE
            || name == header::CONTENT_LENGTH
            || (options.x_cache && name == names::X_CACHE)
            || (coded.is_some() && policy::coded::is_of_plain(name));
        if coded.is_some() && name == header::VARY {
            tells_coding |= policy::coded::tells_coding(value);
        }
        if !ours {
            line(out, name.as_str(), value);
        }
    }
    if !has_date {
        line(out, header::DATE.as_str(), date::write(transit.at).as_bytes());
    }
    if coded.is_some() {
        line(out, header::CONTENT_ENCODING.as_str(), policy::coded::CODING.as_bytes());
        if !tells_coding {
            line(out, header::VARY.as_str(), policy::coded::VARIES_BY.as_bytes());
        }
    }
    let len = Digits::of(coded.unwrap_or(&entry.body).len());
    line(out, header::CONTENT_LENGTH.as_str(), len.as_str().as_bytes());
    line(out, header::AGE.as_str(), Digits::of(account.age.unwrap_or(0)).as_str().as_bytes());
    if respond::tells_status(engine, transit) {
        out.extend_from_slice(names::CACHE_STATUS.as_str().as_bytes());
        out.extend_from_slice(b": ");
        // Writing to a Vec cannot fail.
        respond::cache_status(engine, account, |status| status.tell(&mut Text(out)))
            .unwrap_or_default();
        out.extend_from_slice(b"\r\n");
    }
    if options.x_cache {
        line(out, names::X_CACHE.as_str(), account.outcome.as_x_cache().as_bytes());
    }
    if options.via {
        line(out, header::VIA.as_str(), OUR_VIA.as_bytes());
    }
}

fn write_status(status: StatusCode, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
