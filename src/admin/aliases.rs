//! The calls of systems that this one replaces, answered in their own field names, so that programs
//! which make them need no change. `gad` says its keys without their prefix, `fmgo` bounds a
//! pattern to a type. All of them are purges and numbers that other calls have too, behind the
//! same roles, and only where `compat.aliases` wants them.

mod told;

use axum::Extension;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Json, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get, post};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::door::{Caller, problem};
use crate::admin::entries::{Refused, wrong};
use crate::admin::{Admin, jobs, purge, stats, warm};
use crate::base::limits;
use crate::engine::Engine;
use crate::engine::ordering::Patience;
use crate::engine::purge::How;
use crate::engine::reclaim;
use crate::engine::tried::tried;
use crate::entry::order::{Glob, Order, Selector};
use crate::rules::Kind;
use crate::telemetry::meter::Served;

pub(super) use told::told;

/// Whose calls are answered, and how they are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    /// The type whose prefix stands before the keys of `gad`; none: its calls are refused.
    pub gad_type: Option<String>,
    /// Whether the proxy's port answers them too.
    pub on_proxy: bool,
}

/// What a call is answered with: its status, and the members that its system knows.
type Told = Result<(StatusCode, Json<Value>), Refused>;

/// What answers the call of this name.
pub(super) fn handler(name: &str) -> Option<MethodRouter<Admin>> {
    Some(match name {
        "/cache/stats" => get(numbers),
        "/cache/invalidate/{*key}" => post(one_key),
        "/cache/invalidate-pattern/{*pattern}" => post(pattern),
        "/cache/clear" => post(clear),
        "/stats/invalidate/user/{id}" => post(user),
        "cache/stats" => get(stats::stats),
        "cache/invalidate" => post(of_type),
        "cache/warm" => post(warm_type),
        _ => return None,
    })
}

/// `GET /cache/stats`.
async fn numbers(State(admin): State<Admin>) -> Told {
    let engine = &*admin.engine;
    let prefix = gad_prefix(&admin)?;
    let held = engine.l1.count(&Order::of([Selector::Prefix(prefix)]), 0).entries;
    let stored = engine.l1.stats();
    let mut served = Served::default();
    for meter in engine.telemetry.ledger.rules() {
        served.merge(&meter.served.read());
    }
    let hits = served.count(|outcome, _| outcome.is_hit());
    let all = served.count(|outcome, _| outcome.is_cacheable());
    let told = json!({
        "connected": connected(engine),
        "keys_count": held,
        "keyspace_hits": hits,
        "keyspace_misses": all.saturating_sub(hits),
        "hit_rate": (served.hit_ratio().unwrap_or_default() * 100.0).round() / 100.0,
        "evicted_keys": stored.iter().map(|kind| kind.evictions_by_size).sum::<u64>(),
        "used_memory": memory(stored.iter().map(|kind| kind.bytes).sum()),
        "db_size": stored.iter().map(|kind| kind.entries).sum::<u64>(),
    });
    Ok((StatusCode::OK, Json(told)))
}

/// Whether every server that may be written to is asked. A node without a shared level has its
/// store in itself.
fn connected(engine: &Engine) -> bool {
    let Some(fleet) = &engine.fleet else { return true };
    let servers = fleet.snapshot().servers;
    let mut masters = servers.iter().filter(|server| server.role == "master").peekable();
    masters.peek().is_some() && masters.all(|one| one.state == "closed" && one.connections > 0)
}

/// Bytes, as Redis tells its memory to people, without zeros at the end.
fn memory(bytes: u64) -> String {
    let units = [(1_u64 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    let Some((unit, letter)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes}B");
    };
    let hundredths = (bytes as f64 / unit as f64 * 100.0).round() / 100.0;
    format!("{hundredths}{letter}")
}

/// `POST /cache/invalidate/{key}`.
async fn one_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    query: RawQuery,
    path: Result<Path<String>, PathRejection>,
) -> Told {
    let key = sent(path, &query)?;
    // A star is itself here, and keys hold it so.
    let named = format!("{}{}", gad_prefix(&admin)?, stored(&key).replace('*', "%2A"));
    let (status, gone) = purged(&admin, &caller, bounded(Selector::Key(named))?).await?;
    Ok((status, Json(json!({ "key": key, "deleted": gone > 0 }))))
}

/// `POST /cache/invalidate-pattern/{pattern}`.
async fn pattern(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    query: RawQuery,
    path: Result<Path<String>, PathRejection>,
) -> Told {
    let pattern = sent(path, &query)?;
    let named = format!("{}{}", gad_prefix(&admin)?, globbed(&pattern)?);
    let (status, gone) = counted(&admin, &caller, fitting(&named)?).await?;
    Ok((status, Json(json!({ "pattern": pattern, "deleted_keys": gone }))))
}

