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
/// What becomes of what a PURGE names: `delete` or `soft`.
pub const X_PURGE: HeaderName = HeaderName::from_static("x-purge");
/// Selectors of a PURGE, one a line.
pub const X_PURGE_SELECTOR: HeaderName = HeaderName::from_static("x-purge-selector");
/// Tags of an answer or a PURGE, separated by spaces.
pub const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
/// The same under the name that Varnish gave it.
pub const XKEY: HeaderName = HeaderName::from_static("xkey");
/// Tags of an answer or a PURGE, separated by commas.
pub const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
/// The groups that an answer belongs to (RFC 9875, 2).
pub const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
/// The groups that a write has changed (RFC 9875, 3).
pub const CACHE_GROUP_INVALIDATION: HeaderName =
    HeaderName::from_static("cache-group-invalidation");
/// With what the tag begins that a resource has by itself; no field and no rule can give it.
pub const RESOURCE_MARK: char = '>';
/// Under which a call may be repeated (draft-ietf-httpapi-idempotency-key-header).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
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
/// The root of all APIs; the replaced systems' calls stand behind it too.
pub const API_ROOT: &str = "/api/v1";
/// The root of the admin API.
pub const ADMIN_ROOT: &str = "/api/v1/admin";

/// Where scrapers find the metrics.
pub const METRICS: &str = "/metrics";

/// Begins every variable of the environment that is a setting: `CISTERN_L1__SIZE`.
pub const VARIABLE_PREFIX: &str = "CISTERN_";
/// Stands for `--config`.
pub const CISTERN_CONFIG: &str = "CISTERN_CONFIG";
/// The token that the command line shows to the admin API.
pub const CISTERN_ADMIN_TOKEN: &str = "CISTERN_ADMIN_TOKEN";
/// Where the command line finds the admin API.
pub const CISTERN_ADMIN_URL: &str = "CISTERN_ADMIN_URL";
/// The key ring that seals entries of the shared level.
pub const CISTERN_KEY: &str = "CISTERN_KEY";
/// A file with the key ring.
pub const CISTERN_KEY_FILE: &str = "CISTERN_KEY_FILE";
/// Address, login and database of the shared level.
pub const REDIS_URL: &str = "REDIS_URL";
/// A file with that URL.
pub const REDIS_URL_FILE: &str = "REDIS_URL_FILE";
/// The shared level's server, where no URL is given.
pub const REDIS_HOST: &str = "REDIS_HOST";
/// Its port.
pub const REDIS_PORT: &str = "REDIS_PORT";
/// The database.
pub const REDIS_DB: &str = "REDIS_DB";
/// The password.
pub const REDIS_PASSWORD: &str = "REDIS_PASSWORD";
/// A file with the password.
pub const REDIS_PASSWORD_FILE: &str = "REDIS_PASSWORD_FILE";
/// The lifetime that rules do not name, in seconds.
pub const REDIS_CACHE_TTL: &str = "REDIS_CACHE_TTL";
/// The most connections to one server.
pub const REDIS_MAX_CONNECTIONS: &str = "REDIS_MAX_CONNECTIONS";
/// The most that connecting may take, in seconds.
pub const REDIS_POOL_TIMEOUT: &str = "REDIS_POOL_TIMEOUT";
/// How often entries are compared with the origin, in seconds.
pub const REDIS_SYNC_INTERVAL: &str = "REDIS_SYNC_INTERVAL";
/// The prefix of types that name none.
pub const CACHE_PREFIX: &str = "CACHE_PREFIX";

/// The variables that are no key of the settings file, in the order of the README.
pub const VARIABLES: [&str; 17] = [
    REDIS_URL,
    REDIS_URL_FILE,
    REDIS_HOST,
    REDIS_PORT,
    REDIS_DB,
    REDIS_PASSWORD,
    REDIS_PASSWORD_FILE,
    REDIS_POOL_TIMEOUT,
    REDIS_MAX_CONNECTIONS,
    REDIS_CACHE_TTL,
    CACHE_PREFIX,
    REDIS_SYNC_INTERVAL,
    CISTERN_KEY,
    CISTERN_KEY_FILE,
    CISTERN_CONFIG,
    CISTERN_ADMIN_URL,
    CISTERN_ADMIN_TOKEN,
];
