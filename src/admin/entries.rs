//! The calls about single entries: a page of them, one with all there is to know of it, one put
//! there, one taken out.

mod told;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Json, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::{Value, json};

use crate::admin::door::{Caller, problem};
use crate::admin::tokens::Role;
use crate::admin::{Admin, purge};
use crate::base::limits;
use crate::base::reason::Reason;
use crate::base::units::Span;
use crate::engine::entries::{self, Content, Named, NotPut, Placed, Rows, Untold, Which};
use crate::engine::ordering::Patience;
use crate::engine::purge::{Done, How};
use crate::engine::tried::tried;
use crate::entry::order::{Order, Selector};
use crate::store::redis::fleet::ListFault;

pub(super) use told::{told_drop, told_entry, told_keys, told_put};

/// Parameters of a call, as they were sent.
pub(super) type Pairs = Query<Vec<(String, String)>>;

/// Parameters of a call, each among those that it knows.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads them; one that the call does not know is refused, for it would do nothing.
    pub(super) fn read(pairs: Pairs, known: &[&str], many: &[&str]) -> Result<Self, Refused> {
        let Query(pairs) = pairs;
        for (at, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) && !many.contains(&name.as_str()) {
                let all = [known, many].concat().join("`, `");
                return Err(wrong(&format!("`{name}` is none of `{all}`")));
            }
            if value.is_empty() {
                return Err(wrong(&format!(
                    "`{name}` says nothing; give it a value, or leave it out"
                )));
            }
            let before = pairs.get(..at).unwrap_or_default();
            if known.contains(&name.as_str()) && before.iter().any(|(other, _)| other == name) {
                return Err(wrong(&format!("`{name}` is said twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// What one says, if it is there.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn many(&self, name: &str) -> Vec<String> {
        let those = self.0.iter().filter(|(own, _)| own == name);
        those.map(|(_, value)| value.clone()).collect()
    }

    /// How many are asked for.
    pub(super) fn limit(&self) -> Result<usize, Refused> {
        let Some(text) = self.one("limit") else { return Ok(limits::LISTED_USUALLY) };
        let limit = text.parse().ok().filter(|limit| (1..=limits::LISTED_MAX).contains(limit));
        limit.ok_or_else(|| wrong(&format!("`limit` is a number from 1 to {}", limits::LISTED_MAX)))
    }
}

/// A call that is answered with a problem.
#[derive(Debug)]
pub(super) struct Refused(Box<Response>);

impl From<Response> for Refused {
    fn from(problem: Response) -> Self {
        Self(Box::new(problem))
    }
}

impl From<Box<Response>> for Refused {
    fn from(problem: Box<Response>) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Refuses a call that makes no sense.
pub(super) fn wrong(detail: &str) -> Refused {
    problem(StatusCode::BAD_REQUEST, "bad-request", detail).into()
}

/// `GET keys`.
pub(super) async fn keys(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    pairs: Pairs,
) -> Response {
    page(&admin, &caller, pairs).await.into_response()
}

async fn page(admin: &Admin, caller: &Caller, pairs: Pairs) -> Result<Response, Refused> {
    let asked = Parameters::read(pairs, &["selector", "limit", "after", "level"], &[])?;
    let most = asked.limit()?;
    let text = asked.one("selector").unwrap_or("all");
    let selector = selector(text)?;
    caller.must_see(&selector)?;
    let after = asked.one("after");
    let level = asked.one("level").unwrap_or("l1");
    let page = match level {
        "l1" => entries::held(&admin.engine, &selector, after, most),
        "l2" => entries::shared(&admin.engine, &selector, after, most).await,
        _ => return Err(wrong("`level` is l1 or l2")),
    };
    let Rows { rows, next } = page.map_err(|why| untold(&why))?;
    let page = json!({ "selector": text, "level": level, "entries": rows, "next": next });
    Ok(Json(page).into_response())
}

/// A selector that means something without a request around it.
pub(super) fn selector(text: &str) -> Result<Selector, Refused> {
    let selector = Selector::parse(text).map_err(|error| wrong(&format!("`{text}`: {error}")))?;
    match &selector {
        Selector::Url(target) if target.starts_with('/') => {
            let remedy = format!("write url:https://shop.example{target}");
            Err(wrong(&format!("`{text}` names no site; {remedy}")))
        }
        _ => Ok(selector),
    }
}

fn untold(why: &Untold) -> Refused {
    let detail = why.to_string();
    match why {
        Untold::After | Untold::Shard | Untold::Shared(ListFault::After) => wrong(&detail),
        Untold::Alone => problem(StatusCode::CONFLICT, "no-shared-level", &detail).into(),
        Untold::Shared(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "store-down", &detail).into(),
    }
}

fn which(admin: &Admin, asked: &Parameters) -> Result<Which, Refused> {
    let (key, url) = (asked.one("key"), asked.one("url"));
    Which::of(&admin.engine, key, url, admin.proxy).map_err(|why| wrong(&why.to_string()))
}

/// `GET entry`.
pub(super) async fn entry(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    pairs: Pairs,
) -> Response {
    one(&admin, &caller, pairs).await.into_response()
}

async fn one(admin: &Admin, caller: &Caller, pairs: Pairs) -> Result<Response, Refused> {
    let asked = Parameters::read(pairs, &["key", "url", "body"], &[])?;
    let which = which(admin, &asked)?;
    caller.must_see(&Selector::Key(which.text.clone()))?;
    match asked.one("body") {
        None | Some("0") => {}
        Some("1") => return body(admin, caller, &which).await,
        Some(_) => return Err(wrong("`body` is 0 or 1")),
    }
    let standing = entries::standing(&admin.engine, &which).await;
    if standing.variants.is_empty() {
        return Err(nowhere(&which, standing.untold.as_deref()));
    }
    let told = json!({
        "key": which.text,
        "variants": standing.variants,
        "l2_untold": standing.untold,
    });
    Ok(Json(told).into_response())
}

fn nowhere(which: &Which, untold: Option<&str>) -> Refused {
    let but = untold.map(|why| format!("; of the shared level it is not known: {why}"));
    let detail = format!("nothing stands under `{}`{}", which.text, but.unwrap_or_default());
    problem(StatusCode::NOT_FOUND, "no-entry", &detail).into()
}

/// The bytes alone, as something that no browser shows as a page of this listener.
async fn body(admin: &Admin, caller: &Caller, which: &Which) -> Result<Response, Refused> {
    caller.must_be(Role::Operate, "shows the body of an entry")?;
    let Some(shown) = entries::shown(&admin.engine, which).await else {
        return Err(nowhere(which, None));
    };
    if shown.own {
        caller.must_be(Role::Admin, "shows what belongs to one caller")?;
    }
    admin.audit.note(&admin.engine, caller.name(), "entry body", &which.text, "shown");
    let attached = HeaderValue::from_static("attachment");
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, attached),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((head, shown.body.to_bytes()).into_response())
}

/// `DELETE entry`: a purge of the key, or with `dry_run=1` only what that would take.
pub(super) async fn drop_entry(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    pairs: Pairs,
) -> Response {
    dropped(&admin, &caller, pairs).await.into_response()
}

async fn dropped(admin: &Admin, caller: &Caller, pairs: Pairs) -> Result<Response, Refused> {
    let asked = Parameters::read(pairs, &["key", "url", "dry_run"], &[])?;
    let selector = Selector::Key(which(admin, &asked)?.text);
    caller.must_reach(&selector)?;
    let order = Order::of([selector]);
    match asked.one("dry_run") {
        None | Some("0") => {}
        Some("1") => return Ok(Json(tried(&admin.engine, &order).await).into_response()),
        Some(_) => return Err(wrong("`dry_run` is 0 or 1")),
    }
    let patience = Patience::Nodes(limits::CONFIRM_WAIT.to_duration());
    let (status, answer) = purge::done(admin, caller, order, How::Delete, patience).await;
    Ok((status, Json(answer)).into_response())
}

/// `PUT entry`.
pub(super) fn put() -> MethodRouter<Admin> {
    axum::routing::put(put_entry)
}

async fn put_entry(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    pairs: Pairs,
    head: HeaderMap,
    body: Body,
) -> Response {
    placed(&admin, &caller, pairs, &head, body).await.into_response()
}

async fn placed(
    admin: &Admin,
    caller: &Caller,
    pairs: Pairs,
    head: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let asked = Parameters::read(pairs, &["key", "url", "type", "rule", "ttl"], &["tag", "site"])?;
    if let Some(key) = asked.one("key") {
        caller.must_reach(&Selector::Key(key.to_owned()))?;
    } else {
        caller.must_reach(&Selector::Key(which(admin, &asked)?.text))?;
    }
    let sites = asked.many("site");
    let named = Named {
        key: asked.one("key"),
        url: asked.one("url"),
        kind: asked.one("type"),
        rule: asked.one("rule"),
        sites: &sites,
        node: admin.proxy,
    };
    let ttl = asked.one("ttl").map(lifetime).transpose()?;
    let content_type = head.get(header::CONTENT_TYPE).cloned();
    let content = Content {
        body: whole(admin, head, body).await?,
        content_type: content_type
            .unwrap_or_else(|| HeaderValue::from_static("application/octet-stream")),
        ttl,
        tags: asked.many("tag"),
    };
    let bytes = content.body.len();
    let placed = entries::put(&admin.engine, &named, content).await.map_err(|why| not_put(&why))?;
    let told = told_of(admin, &placed);
    let outcome = format!("{bytes} bytes, l1 {}, l2 {}", told["l1"], told["l2"]);
    admin.audit.note(&admin.engine, caller.name(), "put", &placed.key, &outcome);
    if placed.l1 == Err(Reason::TooLarge) && placed.l2 != Some(true) {
        let detail = "it costs more than its type may take in memory; nothing was stored";
        return Err(problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail).into());
    }
    Ok(Json(told).into_response())
}

fn lifetime(text: &str) -> Result<Span, Refused> {
    let span = Span::parse(text).ok().filter(|span| *span > Span::ZERO);
    let longest = Span::from_secs(limits::DELTA_SECONDS_MAX);
    let span = span.filter(|span| *span <= longest);
    span.ok_or_else(|| wrong("`ttl` is a time such as 90s or 1h30m"))
}

/// The body of the call, in memory that it has a share of.
async fn whole(admin: &Admin, head: &HeaderMap, body: Body) -> Result<bytes::Bytes, Refused> {
    let most = admin.engine.options.max_object;
    let told = head.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let told = told.and_then(|length| length.parse::<u64>().ok()).unwrap_or(most);
    let too_long = || {
        let detail = format!("the body is longer than {most} bytes (l1.max_object)");
        Refused::from(problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &detail))
    };
    if told > most {
        return Err(too_long());
    }
    let Some(charge) = admin.engine.transit.reserve(told) else {
        let detail = "the memory for answers on their way is used up; try again";
        return Err(problem(StatusCode::SERVICE_UNAVAILABLE, "overload", detail).into());
    };
    match to_bytes(body, told as usize).await {
        Ok(bytes) => Ok(charge.hold(bytes)),
        Err(_) => Err(too_long()),
    }
}

fn not_put(why: &NotPut) -> Refused {
    let detail = why.to_string();
    let (status, code) = match why {
        NotPut::NoSpot(_) | NotPut::NoTtl | NotPut::Tags => return wrong(&detail),
        NotPut::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
        NotPut::Off => (StatusCode::CONFLICT, "bypass-switch"),
        NotPut::Purged => (StatusCode::CONFLICT, "purged-during-put"),
        NotPut::Busy => (StatusCode::CONFLICT, "key-in-use"),
        NotPut::Away => (StatusCode::SERVICE_UNAVAILABLE, "shared-level-away"),
    };
    problem(status, code, &detail).into()
}

fn told_of(admin: &Admin, placed: &Placed) -> Value {
    let carried = placed.carried.clone();
    let done = Done { order: Order::default(), carried, anew: None };
    let mut told = crate::engine::purge::told(&admin.engine, &done, 0);
    if let Some(told) = told.as_object_mut() {
        told.remove("ms");
    }
    told["key"] = placed.key.as_str().into();
    told["identities"] = placed.identities.into();
    told["ttl"] = placed.ttl.as_secs().into();
    told["l1"] = placed.l1.is_ok().into();
    told["l2"] = placed.l2.into();
    told
}
