//! The fields that an entry keeps of an answer. Order and repetition of lines survive; what was
//! meant for one hop, one client or one moment must not.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{Exchange, Keep};
use crate::base::fields;
use crate::base::names;
use crate::policy::date;
use crate::policy::law::{CookieStrip, Law};
use crate::policy::manner::Manner;
use crate::policy::validate::append_all;

/// The fields that go into the entry: those of the answer without what is meant for one hop, what
/// [`Keep::omit`] names, cookies that are not kept, `Age`, and this cache's own word in
/// `Cache-Status`. A `Date` that is missing or no date becomes the time of receipt, once and for
/// all (RFC 9110, 6.6.1).
pub fn stored_fields(x: &Exchange<'_>, keep: &Keep, law: &Law, manner: &Manner) -> HeaderMap {
    let mut fields = x.response.clone();
    fields::strip_hop_by_hop(&mut fields);
    // An entry has no trailers, so nothing may announce them.
    fields.remove(header::TRAILER);
    fields.remove(header::AGE);
    for name in &keep.omit {
        fields.remove(name);
    }
    strip_cookies(&mut fields, law, manner);
    strip_own_status(&mut fields);
    if date::field(&fields, &header::DATE, x.answered_at).is_none() {
        fields.insert(header::DATE, date::write(keep.stamp.date));
    }
    in_order_of(x.response, &fields)
}

/// What is left of an answer, in the order that it came in: taking fields out of a map moves others
/// into their places.
fn in_order_of(response: &HeaderMap, left: &HeaderMap) -> HeaderMap {
    let mut ordered = HeaderMap::with_capacity(left.keys_len());
    let added = left.keys().filter(|name| !response.contains_key(*name));
    for name in response.keys().chain(added) {
        append_all(&mut ordered, name, left);
    }
    ordered
}

fn strip_cookies(fields: &mut HeaderMap, law: &Law, manner: &Manner) {
    if manner.store_set_cookie && law.strip_cookies == CookieStrip::None {
        return;
    }
    retain(fields, &header::SET_COOKIE, |line| {
        manner.store_set_cookie && law.keeps_cookie(line.as_bytes())
    });
}

/// A member of ours tells about one request, not about the answer. Those of caches behind us stay
/// (RFC 9211, 2).
fn strip_own_status(fields: &mut HeaderMap) {
    let own = |line: &HeaderValue| fields::split(line.as_bytes()).any(is_own);
    if !fields.get_all(names::CACHE_STATUS).iter().any(own) {
        return;
    }
    let foreign: Vec<_> = fields::members(fields, &names::CACHE_STATUS)
        .filter(|member| !is_own(member))
        .filter_map(|member| HeaderValue::from_bytes(member).ok())
        .collect();
    fields.remove(names::CACHE_STATUS);
    for member in foreign {
        fields.append(names::CACHE_STATUS, member);
    }
}

fn is_own(member: &[u8]) -> bool {
    let name = member.split(|byte| *byte == b';').next().unwrap_or_default();
    name.trim_ascii() == names::SELF.as_bytes()
}

fn retain(fields: &mut HeaderMap, name: &HeaderName, keeps: impl Fn(&HeaderValue) -> bool) {
    let kept: Vec<_> = fields.get_all(name).iter().filter(|line| keeps(line)).cloned().collect();
    fields.remove(name);
    for line in kept {
        fields.append(name.clone(), line);
    }
}
