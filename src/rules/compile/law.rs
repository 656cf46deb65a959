//! What a route says over the origin's head, gathered from route, type and defaults.

use super::super::diagnostic::{Code, Findings, Spot};
use super::super::document::{Defaults, RouteTable, TypeTable};
use super::super::read::{At, Maybe, OneOrMany, Text};
use super::super::values::{Statuses, TtlText};
use super::super::words::{OverrideWord, TtlModeWord};
use super::{Scope, inherited};
use crate::base::limits::DELTA_SECONDS_MAX;
use crate::base::units::Span;
use crate::policy::law::{CookieStrip, Law, Overrides, Ttl, TtlMode};

/// How long a stale answer serves when the origin fails, on routes with a lifetime of their own.
const STALE_IF_ERROR: Span = Span::from_secs(600);

/// Where a route's fields can come from, nearest first.
pub(super) struct Levels<'d> {
    pub(super) route: &'d RouteTable,
    pub(super) kind: Option<&'d TypeTable>,
    pub(super) defaults: &'d Defaults,
}

/// Takes a field that all three levels have.
macro_rules! level {
    ($levels:expr, $field:ident) => {
        inherited([
            $levels.route.$field.as_ref(),
            $levels.kind.and_then(|kind| kind.$field.as_ref()),
            $levels.defaults.$field.as_ref(),
        ])
    };
}

/// Takes a field that types do not have.
macro_rules! level_without_type {
    ($levels:expr, $field:ident) => {
        inherited([$levels.route.$field.as_ref(), None, $levels.defaults.$field.as_ref()])
    };
}

pub(super) use {level, level_without_type};

