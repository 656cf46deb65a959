//! What stands in the levels, told to operators, and entries that they put there. Nothing that is
//! told here counts as a use.

mod put;
mod spot;
mod told;

use std::net::SocketAddr;

use http::HeaderMap;

use crate::base::limits;
use crate::engine::explain;
use crate::engine::{Engine, purge};
use crate::entry::order::{Order, Selector};
use crate::entry::{Body, Entry, Key};
use crate::store::l1::After;
use crate::store::redis::TierFault;
use crate::store::redis::fleet::{Kept, ListFault, Wanted};

pub use put::{Content, NotPut, Placed, put};
pub use spot::{Named, NoSpot};
pub use told::{Row, Variant};

/// A page of entries.
#[derive(Debug)]
pub struct Rows {
    /// One for each identity of L1, or for each frame of the shared level.
    pub rows: Vec<Row>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<String>,
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// The place is none that a page has told.
    #[error("`after` is no place that a page has told as `next`")]
    After,
    /// There is no shared level.
    #[error("no shared level is set (l2.url, REDIS_URL)")]
    Alone,
    /// Keys do not say where they stand.
    #[error("rules place keys by a shard there; name the entry by url=URL")]
    Shard,
    /// The shared level does not tell.
    #[error("the shared level: {0}")]
    Shared(#[from] ListFault),
}

impl From<TierFault> for Untold {
    fn from(fault: TierFault) -> Self {
        Self::Shared(fault.into())
    }
}

/// What a selector means here: a target is what a GET of it finds.
fn meant(engine: &Engine, selector: &Selector) -> Vec<Selector> {
    purge::resolved(engine, Order::of([selector.clone()])).selectors
}

/// A page of what this node holds of a selector.
///
/// # Errors
/// When `after` is no place of a page.
pub fn held(
    engine: &Engine,
    selector: &Selector,
    after: Option<&str>,
    most: usize,
) -> Result<Rows, Untold> {
    let after: Option<After> = after.map(str::parse).transpose().map_err(|()| Untold::After)?;
    let page = engine.l1.list(&meant(engine, selector), after.as_ref(), most);
    let now = engine.clock.now();
    let rows = page.found.iter().map(|listed| Row::held(listed, now)).collect();
    Ok(Rows { rows, next: page.next.map(|after| after.to_string()) })
}

/// A page of what the shared level holds of a selector, as this node sees it. It may hold a few
/// more than were asked for, and the same twice.
///
/// # Errors
/// When there is none, it does not answer, or `after` is no place of a page.
pub async fn shared(
    engine: &Engine,
    selector: &Selector,
    after: Option<&str>,
    most: usize,
) -> Result<Rows, Untold> {
    let fleet = engine.fleet.as_ref().ok_or(Untold::Alone)?;
    let meant = meant(engine, selector);
    let now = engine.clock.now();
    let rows = |found: &[Kept]| found.iter().map(|kept| Row::shared(kept, now)).collect();
    // Where a key says its place, nothing else need be looked at.
    if let ([Selector::Key(text)], None, true) = (&meant[..], after, says_places(engine)) {
        let found = fleet.kept_under(text, None).await?;
        return Ok(Rows { rows: rows(&found), next: None });
    }
    let page = fleet.list(&meant, after, most).await?;
    Ok(Rows { rows: rows(&page.found), next: page.next })
}

/// Whether keys say where they stand in the shared level: no rule places them by something else.
fn says_places(engine: &Engine) -> bool {
    !engine.book.load().rules.routes.iter().any(|route| route.has_shard())
}

/// Which entries are asked for.
#[derive(Clone, Debug)]
pub struct Which {
    /// The key as rules and people name it.
    pub text: String,
    /// What the rule's `shard` gave.
    shard: Option<String>,
    /// Whether the place in the shared level is known.
    is_placed: bool,
}

impl Which {
    /// Those under a key: its text, or that under which a GET of a URL is looked up.
    ///
    /// # Errors
    /// When neither is said, the key can be none, or the URL is not looked up.
    pub fn of(
        engine: &Engine,
        key: Option<&str>,
        url: Option<&str>,
        node: Option<SocketAddr>,
    ) -> Result<Self, NoSpot> {
        match (key, url) {
            (None, None) => Err(NoSpot::Nothing),
            (Some(key), _) if !spot::is_key(key) => Err(NoSpot::Key),
            (Some(key), None) => {
                Ok(Self { text: key.to_owned(), shard: None, is_placed: says_places(engine) })
            }
            (key, Some(url)) => {
                let (_, plan) = explain::plan_of(engine, url, node)?;
                let text = plan.key.text().to_owned();
                if key.is_some_and(|key| key != text) {
                    return Err(NoSpot::OtherKey(text));
                }
                Ok(Self { text, shard: plan.shard, is_placed: true })
            }
        }
    }
}

/// Everything that stands under a key.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Each answer, in each level.
    pub variants: Vec<Variant>,
    /// Why the shared level does not tell, where there is one.
    pub untold: Option<String>,
}

