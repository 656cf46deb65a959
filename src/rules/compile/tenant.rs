//! The `[tenant]` block: where the name of a tenant comes from, and what would let callers choose
//! whose answers they read.

use std::sync::Arc;

use http::HeaderName;

use super::super::condition::whole_regex;
use super::super::diagnostic::{Code, Findings};
use super::super::document::{RulesDocument, TenantTable};
use super::super::extract::ValueOf;
use super::super::names::Names;
use super::super::nearest::nearest;
use super::super::pattern::check_name;
use super::super::read::Text;
use super::super::rulebook::Route;
use super::super::template::Template;
use super::super::tenant::{From, NameFrom, Tenancy, TenantRule};
use super::law::Levels;
use super::{Made, Scope};

/// What `[tenant]` says; `None` where the files have none.
pub(super) fn rule(
    documents: &[RulesDocument],
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<Arc<TenantRule>> {
    let mut tables = documents.iter().filter_map(|document| document.tenant.as_ref());
    let table = tables.next()?;
    if tables.next().is_some() {
        found.error(Code::Duplicate, None, "[tenant] may stand in one file only");
    }
    let texts = table.from.as_ref().map_or(&[][..], |list| &list.0);
    if texts.is_empty() && !table.broken {
        found
            .error(Code::Missing, None, "[tenant] does not say where the name comes from")
            .help("write from = [\"host\"], a part of the path, or \"header.x-tenant-id\"");
    }
    let from = texts.iter().filter_map(|text| source(text, scope, found)).collect();
    let required = table.required.as_ref().is_some_and(|at| at.value);
    Some(Arc::new(TenantRule { from, pattern: pattern(table, found), required }))
}

fn pattern(table: &TenantTable, found: &mut Findings) -> Option<regex::bytes::Regex> {
    let text = table.pattern.as_ref()?;
    let regex = whole_regex(&text.value);
    regex.map_err(|why| _ = found.error(Code::WrongValue, text.spot, why)).ok()
}

fn source(text: &Text, scope: &Scope<'_>, found: &mut Findings) -> Option<NameFrom> {
    let written: Box<str> = text.value.as_str().into();
    let of = match text.value.split_once('.') {
        None if *written == *"host" => From::Value(ValueOf::Host, false),
        None if check_name(&text.value).is_ok() => From::Part,
        Some(("header", name)) => From::Value(header(name, text, scope, found)?, true),
        Some(("cookie", name)) if !name.is_empty() => {
            found
                .warn(Code::ChosenTenant, text.spot, "a cookie is what its browser says it is")
                .label("peers pass it on as it came; who forges it reads that tenant's answers")
                .help(
                    "let the peer check it and send a field, or keep share = \"public\" off \
                     answers that other tenants may not see",
                );
            From::Value(ValueOf::Cookie(name.into()), true)
        }
        Some(("jwt", _)) => {
            found
                .error(Code::NotBuilt, text.spot, "`jwt` is not built yet")
                .help("let the peer in `trust.peers` check the token and send a field");
            return None;
        }
        _ => {
            let message = format!("`{written}` cannot name a tenant");
            found
                .error(Code::WrongValue, text.spot, message)
                .help("it comes from host, a part of the path, header.NAME or cookie.NAME");
            return None;
        }
    };
    Some(NameFrom { of, written })
}

fn header(name: &str, text: &Text, scope: &Scope<'_>, found: &mut Findings) -> Option<ValueOf> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        found.error(Code::WrongValue, text.spot, format!("`{name}` is not a field's name"));
        return None;
    };
    if scope.credentials.counts_header(&name) {
        found
            .error(Code::WrongValue, text.spot, format!("`{name}` is a credential"))
            .label("the name of a tenant stands in keys, logs and statistics")
            .help("take a field that names the tenant and proves nothing");
    }
    Some(ValueOf::Header(name))
}

/// Whose the requests of a route are.
pub(super) fn tenancy(levels: &Levels<'_>, names: &Names, scope: &Scope<'_>) -> Option<Tenancy> {
    let none = |level: Option<_>| level.is_some();
    let for_all = none(levels.route.tenant.as_ref())
        || levels.kind.is_some_and(|kind| none(kind.tenant.as_ref()));
    scope.tenant.as_ref().filter(|_| !for_all).map(|rule| Tenancy::new(rule, names))
}

/// That parts which are named are there, and that `{tenant}` stands only where there is one.
pub(super) fn check(
    documents: &[RulesDocument],
    routes: &[Made],
    scope: &Scope<'_>,
    found: &mut Findings,
) {
    for text in documents.iter().filter_map(|document| document.tenant.as_ref()?.from.as_ref()) {
        text.0.iter().for_each(|text| check_part(text, scope, routes, found));
    }
    if scope.tenant.is_none() {
        for document in documents {
            let types = document.r#type.iter().flat_map(|all| &all.0);
            let types = types.filter_map(|(_, table)| table.tenant.as_ref());
            let routes = document.route.iter().flatten();
            for word in types.chain(routes.filter_map(|one| one.value.tenant.as_ref())) {
                found
                    .error(Code::NoEffect, word.spot, "`tenant` has no effect without [tenant]")
                    .help("add a [tenant] block, or take this out");
            }
        }
    }
    for made in routes.iter().filter(|made| made.route.matcher.tenancy.is_none()) {
        if reads_tenant(&made.route) {
            let why = if scope.tenant.is_some() {
                "the route or its type says tenant = \"none\""
            } else {
                "there is no [tenant] block"
            };
            let message = format!("`tenant` is never there on `{}`: {why}", made.route.name);
            found.error(Code::NotHere, made.spot, message);
        }
    }
}

fn check_part(text: &Text, scope: &Scope<'_>, routes: &[Made], found: &mut Findings) {
    let named = |from: &&NameFrom| matches!(from.of, From::Part) && *from.written == *text.value;
    let is_part = scope.tenant.as_ref().is_some_and(|rule| rule.from.iter().any(|f| named(&f)));
    let names = || routes.iter().flat_map(|made| made.route.names.texts());
    if !is_part || names().any(|name| name == text.value) {
        return;
    }
    let message = format!("no match of any route has a part `{}`", text.value);
    let error = found.error(Code::UnknownPart, text.spot, message);
    if let Some(near) = nearest(&text.value, names()) {
        error.help(format!("did you mean `{near}`?"));
    }
}

fn reads_tenant(route: &Route) -> bool {
    let mut reads = false;
    let mut see = |of: &ValueOf| reads |= *of == ValueOf::Tenant;
    let texts = route.key.iter().chain(&route.tags).chain(&route.shard);
    texts.flat_map(Template::sources).for_each(&mut see);
    route.write_sources().for_each(&mut see);
    for condition in [&route.matcher.when, &route.bypass].into_iter().flatten() {
        condition.sources(&mut see);
    }
    reads
}
