//! Which route is this request's. Everything that can be prepared is: paths are split, texts are
//! decoded, expressions are compiled, and a table by the first segment leaves only the few routes
//! that can fit at all. They are tried in the order of the file; the first that fits is taken.

use std::collections::HashMap;
use std::sync::Arc;

use regex::bytes::Regex;
use smallvec::SmallVec;

use super::condition::Condition;
use super::extract::{Asked, Captured, Captures, Given};
use super::host::HostPattern;
use super::pattern::{Methods, PathPattern, Segment};
use super::percent;
use super::rulebook::Route;
use super::tenant::Tenancy;

/// One match of a route, ready to run.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) methods: Methods,
    pub(super) path: PathMatch,
    /// For each part of the path (a tail last) or named group its place among the route's names.
    pub(super) places: Box<[usize]>,
    /// As it stands in the file.
    pub(super) written: Box<str>,
}

/// How a path is matched.
#[derive(Clone, Debug)]
pub(super) enum PathMatch {
    /// By its segments.
    Segments(PathPattern),
    /// By an expression that must fit all of it.
    Regex(Regex),
}

/// What decides whether a route takes a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Matcher {
    pub(super) matches: Box<[Match]>,
    /// Empty: any.
    pub(super) hosts: Box<[HostPattern]>,
    pub(super) when: Option<Condition>,
    /// How many names the matches have together.
    pub(super) names: usize,
    /// Whose the requests are; nothing where they are everybody's.
    pub(super) tenancy: Option<Tenancy>,
}

/// A target's path, split once for all routes: offsets into the target.
struct Path<'a> {
    target: &'a [u8],
    segments: SmallVec<[(u32, u32); 16]>,
    end: u32,
}

impl<'a> Path<'a> {
    /// `None` for what has no path, such as `*`.
    fn of(asked: &Asked<'a>) -> Option<Self> {
        let path = asked.path();
        let rest = path.strip_prefix('/')?;
        let mut segments = SmallVec::new();
        let mut at = 1;
        for segment in rest.split('/') {
            let end = at + segment.len() as u32;
            segments.push((at, end));
            at = end + 1;
        }
        Some(Self { target: asked.target.as_bytes(), segments, end: path.len() as u32 })
    }

    fn raw(&self, at: (u32, u32)) -> &'a [u8] {
        self.target.get(at.0 as usize..at.1 as usize).unwrap_or_default()
    }
}

impl Matcher {
    fn fits(&self, asked: &Asked<'_>, path: &Path<'_>) -> Option<Captures> {
        if !self.hosts.is_empty() && !self.hosts.iter().any(|host| host.fits(asked.authority)) {
            return None;
        }
        // With a condition, a later match of the same route may fit where an earlier one does not.
        self.matches.iter().filter(|one| one.methods.fit(asked.method)).find_map(|one| {
            let mut captures = one.captures(path, self.names)?;
            if let Some(tenancy) = &self.tenancy {
                captures.tenant = tenancy.of(asked, &captures);
            }
            let holds =
                self.when.as_ref().is_none_or(|when| when.holds(&Given::request(asked, &captures)));
            holds.then_some(captures)
        })
    }
}

impl Match {
    fn captures(&self, path: &Path<'_>, names: usize) -> Option<Captures> {
        match &self.path {
            PathMatch::Segments(pattern) => self.by_segments(pattern, path, names),
            PathMatch::Regex(regex) => {
                let whole = path.raw((0, path.end));
                let found = regex.captures(whole)?;
                let mut captures = no_parts(names);
                let groups = regex.capture_names().enumerate().filter(|(_, name)| name.is_some());
                for ((group, _), place) in groups.zip(&self.places) {
                    let part = found.get(group).map(|part| Captured {
                        start: part.start() as u32,
                        end: part.end() as u32,
                        tail: false,
                    });
                    set(&mut captures, *place, part);
                }
                Some(captures)
            }
        }
    }