/// What stands under a key in both levels.
pub async fn standing(engine: &Engine, which: &Which) -> Standing {
    let now = engine.clock.now();
    let mut variants: Vec<Variant> = of_l1(engine, &which.text)
        .iter()
        .map(|(key, entry)| Variant::held(key, entry, now))
        .collect();
    let untold = match of_l2(engine, which).await {
        Ok(kept) => {
            variants.extend(kept.iter().map(|kept| Variant::shared(kept, now)));
            None
        }
        Err(Untold::Alone) => None,
        Err(why) => Some(why.to_string()),
    };
    Standing { variants, untold }
}

fn of_l1(engine: &Engine, text: &str) -> Vec<(Key, std::sync::Arc<Entry>)> {
    let named = [Selector::Key(text.to_owned())];
    let page = engine.l1.list(&named, None, limits::IDENTITIES_TOLD_MAX);
    let each = page.found.into_iter();
    each.flat_map(|one| one.entries.into_iter().map(move |entry| (one.key.clone(), entry)))
        .collect()
}

async fn of_l2(engine: &Engine, which: &Which) -> Result<Vec<Kept>, Untold> {
    let fleet = engine.fleet.as_ref().ok_or(Untold::Alone)?;
    if !which.is_placed {
        return Err(Untold::Shard);
    }
    Ok(fleet.kept_under(&which.text, which.shard.as_deref()).await?)
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its bytes.
    pub body: Body,
    /// Whether credentials select it: it is one caller's own.
    pub own: bool,
}

/// The body of the newest answer under a key: of L1, or where nothing stands there, of the shared
/// level, whose variants for requests of a certain kind are not read.
pub async fn shown(engine: &Engine, which: &Which) -> Option<Shown> {
    let held = of_l1(engine, &which.text);
    let newest = held.into_iter().max_by_key(|(_, entry)| entry.stamp.stored_at);
    if let Some((key, entry)) = newest {
        return Some(Shown::of(&key, &entry));
    }
    let fleet = engine.fleet.as_ref()?;
    let kept = of_l2(engine, which).await.ok()?;
    let newest =
        kept.iter().filter(|kept| kept.selecting.is_empty()).max_by_key(|kept| kept.number)?;
    let fields = HeaderMap::new();
    let birth = engine.fences.begin();
    let wanted = Wanted {
        key: &newest.key,
        shard: which.shard.as_deref(),
        fields: &fields,
        kind: &newest.kind,
        sealed: false,
        replica: false,
        lease: None,
        birth: birth.tick(),
        shapes: engine.l1.shapes(),
    };
    let found = fleet.find(&wanted, engine).await.ok()?;
    let entry = found.entries.into_iter().next()?.counted_in(&engine.transit);
    Some(Shown::of(&newest.key, &entry))
}

impl Shown {
    fn of(key: &Key, entry: &Entry) -> Self {
        Self { body: entry.body.clone(), own: told::is_own(key) || entry.selecting.holds_secret() }
    }
}
