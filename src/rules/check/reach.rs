//! Routes that can never match, because an earlier one without a condition takes all they could.

use http::Method;

use super::super::compile::Made;
use super::super::diagnostic::{Code, Findings};
use super::super::matcher::{Match, Matcher, PathMatch};
use super::super::pattern::Methods;

pub(super) fn check(routes: &[Made], found: &mut Findings) {
    for (at, made) in routes.iter().enumerate() {
        let earlier = routes.get(..at).unwrap_or_default();
        let matcher = &made.route.matcher;
        let covers: Vec<_> = matcher
            .matches
            .iter()
            .map(|one| earlier.iter().find(|other| takes(&other.route.matcher, one, matcher)))
            .collect();
        let Some(first) = covers.iter().flatten().next() else { continue };
        let place = found.place(first.spot);
        if covers.iter().all(Option::is_some) {
            let message = format!("route `{}` can never match", made.route.name);
            found
                .error(Code::Unreachable, made.spot, message)
                .label("every request for it is taken before")
                .also(place, format!("by `{}`, which has no `when`", first.route.name))
                .help("move the more specific route up, or give the other one a `when`");
            continue;
        }
        for (one, spot) in covers.iter().zip(&made.matches).filter(|(one, _)| one.is_some()) {
            let name = one.map_or("", |other| &other.route.name);
            found
                .warn(Code::Unreachable, *spot, format!("route `{name}` takes all of this before"))
                .help("move the more specific route up, or take this match out");
        }
    }
}

/// Whether a matcher without a condition takes everything that one match of another could.
fn takes(earlier: &Matcher, one: &Match, later: &Matcher) -> bool {
    earlier.when.is_none()
        && hosts_cover(earlier, later)
        && match &one.methods {
            Methods::All => {
                earlier.matches.iter().any(|m| m.methods == Methods::All && covers(m, one))
            }
            Methods::These(list) => {
                let heads = list.contains(&Method::GET).then_some(&Method::HEAD);
                list.iter().chain(heads).all(|method| {
                    earlier.matches.iter().any(|m| m.methods.fit(method) && covers(m, one))
                })
            }
        }
}

fn hosts_cover(earlier: &Matcher, later: &Matcher) -> bool {
    let covered = |host| earlier.hosts.iter().any(|other| other.covers(host));
    earlier.hosts.is_empty() || (!later.hosts.is_empty() && later.hosts.iter().all(covered))
}

/// Whether every path of `b` is one of `a`.
fn covers(a: &Match, b: &Match) -> bool {
    match (&a.path, &b.path) {
        (PathMatch::Segments(a), PathMatch::Segments(b)) => a.covers(b),
        (PathMatch::Segments(a), PathMatch::Regex(_)) => a.segments.is_empty() && a.tail.is_some(),
        (PathMatch::Regex(a), PathMatch::Regex(b)) => a.as_str() == b.as_str(),
        (PathMatch::Regex(_), PathMatch::Segments(_)) => false,
    }
}