/// `POST /stats/invalidate/user/{id}`.
async fn user(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    query: RawQuery,
    path: Result<Path<String>, PathRejection>,
) -> Told {
    let id = sent(path, &query)?;
    let id: u64 = id.parse().map_err(|_| wrong("the user is named by a whole number"))?;
    let pattern = format!("stats:user:{id}:*");
    let named = format!("{}{pattern}", gad_prefix(&admin)?);
    let (status, gone) = counted(&admin, &caller, fitting(&named)?).await?;
    Ok((status, Json(json!({ "user_id": id, "deleted_keys": gone, "pattern": pattern }))))
}

/// `POST /cache/clear`: all that is ours, and nothing else that stands in Redis.
async fn clear(State(admin): State<Admin>, Extension(caller): Extension<Caller>) -> Told {
    let (status, _) = purged(&admin, &caller, Selector::All).await?;
    let told = match status {
        StatusCode::OK => json!({ "cleared": true, "message": "Cache cleared successfully" }),
        _ => json!({
            "cleared": false,
            "message": "this node is cleared; the shared level follows when Redis answers again",
        }),
    };
    Ok((status, Json(told)))
}

/// What `fmgo` wants to be gone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfType {
    /// The type.
    #[schemars(example = &"doc")]
    tipo: String,
    /// A pattern of whole keys of that type; all of them unless said.
    #[serde(default)]
    #[schemars(example = &"doc:1*")]
    patron: Option<String>,
    /// Whether only to tell what would go.
    #[serde(default)]
    dry_run: bool,
}

/// `POST cache/invalidate`.
async fn of_type(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<OfType>, JsonRejection>,
) -> Told {
    let Json(asked) = asked.map_err(|error| wrong(&error.body_text()))?;
    let selector = within(&admin.engine.book.load().rules.kinds, &asked)?;
    caller.must_reach(&selector)?;
    let order = Order::of([selector]);
    let (status, mut told) = if asked.dry_run {
        (StatusCode::OK, tried(&admin.engine, &order).await)
    } else {
        purge::done(&admin, &caller, order, How::Delete, patience()).await
    };
    told["tipo"] = asked.tipo.into();
    told["patron"] = asked.patron.into();
    Ok((status, Json(told)))
}

/// What takes the keys of a type that fit, and none of another type's.
fn within(kinds: &[Kind], asked: &OfType) -> Result<Selector, Refused> {
    let OfType { tipo, patron, .. } = asked;
    let named = kinds.iter().find(|kind| !tipo.is_empty() && *kind.name == **tipo);
    let kind = named.ok_or_else(|| wrong(&format!("`tipo`: the rules have no type `{tipo}`")))?;
    let Some(patron) = patron.as_deref().filter(|patron| *patron != "*") else {
        return Ok(Selector::Type(tipo.clone()));
    };
    let selector = fitting(&globbed(patron)?)?;
    let begins = Glob::new(patron);
    let begins = begins.prefix();
    if !begins.starts_with(&kind.prefix) {
        let detail = format!("`patron`: the keys of `{tipo}` begin with `{}`", kind.prefix);
        return Err(wrong(&detail));
    }
    let meets = |other: &&Kind| {
        let (mine, other) = (begins, &*other.prefix);
        mine.starts_with(other) || other.starts_with(mine)
    };
    let mut others = kinds.iter().filter(|other| !other.name.is_empty() && other.name != kind.name);
    match others.find(meets) {
        None => Ok(selector),
        Some(other) => {
            let detail = format!(
                "`patron` may fit keys of the type `{}` too; call purge with `{selector}` if that \
                 is meant, or leave `patron` out",
                other.name
            );
            Err(problem(StatusCode::CONFLICT, "types-overlap", &detail).into())
        }
    }
}

/// What `fmgo` wants to be warm.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Warming {
    /// The type.
    tipo: String,
    /// The first day.
    #[serde(default)]
    fecha_inicio: Option<String>,
    /// The last day.
    #[serde(default)]
    fecha_fin: Option<String>,
}

