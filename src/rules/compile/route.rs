//! One `[[route]]` block to one route.

use std::collections::HashMap;

use super::super::charset::CharSet;
use super::super::check::check_secrets;
use super::super::condition::{Condition, whole_regex};
use super::super::diagnostic::{Code, Findings, Spot};
use super::super::document::{Defaults, QueryTable, RouteTable, RulesDocument};
use super::super::expr::{Expr, Step};
use super::super::extract::ValueOf;
use super::super::matcher::{Match, Matcher, PathMatch};
use super::super::names::Names;
use super::super::pattern::{Methods, PathPattern, check_name, parse_methods};
use super::super::read::{At, Maybe, Text};
use super::super::rulebook::{KeyIdentity, Mode, QueryRule, Route};
use super::super::scan::Slip;
use super::super::template::{Purpose, Template};
use super::super::values::OriginName;
use super::super::words::ShareWord;
use super::comparing;
use super::keeping::{keeping, shard, shard_text};
use super::law::{Levels, check_defaults, law, level, level_without_type};
use super::origin::hosts;
use super::tenant::tenancy;
use super::writing::{on_write, writing_spot};
use super::{Scope, claim, inherited};
use crate::base::ids::{KindId, RouteId};
use crate::base::limits::{JSON_BYTES_MAX, TAGS_PER_ENTRY_MAX};
use crate::entry::order::Glob;

/// Names in one route. Captures of a request are kept inline up to four.
const NAMES_MAX: usize = 32;

/// A route, and the places that a finding about it points to.
pub(in crate::rules) struct Made {
    pub(in crate::rules) route: Route,
    pub(in crate::rules) spot: Spot,
    pub(in crate::rules) key: Option<Text>,
    pub(in crate::rules) query_spot: Option<Spot>,
    pub(in crate::rules) sort_spot: Option<Spot>,
    pub(in crate::rules) shard_spot: Option<Spot>,
    pub(in crate::rules) write_spot: Option<Spot>,
    pub(in crate::rules) matches: Vec<Spot>,
}

