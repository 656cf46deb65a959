//! Keys: that they tell requests apart, that they show no secret, and that two routes which could
//! write the same entry mean the same thing by it.

use http::Method;

use super::super::charset::{CharSet, Step, can_be_equal};
use super::super::compile::Made;
use super::super::condition::{Condition, Test};
use super::super::diagnostic::{Code, Findings, Spot};
use super::super::expr;
use super::super::extract::ValueOf;
use super::super::matcher::Matcher;
use super::super::rulebook::{Mode, Route, Unnamed};
use super::super::template::Template;
use super::{IDENTITY_HELP, check_secrets, is_credential, is_useless_for_callers};

pub(super) fn check(routes: &[Made], found: &mut Findings) {
    let mut texts = Vec::new();
    for made in routes {
        match (&made.route.key, &made.key) {
            (Some(template), Some(written)) => {
                let steps = template.texts(&made.route.names);
                check_key(made, template, written.spot, found);
                check_target_like(&steps, written.spot, found);
                texts.push((made, written.spot, steps));
            }
            _ => check_query_without_key(made, found),
        }
    }
    check_collisions(&texts, found);
}

fn check_key(made: &Made, template: &Template, spot: Spot, found: &mut Findings) {
    let route = &made.route;
    if let Some((a, b)) = template.run_together(&route.names) {
        let message =
            format!("`{{{}}}` and `{{{}}}` run together in this key", a.written, b.written);
        found
            .error(Code::KeyNotInjective, spot, message)
            .label("different requests could share it")
            .help("put a colon between them: values hold A-Z a-z 0-9 - . _ ~ and %, never a colon");
    }
    let matcher = &route.matcher;
    let by_body = template.sources().any(ValueOf::is_request_body);
    let reads = takes(matcher, &Method::GET) || takes(matcher, &Method::HEAD);
    let query = Method::from_bytes(b"QUERY").unwrap_or_default();
    let posts = takes(matcher, &Method::POST) || takes(matcher, &query);
    if posts && !reads && !by_body {
        found
            .error(Code::BodyNotInKey, spot, "this key does not hold the body of the request")
            .label("different questions would get one answer")
            .help("add {req.body|sha256}, {req.json|sha256} or {req.json:/POINTER}");
    } else if !posts && !reads && !matcher.matches.is_empty() {
        found
            .error(Code::NoEffect, spot, "nothing that this route takes is read from the cache")
            .help("GET, HEAD, and POST or QUERY with their body in the key are reads");
    }
    check_unkeyed(route, template, spot, found);
    check_secrets("keys", template, spot, found);
    check_identity(route, spot, found);
    if let Some(sort) = made.sort_spot.filter(|_| !route.query.all_named) {
        found
            .warn(Code::NoEffect, sort, "`query.sort` has no effect here")
            .label("it says how {query} is written, and the key has none");
    }
    if route.query.all_named && route.query.unnamed == Some(Unnamed::Strip) {
        found
            .warn(Code::NoEffect, spot, "`query.unnamed = \"strip\"` has no effect here")
            .label("{query} names every parameter");
    }
}

