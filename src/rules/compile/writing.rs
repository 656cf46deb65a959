//! What a write of a route does to the cache, from its `on_write` and that of the defaults.

use super::super::diagnostic::{Code, Findings, Spot};
use super::super::extract::ValueOf;
use super::super::names::Names;
use super::super::purging::OnWriteTable;
use super::super::read::{At, Maybe, OneOrMany, Text};
use super::super::rulebook::{Confirm, OnWrite};
use super::super::selector::SelectorTemplate;
use super::super::values::{Duration, StatusPattern};
use super::super::words::MissingWord;
use super::law::Levels;
use crate::base::limits::{CONFIRM_WAIT, CONFIRM_WAIT_MAX, REFRESH_WAIT, SETTLE_LAST_MAX};
use crate::base::units::Span;

pub(super) fn on_write(levels: &Levels<'_>, names: &Names, found: &mut Findings) -> OnWrite {
    let (route, defaults) = (levels.route.on_write.as_ref(), levels.defaults.on_write.as_ref());
    // The route's word, else that of the defaults.
    macro_rules! said {
        ($field:ident) => {
            route
                .and_then(|table| table.$field.as_ref())
                .or_else(|| defaults.and_then(|table| table.$field.as_ref()))
        };
    }
    let skip_missing = said!(missing).is_some_and(|word| word.value == MissingWord::Skip);
    let when = said!(when).map_or_else(
        || vec![StatusPattern::Hundred(2), StatusPattern::Hundred(3)],
        |list| list.0.iter().map(|pattern| pattern.value).collect(),
    );
    let confirm = said!(confirm).map_or(Confirm::Nodes, |word| word.value);
    let mut wait = |field: Option<&At<Duration>>, built_in: Span, least: Span| {
        span(field, least, CONFIRM_WAIT_MAX, found).unwrap_or(built_in)
    };
    let one = Span::from_millis(1);
    let (waits, refresh_wait) =
        (wait(said!(wait), CONFIRM_WAIT, one), wait(said!(refresh_wait), REFRESH_WAIT, Span::ZERO));
    let settle = match said!(settle) {
        Some(Maybe::Just(field)) => span(Some(field), one, SETTLE_LAST_MAX, found),
        _ => None,
    };
    let mut selectors = |list: Option<&OneOrMany<Text>>| {
        let texts = list.into_iter().flat_map(|list| &list.0);
        let read = |text: &Text| SelectorTemplate::read(text, names, skip_missing, found);
        texts.filter_map(read).collect::<Vec<_>>()
    };
    let purge = selectors(route.and_then(|table| table.purge.as_ref()));
    let refresh = selectors(route.and_then(|table| table.refresh.as_ref()));
    let store = route.and_then(|table| table.store.as_ref()).is_some_and(|store| store.value);
    let soft = said!(soft).is_some_and(|soft| soft.value);
    let made = OnWrite {
        soft,
        store,
        confirm,
        wait: waits,
        refresh_wait,
        settle,
        when,
        purge,
        refresh,
        skip_missing,
    };
    if let Some(table) = route {
        check(table, &made, found);
    }
    made
}

/// A time within bounds.
fn span(
    field: Option<&At<Duration>>,
    least: Span,
    most: Span,
    found: &mut Findings,
) -> Option<Span> {
    let field = field?;
    let told = field.value.0;
    if told < least || told > most {
        let message = format!("`{told}` is out of bounds; write {least} to {most}");
        found.error(Code::WrongValue, field.spot, message);
        return None;
    }
    Some(told)
}

/// What says something that nothing lets matter.
fn check(table: &OnWriteTable, made: &OnWrite, found: &mut Findings) {
    if let Some(wait) = table.wait.as_ref().filter(|_| made.confirm != Confirm::Nodes) {
        let message = "nothing is waited for that long: no other node is to confirm";
        found
            .error(Code::NoEffect, wait.spot, message)
            .help("write confirm = \"nodes\", or leave `wait` out");
    }
    if let Some(wait) = table.refresh_wait.as_ref().filter(|_| table.refresh.is_none()) {
        found
            .error(Code::NoEffect, wait.spot, "nothing is fetched anew that could be waited for")
            .help("name it in `refresh`, or leave `refresh_wait` out");
    }
    let mut sources = made.purge.iter().chain(&made.refresh).flat_map(|one| one.template.sources());
    let held = sources.any(|of| matches!(of, ValueOf::AnswerJson(_)));
    if let Some(store) = table.store.as_ref().filter(|store| store.value && held) {
        found
            .error(Code::NoEffect, store.spot, "an answer that selectors read is not stored")
            .help("name what goes by parts of the request and not by `json:`");
    }
}

/// Where a route says something of writes beside what goes.
pub(super) fn writing_spot(table: &OnWriteTable) -> Option<Spot> {
    let spot = |text: Option<&Text>| text.map(|text| text.spot);
    let refresh = spot(table.refresh.as_ref().and_then(|list| list.0.first()));
    let settle = match &table.settle {
        Some(Maybe::Just(field)) => Some(field.spot),
        _ => None,
    };
    let store = table.store.as_ref().map(|store| store.spot);
    let soft = table.soft.as_ref().map(|soft| soft.spot);
    let confirm = table.confirm.as_ref().map(|word| word.spot);
    refresh.or(store).or(soft).or(confirm).or(settle)
}

#[cfg(test)]
mod tests;
