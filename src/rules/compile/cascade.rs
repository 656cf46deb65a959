//! `[[cascade]]` blocks: read, and refused where one could follow from itself.

use super::super::cascade::{About, Cascade, Cascades, Then, ThenKind, ThenPiece, When};
use super::super::charset::can_be_equal;
use super::super::diagnostic::{Code, Findings, Spot};
use super::super::document::RulesDocument;
use super::super::purging::CascadeTable;
use super::super::read::{At, Text};
use super::super::rulebook::Kind;
use super::{Made, unknown_name};
use crate::base::limits::{
    CASCADE_DEPTH_MAX, CASCADE_PARTS_MAX, CASCADE_SELECTORS_MAX, CASCADE_TEXT_BYTES_MAX,
    CASCADES_MAX,
};

/// All cascades, in the order of the files.
pub(super) fn cascades(
    documents: &[RulesDocument],
    routes: &[Made],
    kinds: &[Kind],
    found: &mut Findings,
) -> Cascades {
    let mut all: Vec<(Cascade, Spot)> = Vec::new();
    for table in documents.iter().flat_map(|document| document.cascade.iter().flatten()) {
        if all.len() == CASCADES_MAX {
            let message = format!("more than {CASCADES_MAX} cascades");
            found.error(Code::TooMany, table.spot, message);
            break;
        }
        all.extend(cascade(table, routes, kinds, found));
    }
    check_chains(&all, found);
    Cascades(all.into_iter().map(|(one, _)| one).collect())
}

fn cascade(
    table: &At<CascadeTable>,
    routes: &[Made],
    kinds: &[Kind],
    found: &mut Findings,
) -> Option<(Cascade, Spot)> {
    let written = &table.value;
    for (missing, name) in [(written.when.is_none(), "when"), (written.then.is_none(), "then")] {
        if missing && !written.broken {
            let message = format!("this cascade has no `{name}`");
            found
                .error(Code::Missing, table.spot, message)
                .help("write when = \"tag:doc:*\" and then = [\"tag:embedding:{1}\"]");
        }
    }
    let (when_text, then_texts) = written.when.as_ref().zip(written.then.as_ref())?;
    let when = when(when_text, routes, kinds, found)?;
    let then: Vec<_> = then_texts.0.iter().collect();
    if then.is_empty() {
        found.error(Code::Cascade, when_text.spot, "nothing follows: `then` is empty");
    }
    if let Some(first) = then.get(CASCADE_SELECTORS_MAX) {
        let message = format!("a cascade gives at most {CASCADE_SELECTORS_MAX} selectors");
        found.error(Code::TooMany, first.spot, message);
    }
    let read = |text: &&Text| follower(text, when.stars(), routes, kinds, found);
    let then = then.iter().filter_map(read).collect();
    Some((Cascade { when, then }, when_text.spot))
}

/// Bare text is a key, as in every selector.
fn when(text: &Text, routes: &[Made], kinds: &[Kind], found: &mut Findings) -> Option<When> {
    let spot = text.spot;
    plain(text, found)?;
    let (about, rest) = match text.value.split_once(':') {
        Some(("key", rest)) => (About::Key, rest),
        Some(("tag", rest)) => (About::Tag, rest),
        Some(("type", rest)) => (About::Type, rest),
        Some(("rule", rest)) => (About::Rule, rest),
        Some(("prefix" | "pattern" | "url" | "tenant", _)) => {
            found
                .error(Code::Cascade, spot, "`when` takes key:, tag:, type: or rule:")
                .help("a purge by prefix: or pattern: that reaches such a key counts too");
            return None;
        }
        _ if text.value == "all" => {
            found
                .error(Code::Cascade, spot, "nothing is left to go when everything went")
                .help("name a key:, tag:, type: or rule:");
            return None;
        }
        _ => (About::Key, text.value.as_str()),
    };
    let literals: Vec<String> = rest.split('*').map(str::to_owned).collect();
    if literals.first().is_none_or(String::is_empty) {
        found
            .error(Code::Cascade, spot, "no text stands before the first `*`")
            .help("begin with text, or whatever is purged would make this follow");
        return None;
    }
    let inner = literals.get(1..literals.len() - 1).unwrap_or_default();
    if inner.iter().any(String::is_empty) {
        found.error(Code::Cascade, spot, "between two `*` stands text, most often a colon");
        return None;
    }
    if literals.len() > CASCADE_PARTS_MAX {
        let message = format!("a cascade has less than {CASCADE_PARTS_MAX} parts");
        found.error(Code::TooMany, spot, message);
        return None;
    }
    if literals.len() == 1 {
        known(about, rest, spot, routes, kinds, found);
    }
    Some(When { about, literals })
}

