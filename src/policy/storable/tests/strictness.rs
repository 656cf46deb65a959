//! Properties: no bytes panic, and nothing that is forbidden becomes storable.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use crate::base::units::Span;
use crate::policy::law::{Law, Ttl};
use crate::policy::testing::*;

const NAMES: [&str; 12] = [
    "cache-control",
    "cdn-cache-control",
    "expires",
    "age",
    "vary",
    "date",
    "etag",
    "last-modified",
    "content-encoding",
    "content-location",
    "set-cookie",
    "cache-status",
];

fn anything() -> impl Strategy<Value = HeaderMap> {
    let line =
        (proptest::sample::select(&NAMES[..]), proptest::collection::vec(any::<u8>(), 0..32));
    proptest::collection::vec(line, 0..10).prop_map(|lines| {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                fields.append(name, value);
            }
        }
        fields
    })
}

fn directives() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        Just("max-age=60"),
        Just("s-maxage=60"),
        Just("public"),
        Just("No-Store"),
        Just("PRIVATE"),
        Just("no-cache"),
        Just("must-revalidate"),
        Just("x=\"a, b\""),
        Just("max-age=x"),
        Just(""),
    ];
    proptest::collection::vec(one, 0..6).prop_map(|all| all.join(" , "))
}

fn forbids(lines: &[String]) -> bool {
    let joined = lines.join(",").to_ascii_lowercase();
    joined.split(',').any(|one| matches!(one.trim(), "no-store" | "private"))
}

proptest! {
    #[test]
    fn any_answer_is_judged(
        response in anything(),
        request in anything(),
        status in 100_u16..1000,
    ) {
        let mut scene = Scene::with(&[]).status(status);
        scene.request = request;
        scene.response = response;
        for scene in [scene.clone(), scene.clone().safe(), scene.law(Law {
            ttl: Ttl::For(Span::from_secs(60)),
            ..Law::default()
        })] {
            if let Ok(keep) = scene.storable() {
                let stamp = keep.stamp;
                prop_assert!(stamp.revalidate_until >= stamp.fresh_until);
                prop_assert!(stamp.error_until >= stamp.fresh_until);
                prop_assert!(stamp.useful_until() > NOW);
                let stored = scene.stored();
                prop_assert!(stored.contains_key("date") && !stored.contains_key("age"));
            }
        }
    }

    #[test]
    fn what_the_joined_line_forbids_is_not_kept(
        lines in proptest::collection::vec(directives(), 1..4),
    ) {
        let pairs: Vec<_> = lines.iter().map(|line| ("cache-control", line.as_str())).collect();
        for scene in [Scene::with(&pairs), Scene::with(&pairs).safe()] {
            if forbids(&lines) {
                prop_assert!(scene.storable().is_err());
            }
        }
    }

    #[test]
    fn more_directives_never_lengthen_a_life(line in directives(), more in "[ -~]{0,16}") {
        let seldom = format!("{line}, no-transform, {}", more.replace(['"', ',', '='], ""));
        let (plain, longer) = (Scene::cached(&line).ttl(), Scene::cached(&seldom).ttl());
        prop_assert!(longer.unwrap_or(0) <= plain.unwrap_or(0));
    }
}
