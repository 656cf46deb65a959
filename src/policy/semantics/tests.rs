//! Two implementations, the same answers. Where they part, the reason has a name here, and each
//! name is seen at work: one that never applies is no longer true.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::policy::directives::ResponseDirectives;
use crate::policy::freshness::{Times, lifetime};
use crate::policy::testing::{NOW, Scene, date, map};

/// Why the other implementation says something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Departure {
    /// It keeps fourteen statuses only; any final one with explicit freshness may be (RFC 9111, 3).
    FewStatuses,
    /// It takes `proxy-revalidate` for a lifetime of nothing; it only forbids stale use (5.2.2.8).
    ProxyRevalidate,
    /// It takes a qualified `private` or `no-cache` for the whole (5.2.2.4, 5.2.2.7).
    Qualified,
    /// It does not know `must-understand` (5.2.2.3).
    MustUnderstand,
    /// Its guesses have no upper bound; ours end at a day (4.2.2).
    LongGuess,
    /// It guesses for any status that it keeps, ours only for those of RFC 9110, 15.1.
    GuessedStatus,
    /// It gives `immutable` a day of its own; RFC 8246 gives it none.
    Immutable,
}

#[derive(Clone, Debug)]
struct Case {
    directives: Vec<&'static str>,
    expires: Option<String>,
    modified: Option<i64>,
    status: u16,
}

impl Case {
    fn scene(&self) -> Scene {
        let cache_control = self.directives.join(", ");
        let mut lines = vec![("date", date(0)), ("cache-control", cache_control)];
        lines.extend(self.expires.clone().map(|text| ("expires", text)));
        lines.extend(self.modified.map(|ago| ("last-modified", date(-ago))));
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Scene::with(&lines).status(self.status)
    }

    fn says(&self, directive: &str) -> bool {
        self.directives.iter().any(|said| said.split('=').next() == Some(directive))
    }

    fn is_qualified(&self) -> bool {
        self.directives.iter().any(|said| said.contains("=\""))
    }

    /// The departures that could explain a difference.
    fn departures(&self, ours: u64, theirs: u64) -> Vec<Departure> {
        let guessed = self.expires.is_none() && !self.says("max-age") && !self.says("s-maxage");
        let known = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501];
        [
            (Departure::FewStatuses, !known.contains(&self.status) && theirs == 0),
            (Departure::ProxyRevalidate, self.says("proxy-revalidate") && theirs == 0),
            (Departure::Qualified, self.is_qualified() && theirs == 0),
            (Departure::MustUnderstand, self.says("must-understand")),
            (Departure::LongGuess, guessed && ours == 86_400 && theirs > ours),
            (Departure::GuessedStatus, guessed && ours == 0 && self.status != 200),
            (Departure::Immutable, self.says("immutable") && theirs >= 86_400),
        ]
        .into_iter()
        .filter_map(|(departure, applies)| applies.then_some(departure))
        .collect()
    }
}

const DIRECTIVES: [&str; 12] = [
    "max-age=60",
    "s-maxage=30",
    "public",
    "no-store",
    "private",
    "no-cache",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "immutable",
    "private=\"x\"",
    "No-Cache=\"x\"",
];

/// All sets of at most three directives.
fn sets() -> Vec<Vec<&'static str>> {
    let mut sets = vec![vec![]];
    for (at, one) in DIRECTIVES.iter().enumerate() {
        sets.push(vec![*one]);
        for (next, two) in DIRECTIVES.iter().enumerate().skip(at + 1) {
            sets.push(vec![*one, *two]);
            sets.extend(DIRECTIVES.iter().skip(next + 1).map(|three| vec![*one, *two, *three]));
        }
    }
    sets
}