/// All routes in the order of the files.
pub(super) fn routes(
    documents: &[RulesDocument],
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Vec<Made> {
    let mut all = Vec::new();
    let none = Defaults::default();
    for document in documents {
        let defaults = document.defaults.as_ref().unwrap_or(&none);
        check_defaults(defaults, scope, found);
        comparing::check(defaults.compare.as_ref(), found);
        for table in document.route.iter().flatten() {
            let Ok(id) = u16::try_from(all.len()) else {
                found.error(Code::TooMany, table.spot, "more than 65,536 routes");
                return all;
            };
            all.push(route(RouteId(id), table, defaults, scope, found));
        }
    }
    unique_names(&all, found);
    all
}

fn unique_names(all: &[Made], found: &mut Findings) {
    let mut taken = HashMap::new();
    for made in all {
        claim(&mut taken, &made.route.name, made.spot, "route", found);
    }
}

fn route(
    id: RouteId,
    table: &At<RouteTable>,
    defaults: &Defaults,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Made {
    let (written, spot) = (&table.value, table.spot);
    let kind_name = inherited([written.r#type.as_ref(), None, defaults.r#type.as_ref()]);
    let (kind, kind_table) = kind_name
        .and_then(|name| scope.kind(name, found))
        .map_or((KindId(0), None), |(id, table)| (id, Some(table)));
    let levels = Levels { route: written, kind: kind_table, defaults };
    let (matches, names) = matches(written, spot, found);
    let match_spots = matches.iter().map(|(_, spot)| *spot).collect();
    let matcher = Matcher {
        matches: matches.into_iter().map(|(one, _)| one).collect(),
        hosts: hosts(written.host.as_ref(), found).into(),
        when: written.when.as_ref().and_then(|text| Condition::read(text, &names, found)),
        names: names.len(),
        tenancy: tenancy(&levels, &names, scope),
    };
    let bypass =
        level_without_type!(levels, bypass).and_then(|text| Condition::read(text, &names, found));
    let key = key(&levels, &names, scope, found);
    let tags = tags(written, &names, found);
    let query = query_rule(&levels, key.as_ref(), &tags, &[&matcher.when, &bypass]);
    let first_match = matcher.matches.first().map_or("", |one| &one.written);
    let name = written.name.as_ref().map_or(first_match, |name| name.value.as_str());
    let route = Route {
        id,
        name: name.into(),
        kind,
        kind_name: kind_name.filter(|_| kind.0 > 0).map_or("", |name| name.value.as_str()).into(),
        origin: origin(written.origin.as_ref(), scope, found),
        default_origin: file_origin(defaults, scope),
        law: law(&levels, scope, found),
        keeping: keeping(&levels, scope, found),
        share: level_without_type!(levels, share).copied().unwrap_or(ShareWord::Auto),
        mode: level_without_type!(levels, mode).copied().unwrap_or(Mode::On),
        inject: level_without_type!(levels, inject).map(|text| text.value.clone()),
        json_max: level!(levels, json_max).map_or(JSON_BYTES_MAX, |size| size.value.0.0),
        compare: comparing::compare(&levels),
        on_write: on_write(&levels, &names, found),
        identity: key.as_ref().map_or_else(KeyIdentity::default, |key| identity(key, scope)),
        credentials: scope.credentials.clone(),
        shard: shard(&levels, &names, scope, found),
        matcher,
        names,
        bypass,
        key,
        tags,
        query,
    };
    check_table(written, found);
    comparing::check(written.compare.as_ref(), found);
    Made {
        route,
        spot: written.name.as_ref().map_or(spot, |name| name.spot),
        key: written.key.clone(),
        query_spot: written.query.as_ref().and_then(query_spot),
        sort_spot: written.query.as_ref().and_then(|q| q.sort.as_ref()).map(|sort| sort.spot),
        shard_spot: shard_text(&levels).map(|text| text.spot),
        write_spot: written.on_write.as_ref().and_then(writing_spot),
        matches: match_spots,
    }
}

/// The key behind the prefix of its type.
fn key(
    levels: &Levels<'_>,
    names: &Names,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<Template> {
    let template = Template::read(levels.route.key.as_ref()?, names, Purpose::Key, found)?;
    let prefix = levels.kind.and_then(|kind| {
        let own = kind.prefix.as_ref().map(|text| text.value.as_str());
        own.or(scope.ctx.default_prefix.as_deref())
    });
    Some(template.behind(prefix.unwrap_or_default()))
}

fn tags(written: &RouteTable, names: &Names, found: &mut Findings) -> Vec<Template> {
    let all = written.tags.iter().flat_map(|list| &list.0);
    let read = |text: &Text| {
        let tag = Template::read(text, names, Purpose::Tag, found)?;
        check_secrets("tags", &tag, text.spot, found);
        Some(tag)
    };
    all.filter_map(read).collect()
}

/// The name, and the number of tags.
fn check_table(written: &RouteTable, found: &mut Findings) {
    if let Some(first) = written.tags.as_ref().and_then(|list| list.0.get(TAGS_PER_ENTRY_MAX)) {
        let message = format!("a route gives at most {TAGS_PER_ENTRY_MAX} tags");
        found.error(Code::TooMany, first.spot, message);
    }
    let Some(name) = &written.name else { return };
    if name.value.is_empty() || name.value.chars().any(char::is_control) {
        found.error(Code::WrongValue, name.spot, "a name is text without control characters");
    }
    if name.value == "none" {
        found.error(Code::WrongValue, name.spot, "`none` stands for no route in tests");
    }
}

fn query_spot(table: &QueryTable) -> Option<Spot> {
    let sort = table.sort.as_ref().map(|sort| sort.spot);
    let ignore = match &table.ignore {
        Some(Maybe::Just(list)) => list.0.first().map(|text| text.spot),
        _ => None,
    };
    let unnamed = match &table.unnamed {
        Some(Maybe::Just(word)) => Some(word.spot),
        _ => None,
    };
    sort.or(ignore).or(unnamed)
}

fn origin(
    field: Option<&Maybe<At<OriginName>>>,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<usize> {
    match field {
        Some(Maybe::Just(name)) => scope.origin(&name.value.0, name.spot, found),
        _ => None,
    }
}

/// The origin of the file's defaults; whether it exists is told where the default is looked up.
fn file_origin(defaults: &Defaults, scope: &Scope<'_>) -> Option<usize> {
    match defaults.origin.as_ref()? {
        Maybe::Just(name) => scope.origins.iter().position(|(known, _)| **known == *name.value.0),
        Maybe::Nothing => None,
    }
}

/// The matches of a route, each with its place, and the names that they give.
fn matches(table: &RouteTable, spot: Spot, found: &mut Findings) -> (Vec<(Match, Spot)>, Names) {
    let mut read: Vec<(&Text, Draft)> = Vec::new();
    let written = table.r#match.iter().flat_map(|list| &list.0).map(|text| (text, false));
    let regexes = table.match_regex.iter().flat_map(|list| &list.0).map(|text| (text, true));
    for (text, is_regex) in written.chain(regexes) {
        match draft(&text.value, is_regex) {
            Ok(draft) => read.push((text, draft)),
            Err(slip) => slip.tell(text, found),
        }
    }
    if read.is_empty() && !table.broken && table.r#match.is_none() && table.match_regex.is_none() {
        found
            .error(Code::Missing, spot, "this route has no `match`")
            .help("write match = \"GET /path/{id}\"");
    }
    let mut names = Names::default();
    for (at, (_, draft)) in read.iter().enumerate() {
        match &draft.path {
            PathMatch::Segments(pattern) => names.add_match(&pattern.parts(), at == 0),
            PathMatch::Regex(regex) => names.add_match(&regex_parts(regex), at == 0),
        }
    }
    if names.len() > NAMES_MAX {
        let message = format!("more than {NAMES_MAX} names in one route");
        found.error(Code::TooMany, spot, message);
    }
    let place = |name: &str| names.position(name).unwrap_or(usize::MAX);
    let made = read.into_iter().map(|(text, draft)| {
        let places = match &draft.path {
            PathMatch::Segments(path) => path.parts().iter().map(|(n, _, _)| place(n)).collect(),
            PathMatch::Regex(regex) => regex.capture_names().flatten().map(place).collect(),
        };
        let written = text.value.as_str().into();
        (Match { methods: draft.methods, path: draft.path, places, written }, text.spot)
    });
    (made.collect(), names)
}

struct Draft {
    methods: Methods,
    path: PathMatch,
}

fn draft(text: &str, is_regex: bool) -> Result<Draft, Slip> {
    let (methods, at) = parse_methods(text)?;
    let path = text.get(at..).unwrap_or_default();
    if !is_regex {
        return PathPattern::parse(path, at)
            .map(|pattern| Draft { methods, path: PathMatch::Segments(pattern) });
    }
    let wrong = |what: String| Slip::new(Code::Match, at..text.len(), what);
    let regex = whole_regex(path).map_err(wrong)?;
    for name in regex.capture_names().flatten() {
        check_name(name).map_err(wrong)?;
    }
    Ok(Draft { methods, path: PathMatch::Regex(regex) })
}

/// The named groups. Whether one takes part in every fit is not known, so each may be missing.
fn regex_parts(regex: &regex::bytes::Regex) -> Vec<(&str, CharSet, bool)> {
    regex.capture_names().flatten().map(|name| (name, CharSet::VALUE, false)).collect()
}

fn query_rule(
    levels: &Levels<'_>,
    key: Option<&Template>,
    tags: &[Template],
    conditions: &[&Option<Condition>],
) -> QueryRule {
    let (route, defaults) = (levels.route.query.as_ref(), levels.defaults.query.as_ref());
    let both = || [route, defaults].into_iter().flatten();
    let sorted = both().find_map(|table| table.sort.as_ref()).is_none_or(|sort| sort.value);
    let ignore = match both().find_map(|table| table.ignore.as_ref()) {
        Some(Maybe::Just(list)) => list.0.iter().map(|text| Glob::new(&text.value)).collect(),
        _ => Vec::new(),
    };
    let unnamed = match both().find_map(|table| table.unnamed.as_ref()) {
        Some(Maybe::Just(word)) => Some(word.value),
        _ => None,
    };
    let mut rule = QueryRule { sorted, ignore, unnamed, ..QueryRule::default() };
    for of in key.into_iter().flat_map(Template::sources) {
        if let ValueOf::Parameter(name) = of {
            rule.in_key.push(name.clone());
        }
        rule.all_named |= *of == ValueOf::Query;
    }
    rule.in_key.sort_unstable();
    rule.in_key.dedup();
    rule.named.clone_from(&rule.in_key);
    let mut name_it = |of: &ValueOf| match of {
        ValueOf::Parameter(name) => rule.named.push(name.clone()),
        ValueOf::Query => rule.all_named = true,
        _ => {}
    };
    tags.iter().flat_map(Template::sources).for_each(&mut name_it);
    for condition in conditions.iter().copied().flatten() {
        condition.sources(&mut name_it);
    }
    rule.named.sort_unstable();
    rule.named.dedup();
    rule
}

/// Which credentials the key holds as they are. A value with `or` may come from elsewhere, and one
/// that is changed no longer tells callers apart.
fn identity(key: &Template, scope: &Scope<'_>) -> KeyIdentity {
    let mut identity = KeyIdentity::default();
    let whole = |value: &&Expr| {
        value.steps.iter().all(|step| matches!(step, Step::Sha256 | Step::Default(_)))
    };
    for value in key.values().filter(whole) {
        match &value.of {
            ValueOf::Identity => identity.digest = true,
            ValueOf::Header(name) if scope.credentials.counts_header(name) => {
                identity.headers.push(name.clone());
            }
            ValueOf::Cookie(name) if scope.credentials.counts_cookie(name.as_bytes()) => {
                identity.cookies.push(name.clone());
            }
            _ => {}
        }
    }
    identity
}