/// Parameters that `tags` or `when` name and the key does not hold: the origin gets them, and all
/// their values share one entry. What `bypass` names is not meant to be in the key.
fn check_unkeyed(route: &Route, key: &Template, spot: Spot, found: &mut Findings) {
    let whole = |of: &ValueOf| *of == ValueOf::Query;
    if route.mode == Mode::Pass || key.sources().any(whole) {
        return;
    }
    let mut named: Vec<&str> = Vec::new();
    let mut all = false;
    let mut unkeyed = Vec::new();
    let when = route.matcher.when.as_ref();
    let mut name_it = |of: &ValueOf| match of {
        ValueOf::Query => all = true,
        ValueOf::Parameter(name) => unkeyed.push(name.clone()),
        _ => {}
    };
    route.tags.iter().flat_map(Template::sources).for_each(&mut name_it);
    if let Some(when) = when {
        when.sources(&mut name_it);
    }
    for name in &unkeyed {
        let ignored = route.query.ignore.iter().any(|glob| glob.matches(name));
        let absent = when.is_some_and(|when| forbids(when, name));
        if !route.query.in_key.contains(name) && !ignored && !absent && !named.contains(&&**name) {
            named.push(name);
        }
    }
    let what = match named.as_slice() {
        [] if !all => return,
        _ if all => "`{query}`".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    found
        .warn(Code::UnkeyedParameter, spot, format!("{what} is named by the rule, not by its key"))
        .label("answers to different values share this key")
        .help("put it into the key, or into `query.ignore` if it never changes the answer");
}

/// Whether a condition holds only where this parameter is not there.
fn forbids(when: &Condition, name: &str) -> bool {
    let is_it = |value: &expr::Expr| {
        value.steps.is_empty() && matches!(&value.of, ValueOf::Parameter(one) if **one == *name)
    };
    match when {
        Condition::All(list) => list.iter().any(|one| forbids(one, name)),
        Condition::Any(list) => list.iter().all(|one| forbids(one, name)),
        Condition::Not(one) => matches!(&**one, Condition::Test(of, Test::There) if is_it(of)),
        Condition::Test(..) => false,
    }
}

/// Whether a match names this method.
fn takes(matcher: &Matcher, method: &Method) -> bool {
    matcher.matches.iter().any(|one| one.methods.fit(method))
}

fn check_identity(route: &Route, spot: Spot, found: &mut Findings) {
    let asks = |when: &Condition| requires(when, &|of| is_credential(of, &route.credentials));
    if is_useless_for_callers(route) && route.matcher.when.as_ref().is_some_and(asks) {
        found
            .error(Code::KeyWithoutIdentity, spot, "no part of this key identifies the caller")
            .label("answers are neither read nor stored")
            .note("`when` lets only requests with credentials come here")
            .help(IDENTITY_HELP);
    }
}

/// Whether a condition holds only where such a value is there.
fn requires(when: &Condition, wanted: &dyn Fn(&ValueOf) -> bool) -> bool {
    match when {
        Condition::All(list) => list.iter().any(|one| requires(one, wanted)),
        Condition::Any(list) => list.iter().all(|one| requires(one, wanted)),
        Condition::Not(_) | Condition::Test(_, Test::IsNot(_)) => false,
        Condition::Test(value, _) => {
            let other = |step| matches!(step, &expr::Step::Or(_) | &expr::Step::Default(_));
            wanted(&value.of) && !value.steps.iter().any(other)
        }
    }
}

/// Keys that look like a target belong to what has no key.
fn check_target_like(steps: &[Step], spot: Spot, found: &mut Findings) {
    let text = |text: &str| text.bytes().map(|byte| Step::One(CharSet::of(&[byte]))).collect();
    let any = Step::Many(CharSet::ALL);
    let like = ["http://", "https://"].iter().any(|start| {
        let mut target: Vec<Step> = text(start);
        target.push(any);
        can_be_equal(steps, &target)
    });
    if like {
        found
            .error(Code::KeysCollide, spot, "this key can look like a target")
            .label("what has no key is kept under http://… and https://…")
            .help("begin the key with a word and a colon");
    }
}

fn check_query_without_key(made: &Made, found: &mut Findings) {
    if let (Some(spot), None, false) = (made.query_spot, &made.key, made.route.has_key()) {
        found
            .error(Code::NoEffect, spot, "`query` has no effect without a `key`")
            .label("without a key the whole target is the key")
            .help("add a key, for example key = \"name:{query}\"");
    }
}

fn check_collisions(texts: &[(&Made, Spot, Vec<Step>)], found: &mut Findings) {
    for (at, (later, spot, steps)) in texts.iter().enumerate() {
        let earlier = texts.get(..at).unwrap_or_default();
        let other = earlier.iter().find(|(earlier, _, other)| {
            let differ = place(&earlier.route) != place(&later.route)
                || shard(&earlier.route) != shard(&later.route);
            differ && can_be_equal(steps, other)
        });
        if let Some((earlier, other_spot, _)) = other {
            let (a, b) = (&later.route, &earlier.route);
            let what = match () {
                () if a.kind != b.kind => "type",
                () if shard(a) != shard(b) => "shard",
                () => "origin",
            };
            let message = format!(
                "keys of `{}` and `{}` can be equal, and they have not the same {what}",
                a.name, b.name
            );
            let place = found.place(*other_spot);
            found
                .error(Code::KeysCollide, *spot, message)
                .also(place, format!("the key of `{}`", b.name))
                .help("begin one of them with another word, or give its type a prefix");
        }
    }
}

/// What routes with equal keys must share.
fn place(route: &Route) -> (u16, Option<usize>, Option<usize>) {
    let by_default = route.default_origin.filter(|_| route.origin.is_none());
    (route.kind.0, route.origin, by_default)
}

/// The shard as written: entries of one key lie in one slot.
fn shard(route: &Route) -> Option<String> {
    route.shard.as_ref().map(ToString::to_string)
}
