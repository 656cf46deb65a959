//! Every name that is seen from outside: header fields, environment, media types. A test compares
//! them with the README, so that neither drifts.

use http::HeaderName;

/// How cistern calls itself in `Via` and `Cache-Status`.
pub const SELF: &str = "cistern";
/// RFC 9211.
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// RFC 9213, the targeted field for caches of a CDN; first in the default target list.
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
/// The older targeted field, of a W3C note, read in the way of RFC 9213.
pub const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
/// The traditional one-word outcome; off unless `compat.x_cache` is set.
pub const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
/// RFC 9111 4.4 does not name it; every reverse proxy's users expect it.
pub const PURGE: &str = "PURGE";
/// Selectors of a PURGE, one a line.
pub const X_PURGE_SELECTOR: HeaderName = HeaderName::from_static("x-purge-selector");
/// Tags of a PURGE, separated by spaces.
pub const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
/// Tags of a PURGE, separated by commas.
pub const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
/// The address a request came from, nearest last.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme the client used.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host the client asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The address of the client alone.
pub const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The media type of answers that cistern makes itself (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The root of the admin API.
pub const ADMIN_ROOT: &str = "/api/v1/admin";
