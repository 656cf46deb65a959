//! Invalidation: an order raises the fences first, so that no fetch begun earlier can store or be
//! joined, then drops what the index finds, and only then is it acknowledged.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::base::fault::Fault;
use crate::base::ids::Tick;
use crate::base::{limits, names};
use crate::engine::ordering::{self, Carried, Patience};
use crate::engine::reclaim;
use crate::engine::reply::Reply;
use crate::engine::respond;
use crate::engine::transit::{Account, Answer, Outcome, Transit};
use crate::engine::{Book, Engine};
use crate::entry::order::{Order, Selector, SelectorError};
use crate::rules::{Asked, TAG_FIELDS, field_tags};
use crate::store::gone::Gone;
use crate::store::redis::fleet::Level;
use crate::telemetry::event::Event;
use crate::telemetry::ledger::SCOPES;

/// How often carrying out one order raises the tick.
pub const RAISES: u64 = 2;

/// Carries an order out and says so. Gives back its last tick and what went.
pub fn carry_out(
    engine: &Engine,
    order: &Order,
    by: &'static str,
    rule: Option<&str>,
    widened: bool,
) -> (Tick, Gone) {
    let (_, swept) = engine.l1.sweep(&engine.fences, order);
    // A fetch born between raising and dropping may have looked at what was dropped since: it is
    // as old as the order. Raising again after the drop tells it so.
    let tick = engine.fences.raise(order);
    for selector in &order.selectors {
        if let Selector::Key(key) | Selector::Url(key) = selector {
            engine.unshareable.clear_text(key);
        }
    }
    engine.telemetry.ledger.orders.count(by, scope(order), swept.gone.entries);
    let named: Vec<String> = order.selectors.iter().map(ToString::to_string).collect();
    let event =
        Event::Purge { selector: &named.join(" "), count: swept.gone.entries, by, rule, widened };
    engine.telemetry.tell(engine.clock.now(), &event);
    (tick, swept.gone)
}

/// The widest kind of thing that an order names, as one of [`SCOPES`].
pub(super) fn scope(order: &Order) -> &'static str {
    let word = |selector: &Selector| match selector {
        Selector::Key(_) => "key",
        Selector::Url(_) => "url",
        Selector::Tag(_) | Selector::Tags(_) => "tag",
        Selector::Rule(_) => "rule",
        Selector::Type(_) => "type",
        Selector::Prefix(_) => "prefix",
        Selector::Pattern(_) => "pattern",
        Selector::All => "all",
    };
    let words: Vec<_> = order.selectors.iter().map(word).collect();
    SCOPES.into_iter().rev().find(|scope| words.contains(scope)).unwrap_or("key")
}

/// What follows from an order by the cascades of the rules, and is not in it.
pub fn follows(engine: &Engine, order: &Order) -> Option<Order> {
    let then = engine.book.load().rules.cascades.follow(order)?;
    // No order is longer than what other nodes read.
    let fits = order.selectors.len() + then.selectors.len() <= limits::SELECTORS_PER_ORDER_MAX;
    Some(if fits { then } else { Order::of([Selector::All]) })
}

/// One order of both: all nodes carry out the whole of it.
pub fn together<'a>(order: &'a Order, then: Option<&Order>) -> Cow<'a, Order> {
    match then {
        None => Cow::Borrowed(order),
        Some(then) if then.selectors.contains(&Selector::All) => Cow::Owned(then.clone()),
        Some(then) => {
            let mut whole = order.clone();
            whole.selectors.extend(then.selectors.iter().cloned());
            Cow::Owned(whole)
        }
    }
}

/// What takes everything that a GET of this target finds, whoever asked: the URI that entries
/// remember, and the key of the route that would serve it.
pub fn target_selectors(book: &Book, asked: &Asked<'_>) -> Vec<Selector> {
    let absolute = format!("{}://{}{}", asked.scheme, asked.authority, asked.target);
    let mut selectors = vec![Selector::Url(absolute)];
    let get = Asked { method: &http::Method::GET, ..*asked };
    if let Some((route, captures)) = book.route(&get) {
        selectors.extend(route.key_selector(&get, &captures));
    }
    selectors
}

/// `url:` selectors with a path alone mean a target of the request's own site.
pub fn on_this_site(book: &Book, asked: &Asked<'_>, named: Vec<Selector>) -> Vec<Selector> {
    let resolve = |one: Selector| match &one {
        Selector::Url(path) if path.starts_with('/') => {
            target_selectors(book, &Asked { target: path, ..*asked })
        }
        Selector::Url(uri) => match absolute(uri) {
            Some((scheme, authority, target)) => {
                let mut named =
                    target_selectors(book, &Asked { scheme, authority, target, ..*asked });
                named.push(one.clone());
                named
            }
            None => vec![one],
        },
        _ => vec![one],
    };
    named.into_iter().flat_map(resolve).collect()
}

/// Scheme, authority and target of an absolute URI.
fn absolute(uri: &str) -> Option<(&'static str, &str, &str)> {
    let (scheme, rest) = match uri.split_once("://")? {
        ("http", rest) => ("http", rest),
        ("https", rest) => ("https", rest),
        _ => return None,
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    Some((scheme, authority, if target.is_empty() { "/" } else { target }))
}

/// What a PURGE from anyone else is answered with.
pub(super) const FORBIDDEN: Fault =
    Fault::Forbidden("PURGE is for listed networks or a token ([purge])");

/// What a PURGE takes.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) selectors: Vec<Selector>,
    /// No selector was given: the target is meant.
    pub(super) by_target: bool,
}

