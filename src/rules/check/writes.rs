//! What writes purge: that selectors name something that exists.

use http::Method;

use super::super::charset::{CharSet, Step, can_be_equal};
use super::super::compile::Made;
use super::super::diagnostic::{Code, Findings};
use super::super::names::Names;
use super::super::nearest::nearest;
use super::super::pattern::Methods;
use super::super::rulebook::{Kind, OnWrite, Role};
use super::super::selector::{SelectorKind, SelectorTemplate};
use super::super::template::Piece;
use super::check_secrets;

pub(super) fn check(routes: &[Made], kinds: &[Kind], found: &mut Findings) {
    let keys: Vec<_> = routes
        .iter()
        .filter_map(|made| Some(made.route.key.as_ref()?.texts(&made.route.names)))
        .collect();
    for made in routes {
        let OnWrite { purge, refresh, .. } = &made.route.on_write;
        let first = purge.first().map(|first| first.written.spot).or(made.write_spot);
        if let Some(spot) = first.filter(|_| !writes(made)) {
            found
                .error(Code::NoEffect, spot, "this route takes no writes")
                .help("GET, HEAD, OPTIONS and TRACE purge nothing; nor does a POST that is read");
        }
        for selector in purge.iter().chain(refresh) {
            check_names(selector, routes, kinds, found);
            let template = &selector.template;
            check_secrets("selectors", template, selector.written.spot, found);
            check_reach(selector, &made.route.names, &keys, found);
        }
    }
}

/// Whether any method that the route takes is a write.
fn writes(made: &Made) -> bool {
    let is_write = |method: &Method| made.route.role(method) == Role::Write;
    made.route.matcher.matches.iter().any(|one| match &one.methods {
        Methods::All => true,
        Methods::These(list) => list.iter().any(is_write),
    })
}

fn check_names(selector: &SelectorTemplate, routes: &[Made], kinds: &[Kind], found: &mut Findings) {
    let name = selector.name();
    let known: Vec<&str> = match selector.kind {
        SelectorKind::Type => kinds.iter().skip(1).map(|kind| &*kind.name).collect(),
        SelectorKind::Rule => routes.iter().map(|made| &*made.route.name).collect(),
        _ => return,
    };
    if known.contains(&name) {
        return;
    }
    let what = if selector.kind == SelectorKind::Type { "type" } else { "route" };
    let message = format!("no {what} is called `{name}`");
    let error = found.error(Code::UnknownName, selector.written.spot, message);
    if let Some(near) = nearest(name, known) {
        error.help(format!("did you mean `{near}`?"));
    }
}

/// Warns about a selector of keys that no route's key can be: most often a prefix was forgotten.
fn check_reach(
    selector: &SelectorTemplate,
    names: &Names,
    keys: &[Vec<Step>],
    found: &mut Findings,
) {
    let steps = match selector.kind {
        SelectorKind::Key | SelectorKind::Prefix | SelectorKind::Pattern => steps(selector, names),
        _ => return,
    };
    let target = selector.written.value.contains("http");
    if !target && !keys.iter().any(|key| can_be_equal(key, &steps)) {
        found
            .warn(Code::Selector, selector.written.spot, "no route stores under such a key")
            .help("selectors name the whole key, with the type's prefix: key:dte:{id}");
    }
}

/// All keys that a selector can cover, widened or not.
fn steps(selector: &SelectorTemplate, names: &Names) -> Vec<Step> {
    let any = Step::Many(CharSet::ALL);
    let mut steps = Vec::new();
    for piece in &selector.template.pieces {
        match piece {
            Piece::Text(text) => steps.extend(text.bytes().map(|byte| match byte {
                b'*' if selector.kind != SelectorKind::Prefix => any,
                byte => Step::One(CharSet::of(&[byte])),
            })),
            Piece::Value(value) if value.may_be_missing(names) => steps.push(any),
            Piece::Value(value) => steps.extend(value.texts(names)),
        }
    }
    if selector.kind == SelectorKind::Prefix {
        steps.push(any);
    }
    steps
}