fn follower(
    text: &Text,
    stars: usize,
    routes: &[Made],
    kinds: &[Kind],
    found: &mut Findings,
) -> Option<Then> {
    plain(text, found)?;
    let (kind, rest) = match text.value.split_once(':') {
        Some(("key" | "pattern", rest)) => (ThenKind::Key, rest),
        Some(("prefix", rest)) => (ThenKind::Prefix, rest),
        Some(("tag", rest)) => (ThenKind::Tag, rest),
        Some(("type", rest)) => (ThenKind::Type, rest),
        Some(("rule", rest)) => (ThenKind::Rule, rest),
        Some(("url" | "tenant", _)) => {
            found
                .error(Code::Cascade, text.spot, "`then` takes no url: or tenant: selectors")
                .help("use key:, prefix:, pattern:, tag:, type: or rule:");
            return None;
        }
        _ if text.value == "all" => (ThenKind::All, ""),
        _ => (ThenKind::Key, text.value.as_str()),
    };
    let pieces = pieces(rest, stars).map_err(|why| {
        found.error(Code::Cascade, text.spot, why);
    });
    let pieces = pieces.ok()?;
    let by_name = match kind {
        ThenKind::All => return Some(Then { kind, pieces }),
        ThenKind::Type => Some(About::Type),
        ThenKind::Rule => Some(About::Rule),
        _ => None,
    };
    match (pieces.first(), by_name) {
        (Some(ThenPiece::Text(name)), Some(about)) if pieces.len() == 1 => {
            known(about, name, text.spot, routes, kinds, found);
        }
        (_, Some(_)) => {
            found.error(Code::Cascade, text.spot, "`type:` and `rule:` take a name without parts");
        }
        (Some(ThenPiece::Text(own)), None) if !own.starts_with('*') => {}
        _ => {
            found
                .error(Code::Cascade, text.spot, "no text stands before the first part")
                .help("where a part may be anything, everything would go: give it a prefix");
        }
    }
    Some(Then { kind, pieces })
}

/// Text and parts: `{1}` is what the first `*` was.
fn pieces(text: &str, stars: usize) -> Result<Vec<ThenPiece>, String> {
    let mut all = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (own, behind) = rest.split_once('{').unwrap_or((rest, ""));
        if own.contains('}') {
            return Err("a closing brace without an opening one".to_owned());
        }
        if !own.is_empty() {
            all.push(ThenPiece::Text(own.to_owned()));
        }
        if own.len() == rest.len() {
            break;
        }
        let (number, behind) = behind.split_once('}').ok_or("this brace is not closed")?;
        let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let at = at.filter(|at| *at < stars).ok_or_else(|| {
            let known = match stars {
                0 => "`when` has no `*`".to_owned(),
                1 => "`when` has one `*`, which is {1}".to_owned(),
                _ => format!("the parts of `when` are {{1}} to {{{stars}}}"),
            };
            format!("there is no part {{{number}}}: {known}")
        })?;
        all.push(ThenPiece::Part(at));
        rest = behind;
    }
    Ok(all)
}

/// Printable, and no longer than it may be.
fn plain(text: &Text, found: &mut Findings) -> Option<()> {
    if text.value.len() > CASCADE_TEXT_BYTES_MAX {
        let message = format!("a selector of a cascade has at most {CASCADE_TEXT_BYTES_MAX} bytes");
        found.error(Code::TooMany, text.spot, message);
        return None;
    }
    if text.value.is_empty() || !text.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        found
            .error(Code::Cascade, text.spot, "a selector is printable ASCII without spaces")
            .help("write other bytes as they are stored, for example %20");
        return None;
    }
    Some(())
}

/// A type or rule that is named must be there.
fn known(
    about: About,
    name: &str,
    spot: Spot,
    routes: &[Made],
    kinds: &[Kind],
    found: &mut Findings,
) {
    let (what, names): (_, Vec<&str>) = match about {
        About::Type => ("type", kinds.iter().skip(1).map(|kind| &*kind.name).collect()),
        About::Rule => ("route", routes.iter().map(|made| &*made.route.name).collect()),
        About::Key | About::Tag => return,
    };
    if !names.contains(&name) {
        unknown_name(what, name, spot, names.into_iter(), found);
    }
}

/// Which cascades each makes follow.
fn edges(all: &[(Cascade, Spot)]) -> Vec<Vec<usize>> {
    let whens: Vec<_> = all.iter().map(|(one, _)| (one.when.about, one.when.steps())).collect();
    let follows = |one: &Cascade| {
        let reached: Vec<_> = one.then.iter().filter_map(Then::reach).collect();
        let is_reached = |(about, steps): &(About, Vec<_>)| {
            reached.iter().any(|(other, texts)| other == about && can_be_equal(texts, steps))
        };
        let places = whens.iter().enumerate().filter(|(_, when)| is_reached(when));
        places.map(|(at, _)| at).collect()
    };
    all.iter().map(|(one, _)| follows(one)).collect()
}

/// Refuses a cascade that could follow from itself, and chains that are too long.
fn check_chains(all: &[(Cascade, Spot)], found: &mut Findings) {
    let edges = edges(all);
    // Lengths of the longest chains from each, found by going one step further in each round: those
    // that still grow after as many rounds as there are cascades go in a circle.
    let mut lengths = vec![1_usize; all.len()];
    for _ in 0..all.len() {
        let longer = |next: &Vec<usize>| {
            let behind = next.iter().filter_map(|at| lengths.get(*at)).max();
            behind.map_or(1, |behind| (behind + 1).min(all.len() + 1))
        };
        lengths = edges.iter().map(longer).collect();
    }
    for (at, (length, (_, spot))) in lengths.iter().zip(all).enumerate() {
        if *length > all.len() {
            if reaches(&edges, at, at) {
                found
                    .error(Code::Cascade, *spot, "this cascade could follow from itself")
                    .help("what `then` names must not fit `when`, not even through other cascades");
            }
        } else if *length > CASCADE_DEPTH_MAX {
            let message =
                format!("{length} cascades follow one another; at most {CASCADE_DEPTH_MAX} may");
            found.error(Code::Cascade, *spot, message);
        }
    }
}

/// Whether following edges from `from` leads to `to`.
fn reaches(edges: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; edges.len()];
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for next in edges.get(at).into_iter().flatten() {
            if *next == to {
                return true;
            }
            if let Some(seen) = seen.get_mut(*next).filter(|seen| !**seen) {
                *seen = true;
                open.push(*next);
            }
        }
    }
    false
}
