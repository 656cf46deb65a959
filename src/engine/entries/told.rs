//! Entries as operators are told of them. A row is an identity at a glance; a variant is all there
//! is to know of one answer but its body.

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::clock::Timestamp;
use crate::entry::{Entry, Key, resource};
use crate::store::l1::Listed;
use crate::store::redis::fleet::Kept;
use crate::telemetry::access::redacted;

/// One identity of L1, or one frame of the shared level.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Row {
    /// The key, without the values of parameters that usually hold secrets.
    pub key: String,
    /// Scheme and authority, where they count.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub site: String,
    /// The tenant whose it is, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether it is one caller's own.
    pub own: bool,
    /// Its type; empty for the nameless one.
    #[serde(rename = "type")]
    pub kind: String,
    /// The rule that stored it.
    pub rule: Option<String>,
    /// `l1` or `l2`.
    pub level: &'static str,
    /// Seconds of age of the newest variant; nothing where that is sealed.
    pub age: Option<u64>,
    /// Seconds of freshness left of it, negative when stale.
    pub ttl: Option<i64>,
    /// Bytes it takes there, bookkeeping included.
    pub bytes: u64,
    /// Variants that are meant.
    pub variants: usize,
}

/// One stored answer.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Variant {
    /// `l1` or `l2`.
    pub level: &'static str,
    /// Scheme and authority of the identity, where they count.
    pub site: String,
    /// The tenant whose it is, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether it is one caller's own.
    pub own: bool,
    /// Its type; empty for the nameless one.
    #[serde(rename = "type")]
    pub kind: String,
    /// The rule that stored it.
    pub rule: Option<String>,
    /// The absolute URI it was stored for, where that is not the key itself.
    pub target: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its status; this and the times are not known of what is sealed.
    pub status: Option<u16>,
    /// Its `Content-Type`; not known of the shared level.
    pub content_type: Option<String>,
    /// When it was stored, in milliseconds since 1970.
    pub stored_at_ms: Option<u64>,
    /// Seconds of age.
    pub age: Option<u64>,
    /// Seconds of freshness left, negative when stale.
    pub ttl: Option<i64>,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// Bytes it takes there.
    pub bytes: u64,
    /// Names of the request fields that select it.
    pub vary: Vec<String>,
    /// Whether it is sealed there.
    pub sealed: bool,
    /// The last order that was known when its origin was asked, in the shared level.
    pub number: Option<String>,
    /// For how many more seconds Redis keeps it.
    pub kept: Option<u64>,
}

/// Whether an identity is one caller's.
pub(super) fn is_own(key: &Key) -> bool {
    !matches!(key.caller(), "" | "*")
}

impl Row {
    pub(super) fn held(listed: &Listed, now: Timestamp) -> Self {
        let Listed { key, entries } = listed;
        let newest = entries.iter().max_by_key(|entry| entry.stamp.stored_at);
        let place = newest.map(|entry| &entry.labels.place);
        Self {
            key: redacted(key.text()).into_owned(),
            site: key.site().to_owned(),
            tenant: key.tenant().map(str::to_owned),
            own: is_own(key),
            kind: place.map(|place| place.kind.to_string()).unwrap_or_default(),
            rule: place.and_then(|place| place.rule.as_deref().map(str::to_owned)),
            level: "l1",
            age: newest.map(|entry| entry.stamp.age(now).as_secs()),
            ttl: newest.map(|entry| entry.stamp.left(now)),
            bytes: entries.iter().map(|entry| entry.cost()).sum(),
            variants: entries.len(),
        }
    }

    pub(super) fn shared(kept: &Kept, now: Timestamp) -> Self {
        let stamp = kept.stamp.as_ref().map(|(stamp, _)| stamp);
        Self {
            key: redacted(kept.key.text()).into_owned(),
            site: kept.key.site().to_owned(),
            tenant: kept.key.tenant().map(str::to_owned),
            own: is_own(&kept.key),
            kind: kept.kind.clone(),
            rule: kept.rule.clone(),
            level: "l2",
            age: stamp.map(|stamp| stamp.age(now).as_secs()),
            ttl: stamp.map(|stamp| stamp.left(now)),
            bytes: kept.bytes,
            variants: 1,
        }
    }
}

impl Variant {
    pub(super) fn held(key: &Key, entry: &Entry, now: Timestamp) -> Self {
        let Entry { head, body, stamp, selecting, labels, .. } = entry;
        let content_type = head.lines().find(|(name, _)| **name == http::header::CONTENT_TYPE);
        let content_type =
            content_type.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        Self {
            level: "l1",
            site: key.site().to_owned(),
            tenant: key.tenant().map(str::to_owned),
            own: is_own(key),
            kind: labels.place.kind.to_string(),
            rule: labels.place.rule.as_deref().map(str::to_owned),
            target: labels.target.as_deref().map(|target| redacted(target).into_owned()),
            tags: resource::given(&labels.tags).map(ToString::to_string).collect(),
            status: Some(head.status().as_u16()),
            content_type,
            stored_at_ms: Some(stamp.stored_at.as_millis()),
            age: Some(stamp.age(now).as_secs()),
            ttl: Some(stamp.left(now)),
            body_bytes: body.len(),
            bytes: entry.cost(),
            vary: selecting.names().iter().map(ToString::to_string).collect(),
            sealed: false,
            number: None,
            kept: None,
        }
    }

    pub(super) fn shared(kept: &Kept, now: Timestamp) -> Self {
        let stamp = kept.stamp.as_ref().map(|(stamp, _)| stamp);
        Self {
            level: "l2",
            site: kept.key.site().to_owned(),
            tenant: kept.key.tenant().map(str::to_owned),
            own: is_own(&kept.key),
            kind: kept.kind.clone(),
            rule: kept.rule.clone(),
            target: kept.target.as_deref().map(|target| redacted(target).into_owned()),
            tags: resource::given(&kept.tags).cloned().collect(),
            status: kept.stamp.as_ref().map(|(_, status)| status.as_u16()),
            content_type: None,
            stored_at_ms: stamp.map(|stamp| stamp.stored_at.as_millis()),
            age: stamp.map(|stamp| stamp.age(now).as_secs()),
            ttl: stamp.map(|stamp| stamp.left(now)),
            body_bytes: kept.body_bytes,
            bytes: kept.bytes,
            vary: kept.selecting.clone(),
            sealed: kept.sealed,
            number: Some(kept.number.to_string()),
            kept: Some(kept.kept_ms / 1_000),
        }
    }
}