fn cases() -> Vec<Case> {
    let expires = [None, Some(date(90)), Some(date(-90)), Some("0".to_owned())];
    let mut all = Vec::new();
    for directives in sets() {
        for expires in &expires {
            for modified in [None, Some(7_000), Some(86_400 * 400)] {
                for status in [200, 204, 302, 404, 400, 501, 503] {
                    let (directives, expires) = (directives.clone(), expires.clone());
                    all.push(Case { directives, expires, modified, status });
                }
            }
        }
    }
    all
}

#[test]
fn both_grant_the_same_lifetime_but_for_named_departures() {
    let mut seen = HashSet::new();
    for case in cases() {
        let scene = case.scene();
        let ours = scene.ttl().unwrap_or(0);
        let status = StatusCode::from_u16(case.status).unwrap();
        let theirs = origin_lifetime(&scene.response, status, NOW).map_or(0, Span::as_secs);
        if ours != theirs {
            let named = case.departures(ours, theirs);
            assert!(!named.is_empty(), "ours {ours}, theirs {theirs}: {case:?}");
            seen.extend(named);
        }
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[test]
fn dates_and_numbers_are_normalised_before_it_hears_them() {
    let hears = |lines: &[(&str, &str)]| {
        origin_lifetime(&map(lines), StatusCode::OK, NOW).map(Span::as_secs)
    };
    assert!(hears(&[("expires", "Thursday, 18-Aug-50 02:01:18 GMT")]).unwrap() > 600_000_000);
    assert_eq!(hears(&[("expires", "Thu, 18  Aug  2050 02:01:18 EST")]), Some(0));
    assert_eq!(hears(&[("cache-control", "max-age=99999999999999999999")]), Some(1 << 31));
    assert_eq!(hears(&[("cache-control", "MAX-AGE=\"5\"")]), Some(5));
    assert_eq!(hears(&[("cache-control", "max-age=5x")]), Some(0));
    assert_eq!(hears(&[("cache-control", "max-age=5"), ("age", "18446744073709551615")]), Some(5));
    assert_eq!(hears(&[("cache-control", "x=\"a, max-age=9\", max-age=5")]), Some(5));
    assert_eq!(hears(&[("cache-control", "No-Store, max-age=5")]), None);
}

#[test]
fn it_is_not_asked_about_what_it_does_not_know() {
    for by in [TtlBy::Targeted, TtlBy::Heuristic, TtlBy::Rule, TtlBy::None] {
        assert_eq!(second_voice(&map(&[("cache-control", "max-age=5")]), by, NOW), None);
    }
    let forbidding = map(&[("cache-control", "no-store, private, proxy-revalidate, max-age=5")]);
    assert_eq!(second_voice(&forbidding, TtlBy::MaxAge, NOW), Some(Span::from_secs(5)));
}

proptest! {
    /// The second voice never shortens what is well-formed, and never lengthens anything.
    #[test]
    fn the_second_voice_agrees(
        directives in proptest::collection::vec(
            "(max-age|S-MAXAGE|public|x)(=[0-9]{1,12}|=\"[0-9]{1,12}\")?",
            0..4,
        ),
        expires in proptest::option::of(-5_000_i64..5_000),
    ) {
        let mut fields = map(&[("cache-control", &directives.join(", "))]);
        if let Some(expires) = expires {
            fields.insert("expires", date(expires).parse().unwrap());
        }
        let said = ResponseDirectives::of(&fields, &[]);
        if let Some(ours) = lifetime(&fields, &said, Times::of(&fields, NOW, NOW)) {
            prop_assert_eq!(second_voice(&fields, ours.by, NOW), Some(ours.span));
        }
    }

    #[test]
    fn any_bytes_are_heard_without_harm(
        value in proptest::collection::vec(any::<u8>(), 0..48), moment: u64,
    ) {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            for name in ["cache-control", "expires", "last-modified", "age", "vary"] {
                let fields = HeaderMap::from_iter([(name.parse().unwrap(), value.clone())]);
                let _ = origin_lifetime(&fields, StatusCode::OK, Timestamp::from_millis(moment));
            }
        }
    }
}