/// The law of a route.
pub(super) fn law(levels: &Levels<'_>, scope: &Scope<'_>, found: &mut Findings) -> Law {
    let ttl_text = [
        levels.route.ttl.as_ref(),
        levels.kind.and_then(|kind| kind.ttl.as_ref()),
        levels.defaults.ttl.as_ref(),
    ];
    let ttl = match ttl_text.into_iter().flatten().next() {
        // A class that does not exist is told once, where it is named.
        Some(text) if levels.route.ttl.is_some() => read_ttl(text, scope, found),
        Some(text) => ttl_of(&text.value, scope).unwrap_or(Ttl::Origin),
        None => default_ttl(levels, scope),
    };
    let status_ttl = level!(levels, status_ttl);
    let stale_if_error = level!(levels, stale_if_error).map(|span| span.value.0);
    let built_in = (ttl != Ttl::Origin
        && [&levels.route.stale_if_error, &levels.defaults.stale_if_error]
            .into_iter()
            .chain(levels.kind.map(|kind| &kind.stale_if_error))
            .all(Option::is_none))
    .then_some(STALE_IF_ERROR);
    let law = Law {
        ttl,
        ttl_mode: level!(levels, ttl_mode).map_or(TtlMode::Replace, |word| ttl_mode(*word)),
        statuses: level!(levels, status).map_or_else(|| Law::default().statuses, statuses),
        status_ttl: status_ttl.map_or_else(Vec::new, |table| {
            table.0.iter().filter_map(|(name, ttl)| status_span(name, ttl, scope)).collect()
        }),
        stale_while_revalidate: level!(levels, stale_while_revalidate).map(|span| span.value.0),
        stale_if_error: stale_if_error.or(built_in),
        overrides: level!(levels, r#override).map_or_else(Overrides::default, |l| overrides(l)),
        strip_cookies: level_without_type!(levels, strip_cookies)
            .map_or(CookieStrip::None, strip_cookies),
        content_types: level!(levels, content_type).map_or_else(Vec::new, |list| {
            list.0.iter().map(|text| text.value.trim().to_ascii_lowercase()).collect()
        }),
        max_object: level!(levels, max_object).map(|size| size.value.0.0),
        ruled: false,
    };
    // A route that only routes leaves everything to the origin.
    let law = Law { ruled: law != Law::default(), ..law };
    check_fields(
        levels.route.status.as_ref(),
        levels.route.status_ttl.as_ref(),
        levels.route.content_type.as_ref(),
        scope,
        found,
    );
    check_windows(levels, &law, found);
    law
}

/// The settings' lifetime, for what rules speak of: a route with a key or a type. One that only
/// routes leaves everything to the origin.
fn default_ttl(levels: &Levels<'_>, scope: &Scope<'_>) -> Ttl {
    let spoken_of = levels.route.key.is_some() || levels.kind.is_some();
    scope.ctx.default_ttl.filter(|_| spoken_of).map_or(Ttl::Origin, Ttl::For)
}

/// A lifetime with its class looked up; `None` when there is no such class.
pub(super) fn ttl_of(text: &TtlText, scope: &Scope<'_>) -> Option<Ttl> {
    match text {
        TtlText::Origin => Some(Ttl::Origin),
        TtlText::Forever => Some(Ttl::Forever),
        TtlText::For(span) => Some(Ttl::For(*span)),
        TtlText::Class(name) => match scope.classes.get(name.as_str())?.0 {
            TtlText::Class(_) => None,
            TtlText::Origin => Some(Ttl::Origin),
            TtlText::Forever => Some(Ttl::Forever),
            TtlText::For(span) => Some(Ttl::For(*span)),
        },
    }
}

fn read_ttl(text: &At<TtlText>, scope: &Scope<'_>, found: &mut Findings) -> Ttl {
    if let TtlText::Class(name) = &text.value
        && !scope.classes.contains_key(name.as_str())
    {
        super::unknown_name("class", name, text.spot, scope.classes.keys().copied(), found);
    }
    let ttl = ttl_of(&text.value, scope).unwrap_or(Ttl::Origin);
    if let Ttl::For(span) = ttl
        && span.as_secs() > DELTA_SECONDS_MAX
    {
        found
            .error(Code::WrongValue, text.spot, "a lifetime is at most 68 years")
            .help("write \"forever\" for what lives until it is purged");
    }
    ttl
}

/// What can be wrong in a type, told once however many routes use it.
pub(super) fn check_type(table: &TypeTable, scope: &Scope<'_>, found: &mut Findings) {
    if let Some(ttl) = &table.ttl {
        read_ttl(ttl, scope, found);
    }
    check_fields(
        table.status.as_ref(),
        table.status_ttl.as_ref(),
        table.content_type.as_ref(),
        scope,
        found,
    );
}

/// The same for a file's defaults.
pub(super) fn check_defaults(defaults: &Defaults, scope: &Scope<'_>, found: &mut Findings) {
    if let Some(ttl) = &defaults.ttl {
        read_ttl(ttl, scope, found);
    }
    check_fields(
        defaults.status.as_ref(),
        defaults.status_ttl.as_ref(),
        defaults.content_type.as_ref(),
        scope,
        found,
    );
}

fn check_fields(
    status: Option<&Maybe<Statuses>>,
    status_ttl: Option<&Maybe<super::super::read::Named<At<TtlText>>>>,
    content_type: Option<&Maybe<OneOrMany<Text>>>,
    scope: &Scope<'_>,
    found: &mut Findings,
) {
    if let Some(Maybe::Just(list)) = status {
        for code in &list.0 {
            check_status(code.value, code.spot, found);
        }
    }
    if let Some(Maybe::Just(table)) = status_ttl {
        for (name, ttl) in &table.0 {
            if let Ok(code) = name.value.parse() {
                check_status(code, name.spot, found);
            } else {
                let message = format!("`{}` is not a status", name.value);
                found.error(Code::Status, name.spot, message);
            }
            if read_ttl(ttl, scope, found) == Ttl::Origin {
                found.error(Code::WrongValue, ttl.spot, "a status gets a lifetime of its own here");
            }
        }
    }
    if let Some(Maybe::Just(list)) = content_type {
        for text in &list.0 {
            let parts = text.value.trim().split_once('/');
            let token = |t: &str| !t.is_empty() && !t.contains([' ', ';', ',', '*', '/']);
            if !parts.is_some_and(|(a, b)| token(a) && token(b)) {
                found
                    .error(Code::WrongValue, text.spot, "a media type is written type/subtype")
                    .help("without parameters and stars, for example \"application/json\"");
            }
        }
    }
}

fn check_status(code: u64, spot: Spot, found: &mut Findings) {
    let why = match code {
        200..=499 if !matches!(code, 206 | 304 | 401 | 403 | 407 | 429) => return,
        206 | 304 => "partial and conditional answers are made from whole ones",
        401 | 403 | 407 => "a refusal belongs to the caller who got it",
        429 => "a limit belongs to the caller who met it",
        500..=599 => "a failure is stored only when the origin itself says so",
        _ => "it is not the status of a final answer",
    };
    found.error(Code::Status, spot, format!("{code} is not stored by a rule: {why}"));
}

/// Windows that stand in the route itself and cannot mean what they say.
fn check_windows(levels: &Levels<'_>, law: &Law, found: &mut Findings) {
    let windows = [
        ("stale_while_revalidate", &levels.route.stale_while_revalidate),
        ("stale_if_error", &levels.route.stale_if_error),
    ];
    for (name, window) in windows {
        let Some(Maybe::Just(window)) = window else { continue };
        if window.value.0 == Span::ZERO {
            continue;
        }
        match law.ttl {
            Ttl::Forever => {
                found
                    .warn(Code::StaleWindow, window.spot, format!("`{name}` never begins"))
                    .label("what lives forever is never stale");
            }
            Ttl::For(Span::ZERO) if name == "stale_while_revalidate" => {
                found
                    .warn(
                        Code::StaleWindow,
                        window.spot,
                        "stale answers although each is to be asked about",
                    )
                    .label("with ttl = \"0s\" every answer within this window is an old one");
            }
            _ => {}
        }
    }
}

fn statuses(list: &Statuses) -> Vec<u16> {
    list.0.iter().filter_map(|code| u16::try_from(code.value).ok()).collect()
}

fn status_span(name: &Text, ttl: &At<TtlText>, scope: &Scope<'_>) -> Option<(u16, Span)> {
    let span = match ttl_of(&ttl.value, scope)? {
        Ttl::For(span) => span,
        Ttl::Forever => Span::FOREVER,
        Ttl::Origin => return None,
    };
    Some((name.value.parse().ok()?, span))
}

const fn ttl_mode(word: TtlModeWord) -> TtlMode {
    match word {
        TtlModeWord::Replace => TtlMode::Replace,
        TtlModeWord::Silent => TtlMode::Silent,
        TtlModeWord::AtMost => TtlMode::AtMost,
        TtlModeWord::AtLeast => TtlMode::AtLeast,
    }
}

fn overrides(words: &[OverrideWord]) -> Overrides {
    let has = |word: OverrideWord| words.contains(&word);
    Overrides {
        no_store: has(OverrideWord::NoStore),
        private: has(OverrideWord::Private),
        no_cache: has(OverrideWord::NoCache),
        must_revalidate: has(OverrideWord::MustRevalidate),
        vary: has(OverrideWord::Vary),
    }
}

fn strip_cookies(list: &OneOrMany<Text>) -> CookieStrip {
    if list.0.iter().any(|text| text.value == "*") {
        return CookieStrip::All;
    }
    CookieStrip::Named(list.0.iter().map(|text| text.value.clone()).collect())
}
