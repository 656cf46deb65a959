//! Invalidation: an order raises the fences first, so that no fetch begun earlier can store or be
//! joined, then drops what the index finds, and only then is it acknowledged.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use crate::base::fault::Fault;
use crate::base::ids::Tick;
use crate::base::{limits, names};
use crate::engine::anew::{self, From, Noted};
use crate::engine::ordering::{self, Carried, Patience};
use crate::engine::reclaim;
use crate::engine::reply::Reply;
use crate::engine::respond;
use crate::engine::soft;
use crate::engine::transit::{self, Account, Answer, Outcome, Transit};
use crate::engine::{Book, Engine};
use crate::entry::order::{Mode, Order, Selector, SelectorError};
use crate::entry::resource;
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
    let at_last = soft::at_last(order, engine.clock.now());
    let order = at_last.as_ref().unwrap_or(order);
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
    let (selector, count, mode) = (&*order.said().join(" "), swept.gone.entries, word(order.mode));
    let event = Event::Purge { selector, count, by, mode, rule, widened };
    engine.telemetry.tell(engine.clock.now(), &event);
    (tick, swept.gone)
}

/// Drops or changes a little of what orders have named; whether there is more. What nobody has
/// counted is told when they have come to the last of it.
pub fn reclaim(engine: &Engine) -> bool {
    const BY: &str = "sweep";
    let step = engine.l1.reclaim();
    if let Some((order, count)) = step.counted {
        engine.telemetry.ledger.orders.count(BY, scope(&order), count);
        let (selector, mode) = (&*order.said().join(" "), word(order.mode));
        let event = Event::Purge { selector, count, by: BY, mode, rule: None, widened: false };
        engine.telemetry.tell(engine.clock.now(), &event);
    }
    step.more
}

/// What logs call it; nothing where what is named goes.
const fn word(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Delete => None,
        Mode::Soft(_) => Some("soft"),
        Mode::Undo(_) => Some("undo"),
    }
}

/// The widest kind of thing that an order names, as one of [`SCOPES`].
pub(super) fn scope(order: &Order) -> &'static str {
    let word = |selector: &Selector| match selector {
        Selector::Key(_) => "key",
        Selector::Url(_) => "url",
        one if one.tenant().is_some() => "tenant",
        Selector::Tag(_) | Selector::Tags(_) => "tag",
        Selector::Rule(_) => "rule",
        Selector::Type(_) => "type",
        Selector::Prefix(_) => "prefix",
        Selector::Pattern(_) => "pattern",
        Selector::All => "all",
    };
    let said = order.selectors.iter().filter(|one| one.is_said());
    let words: Vec<_> = said.map(word).collect();
    SCOPES.into_iter().rev().find(|scope| words.contains(scope)).unwrap_or("key")
}

/// What follows from an order by the cascades of the rules, and is not in it. It goes or is stale
/// as the order has it; what is undone names all that followed.
pub fn follows(engine: &Engine, order: &Order) -> Option<Order> {
    if matches!(order.mode, Mode::Undo(_)) {
        return None;
    }
    let then = engine.book.load().rules.cascades.follow(order)?.as_mode(order.mode);
    // No order is longer than what other nodes read.
    let fits = order.selectors.len() + then.selectors.len() <= limits::SELECTORS_PER_ORDER_MAX;
    Some(if fits { then } else { Order::of([Selector::All]).as_mode(order.mode) })
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
/// remember, the key of the route that would serve it, and the name of what all hosts share, where
/// some of that stands under keys that no GET leads to.
pub fn target_selectors(book: &Book, asked: &Asked<'_>) -> Vec<Selector> {
    let absolute = format!("{}://{}{}", asked.scheme, asked.authority, asked.target);
    let mut selectors = vec![Selector::Url(absolute)];
    if book.keeps_apart {
        selectors.push(Selector::Tag(resource::tag(asked.target).as_ref().to_owned()));
    }
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
                let authority = &*transit::canonical(authority, scheme);
                target_selectors(book, &Asked { scheme, authority, target: &target, ..*asked })
            }
            None => vec![one],
        },
        _ => vec![one],
    };
    named.into_iter().flat_map(resolve).collect()
}

/// Scheme, authority and target of an absolute URI.
fn absolute(uri: &str) -> Option<(&'static str, &str, Cow<'_, str>)> {
    let (scheme, rest) = uri.split_once("://")?;
    let scheme = ["http", "https"].into_iter().find(|one| scheme.eq_ignore_ascii_case(one))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    let whole = target.starts_with('/');
    Some((scheme, authority, if whole { target.into() } else { format!("/{target}").into() }))
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
    /// What becomes of it.
    pub(super) how: How,
}

/// What becomes of what is purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// It goes.
    #[default]
    Delete,
    /// It is stale.
    Soft,
    /// It goes, and what stood here is fetched anew.
    Refresh,
}