/// What this PURGE takes: what its selector fields name, else its target.
///
/// # Errors
/// When a selector cannot be read.
pub(super) fn named(transit: &Transit) -> Result<Named, Fault> {
    let (book, asked) = (&transit.book, transit.asked());
    let selectors = selectors(&transit.parts.headers).map_err(Fault::BadRequest)?;
    let by_target = selectors.is_empty();
    if by_target && is_selecting(&transit.parts.headers) {
        let why = "the fields that say what goes name nothing; leave them out for the target";
        return Err(Fault::BadRequest(why.to_owned()));
    }
    let selectors = if by_target {
        target_selectors(book, &asked)
    } else {
        on_this_site(book, &asked, selectors)
    };
    Ok(Named { selectors, by_target })
}

/// Answers PURGE: of the target, or of what its selector fields name. Never forwarded.
pub async fn purge(engine: &Engine, transit: &Transit) -> Answer {
    let began = transit.micros();
    let account = Account { outcome: Outcome::Bypass, ..Account::default() };
    if !allowed(engine, transit) {
        return respond::fault(engine, transit, &FORBIDDEN, account);
    }
    let Named { selectors, by_target } = match named(transit) {
        Ok(named) => named,
        Err(fault) => return respond::fault(engine, transit, &fault, account),
    };
    let order = Order::of(selectors);
    let confirm = Patience::Nodes(limits::CONFIRM_WAIT.to_duration());
    let carried = ordering::order_all(engine, &order, "purge", None, false, confirm).await;
    let entries = carried.counts.entries;
    // Where not all have told, that nothing stood here says nothing of them.
    let missing = by_target && entries == 0 && carried.counts.exact;
    let body = told(engine, &carried, (transit.micros() - began) / 1_000).to_string();
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::CONTENT_LENGTH, body.len().into());
    let waits = engine.fleet.is_some() && carried.receipt.level == Level::Local;
    let status = if missing {
        StatusCode::NOT_FOUND
    } else if waits {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let account = Account { note: format!("purged {entries}").into(), ..account };
    Answer { status, fields, reply: Reply::text(body), account }
}

/// Carries out what an operator's call named.
pub async fn by_call(engine: &Engine, order: &Order, patience: Patience) -> Carried {
    ordering::order_all(engine, order, "admin", None, false, patience).await
}

/// What an operator's call names: a target is what a GET of it finds, whoever asks.
pub fn resolved(engine: &Engine, order: Order) -> Order {
    let (fields, method) = (HeaderMap::new(), http::Method::GET);
    let asked =
        Asked { method: &method, scheme: "http", authority: "", target: "/", fields: &fields };
    Order::of(on_this_site(&engine.book.load(), &asked, order.selectors))
}

/// What a purge is answered with.
pub fn told(engine: &Engine, carried: &Carried, ms: u64) -> serde_json::Value {
    let Carried { counts, receipt, .. } = carried;
    let mut told = serde_json::json!({
        "purged": { "entries": counts.entries, "l1": counts.l1 },
        "exact": counts.exact,
        "level": receipt.level.as_str(),
        "ms": ms,
    });
    if let Some(fleet) = &engine.fleet {
        if let Some(one) = carried.count.and_then(|count| fleet.reclaim(count)) {
            told["job"] = reclaim::name(&one).into();
        }
        told["nodes"] =
            serde_json::json!({ "asked": receipt.asked, "confirmed": receipt.confirmed });
        told["purged"]["l2"] = counts.l2.into();
        if receipt.level == Level::Local {
            told["journaled"] = receipt.journaled.into();
        }
    }
    told
}

/// The connection's own address decides, never a forwarded one; or the exact token, compared
/// without telling by time how much of it was right.
pub(super) fn allowed(engine: &Engine, transit: &Transit) -> bool {
    let options = &engine.options;
    if options.may_purge(transit.caller.peer.ip()) {
        return true;
    }
    let Some(token) = &options.purge_token else { return false };
    let given = transit.parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given.and_then(|value| {
        let (scheme, rest) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
    });
    // Digests of one process key: comparing them takes the same time whatever differs.
    let digest = |bytes: &[u8]| blake3::keyed_hash(&engine.identity_key, bytes);
    given.is_some_and(|given| digest(given) == digest(token.as_bytes()))
}

/// Whether a PURGE has a field that says what goes.
fn is_selecting(head: &HeaderMap) -> bool {
    head.contains_key(names::X_PURGE_SELECTOR)
        || TAG_FIELDS.iter().any(|name| head.contains_key(name))
}

/// The selectors a PURGE names in its fields; none means its target.
fn selectors(head: &HeaderMap) -> Result<Vec<Selector>, String> {
    let mut all = Vec::new();
    for line in head.get_all(names::X_PURGE_SELECTOR) {
        let text = line.to_str().map_err(|_| "X-Purge-Selector is not plain text".to_owned())?;
        all.push(Selector::parse(text.trim()).map_err(|problem| problem.to_string())?);
    }
    for tag in TAG_FIELDS.iter().flat_map(|name| field_tags(head, name)) {
        let tag = tag.ok_or_else(|| SelectorError::TooLong.to_string())?;
        all.push(Selector::Tag(tag));
    }
    if all.len() > limits::CALL_SELECTORS_MAX {
        return Err(format!("a PURGE names at most {} things", limits::CALL_SELECTORS_MAX));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