    fn by_segments(
        &self,
        pattern: &PathPattern,
        path: &Path<'_>,
        names: usize,
    ) -> Option<Captures> {
        let (wanted, there) = (pattern.segments.len(), path.segments.len());
        let fits = if pattern.tail.is_some() { there > wanted } else { there == wanted };
        if !fits {
            return None;
        }
        let mut captures = no_parts(names);
        let mut places = self.places.iter().copied();
        for (segment, at) in pattern.segments.iter().zip(&path.segments) {
            let raw = path.raw(*at);
            match segment {
                Segment::Text(text) if percent::equals(raw, text.as_bytes()) => {}
                Segment::Text(_) => return None,
                Segment::Part { before, after, shape, .. } => {
                    let rest = percent::strip_prefix(raw, before.as_bytes())?;
                    let value = percent::strip_suffix(rest, after.as_bytes())?;
                    let shaped = shape.is_none_or(|shape| shape.fits(&percent::decoded(value)));
                    if value.is_empty() || !shaped {
                        return None;
                    }
                    let start = at.1 - rest.len() as u32;
                    let end = start + value.len() as u32;
                    set(&mut captures, places.next()?, Some(Captured { start, end, tail: false }));
                }
            }
        }
        if pattern.tail.is_some() {
            let start = path.segments.get(wanted)?.0;
            let tail = Captured { start, end: path.end, tail: true };
            set(&mut captures, places.next()?, Some(tail));
        }
        Some(captures)
    }
}

fn no_parts(names: usize) -> Captures {
    Captures { parts: SmallVec::from_elem(None, names), ..Captures::default() }
}

fn set(captures: &mut Captures, place: usize, part: Option<Captured>) {
    if let Some(slot) = captures.parts.get_mut(place) {
        *slot = part;
    }
}

/// All routes, by the first segment of the path.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Routes that can fit a path which begins with this text, in the order of the file.
    by_text: HashMap<Box<[u8]>, Box<[u16]>, foldhash::fast::RandomState>,
    /// Routes that can fit a path which begins with any other.
    others: Box<[u16]>,
}

impl Table {
    /// Prepares the table.
    pub(super) fn of(routes: &[Arc<Route>]) -> Self {
        let starts: Vec<_> = routes.iter().map(|route| Start::of(&route.matcher)).collect();
        let numbers = |takes: &dyn Fn(&Start<'_>) -> bool| {
            let taken = starts.iter().enumerate().filter(|(_, start)| takes(start));
            taken.map(|(at, _)| at as u16).collect::<Box<[u16]>>()
        };
        let mut by_text = HashMap::default();
        for text in starts.iter().flat_map(|start| &start.texts) {
            by_text
                .entry(text.as_bytes().into())
                .or_insert_with(|| numbers(&|start| start.any || start.texts.contains(text)));
        }
        Self { by_text, others: numbers(&|start| start.any) }
    }

    /// The first route that takes the request, and the parts of its path.
    pub(super) fn find<'r>(
        &self,
        routes: &'r [Arc<Route>],
        asked: &Asked<'_>,
    ) -> Option<(&'r Arc<Route>, Captures)> {
        let path = Path::of(asked)?;
        let first = percent::decoded(path.raw(*path.segments.first()?));
        let candidates = self.by_text.get(first.as_ref()).unwrap_or(&self.others);
        candidates.iter().find_map(|at| {
            let route = routes.get(usize::from(*at))?;
            route.matcher.fits(asked, &path).map(|captures| (route, captures))
        })
    }
}

/// How the paths of a route can begin.
struct Start<'a> {
    texts: Vec<&'a str>,
    any: bool,
}

impl<'a> Start<'a> {
    fn of(matcher: &'a Matcher) -> Self {
        let firsts: Vec<_> = matcher
            .matches
            .iter()
            .map(|one| match &one.path {
                PathMatch::Segments(pattern) => pattern.first_text(),
                PathMatch::Regex(_) => None,
            })
            .collect();
        Self { any: firsts.contains(&None), texts: firsts.into_iter().flatten().collect() }
    }
}

#[cfg(test)]
mod tests;