impl How {
    /// The one that the field of a PURGE asks for.
    fn of(head: &HeaderMap) -> Result<Self, Fault> {
        let lines: Vec<_> = head.get_all(names::X_PURGE).iter().collect();
        match lines.as_slice() {
            [] => Ok(Self::Delete),
            [one] if one.as_bytes().eq_ignore_ascii_case(b"delete") => Ok(Self::Delete),
            [one] if one.as_bytes().eq_ignore_ascii_case(b"soft") => Ok(Self::Soft),
            [one] if one.as_bytes().eq_ignore_ascii_case(b"refresh") => Ok(Self::Refresh),
            _ => Err(Fault::BadRequest("X-Purge says delete, soft or refresh, once".to_owned())),
        }
    }
}

/// What this PURGE takes: what its selector fields name, else its target.
///
/// # Errors
/// When a selector cannot be read.
pub(super) fn named(transit: &Transit) -> Result<Named, Fault> {
    let (book, asked) = (&transit.book, transit.asked());
    let selectors = selectors(&transit.parts.headers).map_err(Fault::BadRequest)?;
    let how = How::of(&transit.parts.headers)?;
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
    Ok(Named { selectors, by_target, how })
}

/// Answers PURGE: of the target, or of what its selector fields name. Never forwarded.
pub async fn purge(engine: &Engine, transit: &Transit) -> Answer {
    let began = transit.micros();
    let account = Account { outcome: Outcome::Bypass, ..Account::default() };
    if !allowed(engine, transit) {
        return respond::fault(engine, transit, &FORBIDDEN, account);
    }
    let Named { selectors, by_target, how } = match named(transit) {
        Ok(named) => named,
        Err(fault) => return respond::fault(engine, transit, &fault, account),
    };
    let confirm = Patience::Nodes(limits::CONFIRM_WAIT.to_duration());
    let done = by_hand(engine, Order::of(selectors), how, "purge", confirm).await;
    let carried = &done.carried;
    let entries = carried.counts.entries;
    // Where not all have told, that nothing stood here says nothing of them.
    let missing = by_target && entries == 0 && carried.counts.exact;
    let body = told(engine, &done, (transit.micros() - began) / 1_000).to_string();
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

/// What came of a purge by hand.
#[derive(Debug)]
pub struct Done {
    /// The order, as it was given.
    pub order: Order,
    /// What came of it.
    pub carried: Carried,
    /// What is fetched anew.
    pub anew: Option<Noted>,
}

/// Carries out what an operator named.
pub async fn by_hand(
    engine: &Engine,
    order: Order,
    how: How,
    by: &'static str,
    patience: Patience,
) -> Done {
    let mode = if how == How::Soft { soft::mode(engine) } else { Mode::Delete };
    let order = order.as_mode(mode);
    let wanted = if how == How::Refresh {
        let then = follows(engine, &order);
        Some(anew::wanted_of_all(engine, &together(&order, then.as_ref())).await)
    } else {
        None
    };
    let carried = ordering::order_all(engine, &order, by, None, false, patience).await;
    let from = carried.count.map_or_else(|| From::At(Instant::now()), From::Numbered);
    Done { order, carried, anew: wanted.map(|wanted| anew::begin(engine, wanted, from)) }
}

/// What an operator's call names: a target is what a GET of it finds, whoever asks.
pub fn resolved(engine: &Engine, order: Order) -> Order {
    let mode = order.mode;
    let (fields, method) = (HeaderMap::new(), http::Method::GET);
    let asked = Asked {
        method: &method,
        scheme: "http",
        authority: "",
        target: "/",
        fields: &fields,
        trusted: false,
    };
    Order::of(on_this_site(&engine.book.load(), &asked, order.selectors)).as_mode(mode)
}

/// What a purge is answered with, or the undoing of one.
pub fn told(engine: &Engine, done: &Done, ms: u64) -> serde_json::Value {
    let Done { order, carried: Carried { counts, receipt, count, .. }, anew } = done;
    let what = if matches!(order.mode, Mode::Undo(_)) { "restored" } else { "purged" };
    let mut told = serde_json::json!({
        what: { "entries": counts.entries, "l1": counts.l1 },
        "exact": counts.exact,
        "level": receipt.level.as_str(),
        "ms": ms,
    });
    if let Some(fleet) = &engine.fleet {
        if let Some(one) = count.and_then(|count| fleet.reclaim(count)) {
            told["job"] = reclaim::name(&one).into();
        }
        told["nodes"] =
            serde_json::json!({ "asked": receipt.asked, "confirmed": receipt.confirmed });
        told[what]["l2"] = counts.l2.into();
        if receipt.level == Level::Local {
            told["journaled"] = receipt.journaled.into();
        }
    }
    if let Some(Noted { noted, left_out, shared, whole }) = anew {
        told["mode"] = "refresh".into();
        told["refresh"] = serde_json::json!({
            "noted": noted, "l2": shared, "left_out": left_out, "whole": whole,
        });
    }
    if let Mode::Soft(soft) = order.mode {
        told["mode"] = "soft".into();
        told["undo"] = soft.id.to_string().into();
        told["undo_until_ms"] = soft::ends(soft).as_millis().into();
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
