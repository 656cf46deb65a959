//! What is worth fetching ahead, as far as the levels tell: what stands of a type and is old, and
//! the hottest keys. Levels are looked at a page at a time, which takes no memory for a long walk.

use std::collections::HashSet;
use std::ops::Range;

use http::header;

use super::Target;
use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::engine::Engine;
use crate::engine::hot::By;
use crate::entry::order::Selector;
use crate::entry::{Entry, Key};
use crate::policy::date;
use crate::store::l1::After;
use crate::store::redis::fleet::{Kept, ListFault};

/// A page of what is worth fetching.
#[derive(Debug, Default)]
pub struct Page {
    /// What can be asked for.
    pub targets: Vec<Target>,
    /// Keys of which nothing tells how to ask for them.
    pub unknown: Vec<String>,
}

/// A walk through what stands of a type: what is not fresh in L1, and then what the shared level
/// has, which an answer may be found in without asking the origin.
#[derive(Debug)]
pub struct Walk {
    selectors: [Selector; 1],
    dated: Option<Range<Timestamp>>,
    at: At,
}

#[derive(Debug)]
enum At {
    L1(Option<After>),
    Shared(Option<String>),
    End,
}

impl Walk {
    /// Of a type, and where a span is given only of what was stored or made in it: by the time of
    /// receipt, `Date`, or `Last-Modified`.
    pub fn of_type(kind: &str, dated: Option<Range<Timestamp>>) -> Self {
        Self { selectors: [Selector::Type(kind.to_owned())], dated, at: At::L1(None) }
    }

    /// The next page; it may be empty. Nothing at the end.
    ///
    /// # Errors
    /// When the shared level does not answer.
    pub async fn next(&mut self, engine: &Engine) -> Result<Option<Page>, ListFault> {
        match std::mem::replace(&mut self.at, At::End) {
            At::End => Ok(None),
            At::L1(after) => {
                let page = engine.l1.list(&self.selectors, after.as_ref(), limits::JOB_PAGE);
                self.at = page.next.map_or(At::Shared(None), |next| At::L1(Some(next)));
                let now = engine.clock.now();
                let each = page.found.iter();
                let each = each.flat_map(|one| one.entries.iter().map(|entry| (&one.key, entry)));
                let old = each.filter(|(_, entry)| {
                    !entry.stamp.is_fresh(now) && self.takes(|span| was_in(entry, span, now))
                });
                let targets = old.map(|(key, entry)| Target::of_entry(key, entry)).collect();
                Ok(Some(Page { targets, unknown: Vec::new() }))
            }
            At::Shared(after) => {
                let Some(fleet) = &engine.fleet else { return Ok(None) };
                let page = fleet.list(&self.selectors, after.as_deref(), limits::JOB_PAGE).await?;
                self.at = page.next.map_or(At::End, |next| At::Shared(Some(next)));
                Ok(Some(self.of_kept(engine, &page.found)))
            }
        }
    }

    fn takes(&self, is_in: impl FnOnce(&Range<Timestamp>) -> bool) -> bool {
        self.dated.as_ref().is_none_or(is_in)
    }

    fn of_kept(&self, engine: &Engine, found: &[Kept]) -> Page {
        let mut page = Page::default();
        for kept in found {
            let stamp = kept.stamp.map(|(stamp, _)| stamp);
            let when = stamp.map(|stamp| [stamp.stored_at, stamp.date]);
            let is_in = |span: &Range<Timestamp>| {
                // A sealed one does not say when it was stored.
                when.is_none_or(|when| when.iter().any(|at| span.contains(at)))
            };
            if !self.takes(is_in) || stands_fresh(engine, &kept.key) {
                continue;
            }
            if kept.selecting.is_empty() {
                page.targets.push(Target::of_kept(&kept.key, kept.target.as_deref()));
            } else {
                // Which values select it, the shared level does not tell.
                page.unknown.push(kept.key.text().to_owned());
            }
        }
        page
    }
}

fn was_in(entry: &Entry, span: &Range<Timestamp>, now: Timestamp) -> bool {
    let changed = entry.head.get(&header::LAST_MODIFIED).and_then(|text| date::parse(text, now));
    let times = [Some(entry.stamp.stored_at), Some(entry.stamp.date), changed];
    times.iter().flatten().any(|at| span.contains(at))
}

/// Whether all that stands here under a key is fresh.
fn stands_fresh(engine: &Engine, key: &Key) -> bool {
    let now = engine.clock.now();
    let bundle = engine.l1.peek(key.identity());
    bundle.is_some_and(|bundle| bundle.variants().iter().all(|one| one.stamp.is_fresh(now)))
}

/// The keys that are asked for and missed most, as far as they do not stand here fresh, the hottest
/// first.
pub fn hottest(engine: &Engine) -> Page {
    let now = engine.clock.now();
    let mut page = Page::default();
    let mut seen = HashSet::new();
    for by in [By::Asked, By::Missed] {
        for hot in engine.hot.top(by, limits::LISTED_MAX).keys {
            if !seen.insert(hot.key.identity().to_owned()) {
                continue;
            }
            match engine.l1.peek(hot.key.identity()) {
                Some(bundle) => {
                    let old = bundle.variants().iter().filter(|one| !one.stamp.is_fresh(now));
                    page.targets.extend(old.map(|one| Target::of_entry(&hot.key, one)));
                }
                // A key that no rule makes is the URL itself.
                None => match Target::of_url(hot.key.text()) {
                    Ok(target) => page.targets.push(target),
                    Err(_) => page.unknown.push(hot.key.text().to_owned()),
                },
            }
        }
    }
    page
}
