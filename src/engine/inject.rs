//! The `_cache` member that some clients of hand-written caches read: `{"hit","ttl","key"}` in
//! answers that are JSON objects with status 200. Any other answer passes as it is. The body is no
//! longer the origin's, so strong validators go out weak, digests go, and ranges are not offered.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::base::limits;
use crate::engine::fetch;
use crate::engine::flight::SharedHead;
use crate::engine::reply::{Pieces, Reply};
use crate::engine::stream::Reader;
use crate::engine::transit::{Account, Answer};
use crate::entry::Entry;
use crate::origin::{self, InBody, Whole};
use crate::rules::Role;

/// Fields that speak of the bytes as the origin sent them, beside their length.
const OF_THE_BYTES: [HeaderName; 5] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    header::ACCEPT_RANGES,
];

/// The answer of a stored entry with the member in it; `None` where it does not apply.
pub(super) fn stored(
    name: &str,
    entry: &Entry,
    fields: &HeaderMap,
    account: &Account,
) -> Option<Answer> {
    if !applies(entry.head.status(), fields) || entry.body.len() > limit(account) {
        return None;
    }
    let body = with_member(name, &entry.body.to_bytes(), account)?;
    Some(answer(entry.head.status(), fields.clone(), body, account.clone()))
}

/// The answer of a running fetch with the member in it. The body is held back up to the limit; one
/// that is longer, breaks off or is no object goes out as it is.
pub(super) async fn streamed(
    name: &str,
    head: &SharedHead,
    fields: HeaderMap,
    mut reader: Reader,
    account: Account,
) -> Answer {
    let status = head.status;
    let limit = limit(&account);
    let too_long = head.len.is_some_and(|len| len > limit);
    if too_long || !applies(status, &fields) {
        let reply = Reply::Shared { reader, len: head.len };
        return Answer { status, fields, reply, account };
    }
    let mut held: Vec<Bytes> = Vec::new();
    let mut len = 0;
    let ended = loop {
        match std::future::poll_fn(|context| reader.poll_next(context)).await {
            None => break true,
            Some(Ok(bytes)) => {
                len += bytes.len() as u64;
                held.push(bytes);
            }
            Some(Err(_)) => break false,
        }
        if len > limit {
            break false;
        }
    };
    let body = ended.then(|| with_member(name, &held.concat(), &account)).flatten();
    if let Some(body) = body {
        return answer(status, fields, body, account);
    }
    // The reader tells the end again, whichever it was.
    let reply = Reply::Continued(Pieces::many(held), reader);
    Answer { status, fields, reply, account }
}

/// An answer that is the origin's to this client alone, with the member in it where a read is
/// answered. The body is held back as in [`streamed`].
pub(super) async fn passed(method: &Method, head: Parts, body: InBody, account: Account) -> Answer {
    let (status, mut fields) = (head.status, head.headers);
    let name = account.route.as_ref().and_then(|route| {
        let reads = matches!(route.role(method), Role::Read | Role::BodyRead);
        route.inject.clone().filter(|_| reads && applies(status, &fields))
    });
    let Some(name) = name else {
        return Answer { status, fields, reply: Reply::Origin(Box::new(body)), account };
    };
    if *method == Method::HEAD {
        without_body(&mut fields, &account);
        return Answer { status, fields, reply: Reply::empty(), account };
    }
    let read = origin::whole(body, limit(&account)).await;
    let bytes = read.as_ref().ok().and_then(Whole::bytes);
    match bytes.and_then(|bytes| with_member(&name, &bytes, &account)) {
        Some(body) => answer(status, fields, body, account),
        None => Answer { status, fields, reply: Reply::from(read), account },
    }
}

/// The head of an answer whose body is not at hand, as it would be with the member in the body. How
/// long that would be is not known.
pub(super) fn head(status: StatusCode, fields: &mut HeaderMap, account: &Account) {
    let injects = account.route.as_ref().is_some_and(|route| route.inject.is_some());
    if injects && applies(status, fields) {
        without_body(fields, account);
    }
}

fn without_body(fields: &mut HeaderMap, account: &Account) {
    if fetch::declared_len(fields).is_none_or(|len| len <= limit(account)) {
        rewrite(fields);
        fields.remove(header::CONTENT_LENGTH);
    }
}

/// The longest body that is held back.
fn limit(account: &Account) -> u64 {
    account.route.as_ref().map_or(limits::JSON_BYTES_MAX, |route| route.json_max)
}

fn applies(status: StatusCode, fields: &HeaderMap) -> bool {
    let json = fields.get(header::CONTENT_TYPE).is_some_and(|value| {
        let media = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
        let media = media.trim_ascii().to_ascii_lowercase();
        media == b"application/json" || media.ends_with(b"+json")
    });
    status == StatusCode::OK && json && !fields.contains_key(header::CONTENT_ENCODING)
}

fn answer(status: StatusCode, mut fields: HeaderMap, body: Bytes, account: Account) -> Answer {
    rewrite(&mut fields);
    fields.insert(header::CONTENT_LENGTH, body.len().into());
    Answer { status, fields, reply: Reply::text(body), account }
}

/// Takes from a head what is not true of the new body.
fn rewrite(fields: &mut HeaderMap) {
    for name in OF_THE_BYTES {
        fields.remove(name);
    }
    // The body has a length now, and nothing follows it.
    fields.remove(header::TRAILER);
    if let Some(etag) = fields.get(header::ETAG)
        && !etag.as_bytes().starts_with(b"W/")
    {
        let weak = [b"W/", etag.as_bytes()].concat();
        if let Ok(weak) = HeaderValue::from_bytes(&weak) {
            fields.insert(header::ETAG, weak);
        }
    }
}

/// The object with the member as its last one. The other bytes stay as the origin wrote them.
fn with_member(name: &str, body: &[u8], account: &Account) -> Option<Bytes> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    if object.contains_key(name) {
        return None;
    }
    let end = body.iter().rposition(|b| *b == b'}')?;
    let member = serde_json::json!({
        "hit": account.outcome.is_hit(),
        "ttl": account.ttl.unwrap_or(0).max(0),
        "key": account.key.as_ref().map(crate::entry::Key::text),
    });
    let comma = if object.is_empty() { "" } else { "," };
    let name = serde_json::Value::from(name);
    let mut out = body.get(..end)?.trim_ascii_end().to_vec();
    out.extend_from_slice(format!("{comma}{name}:{member}").as_bytes());
    out.extend_from_slice(body.get(end..)?);
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::transit::Outcome;

    #[test]
    fn the_member_comes_last_and_other_bytes_stay() {
        let account = Account { outcome: Outcome::Hit, ttl: Some(284), ..Account::default() };
        let with = |body: &str| {
            with_member("_cache", body.as_bytes(), &account)
                .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(
            with("{\"a\": 1.0 }\n").unwrap(),
            "{\"a\": 1.0,\"_cache\":{\"hit\":true,\"ttl\":284,\"key\":null}}\n"
        );
        assert!(with("{}").unwrap().starts_with("{\"_cache\""));
        assert_eq!(with("[1]"), None);
        assert_eq!(with("{\"_cache\":1}"), None);
        assert_eq!(with("{"), None);
    }
}