/// `POST cache/warm`: what stands of a type and was stored or made between two days is fetched anew
/// where it is old. That system read its database for them; what never stood here nobody can name.
async fn warm_type(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<Warming>, JsonRejection>,
) -> Told {
    let Json(asked) = asked.map_err(|error| wrong(&error.body_text()))?;
    let Warming { tipo, fecha_inicio, fecha_fin } = asked;
    let dated = fecha_inicio.is_some() || fecha_fin.is_some();
    let days = warm::Days { from: fecha_inicio.clone(), to: fecha_fin.clone() };
    let pace = jobs::pace(None, None)?;
    let job = warm::of_type(&admin, &caller, &tipo, dated.then_some(&days), pace)?;
    let mut told = job.told();
    told["tipo"] = tipo.into();
    told["fecha_inicio"] = fecha_inicio.into();
    told["fecha_fin"] = fecha_fin.into();
    Ok((StatusCode::ACCEPTED, Json(told)))
}

/// What stands before the keys of `gad`.
fn gad_prefix(admin: &Admin) -> Result<String, Refused> {
    let refused =
        |detail: &str| Refused::from(problem(StatusCode::CONFLICT, "no-such-type", detail));
    let named = admin.aliases.as_ref().and_then(|aliases| aliases.gad_type.as_deref());
    let Some(name) = named else {
        let detail = "this call needs the type whose prefix its keys have; name it in the settings \
                      as `compat.gad = { type = \"stats\" }`";
        return Err(refused(detail));
    };
    let book = admin.engine.book.load();
    let kind = book.rules.kinds.iter().find(|kind| *kind.name == *name && !name.is_empty());
    kind.map(|kind| kind.prefix.clone()).ok_or_else(|| {
        let detail = format!("`compat.gad` names the type `{name}`, which the rules do not have");
        refused(&detail)
    })
}

/// The last part of a call's path, as it was meant.
fn sent(path: Result<Path<String>, PathRejection>, query: &RawQuery) -> Result<String, Refused> {
    if query.0.is_some() {
        return Err(wrong("this call has no parameters; write %3F where a `?` is meant"));
    }
    path.map(|Path(text)| text).map_err(|error| wrong(&error.body_text()))
}

/// A text as keys hold it: what is no printable ASCII stands as `%XX`.
fn stored(text: &str) -> String {
    let one = |byte: u8| match byte {
        _ if byte.is_ascii_graphic() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// A pattern as keys are matched with. Signs that would mean more to Redis than to us are refused,
/// for the pattern would take less than it should.
fn globbed(pattern: &str) -> Result<String, Refused> {
    match pattern.chars().find(|sign| matches!(sign, '?' | '[' | ']' | '\\')) {
        None => Ok(stored(pattern)),
        Some(sign) => {
            Err(wrong(&format!("a pattern has `*` alone, no `{sign}`; write a wider one with `*`")))
        }
    }
}

/// What takes all keys that fit.
fn fitting(pattern: &str) -> Result<Selector, Refused> {
    let whole = pattern.to_owned();
    let is_glob = pattern.contains('*');
    bounded(if is_glob { Selector::Pattern(Glob::new(pattern)) } else { Selector::Key(whole) })
}

/// Refuses what is longer than any key, or names nothing.
fn bounded(selector: Selector) -> Result<Selector, Refused> {
    Selector::parse(&selector.to_string()).map_err(|error| wrong(&error.to_string()))?;
    Ok(selector)
}

/// Purges on all nodes; how many went that were met at once.
async fn purged(
    admin: &Admin,
    caller: &Caller,
    selector: Selector,
) -> Result<(StatusCode, u64), Refused> {
    let (status, told) = ordered(admin, caller, selector).await?;
    Ok((status, told["purged"]["entries"].as_u64().unwrap_or_default()))
}

/// Purges on all nodes; how many went, also of those that leave Redis by and by. What stood in
/// memory stands there too, as a rule, so the larger count is that of all.
async fn counted(
    admin: &Admin,
    caller: &Caller,
    selector: Selector,
) -> Result<(StatusCode, u64), Refused> {
    let (status, told) = ordered(admin, caller, selector).await?;
    let at_once = told["purged"]["entries"].as_u64().unwrap_or_default();
    let later = match told["job"].as_str() {
        Some(name) if status == StatusCode::OK => reclaim::counted(&admin.engine, name).await,
        _ => None,
    };
    Ok((status, at_once.max(later.unwrap_or_default())))
}

async fn ordered(
    admin: &Admin,
    caller: &Caller,
    selector: Selector,
) -> Result<(StatusCode, Value), Refused> {
    caller.must_reach(&selector)?;
    Ok(purge::done(admin, caller, Order::of([selector]), How::Delete, patience()).await)
}

const fn patience() -> Patience {
    Patience::Nodes(limits::CONFIRM_WAIT.to_duration())
}

#[cfg(test)]
mod tests;
