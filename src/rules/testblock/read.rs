//! A `[[test]]` block as written to a test that can run.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::super::canonical;
use super::super::diagnostic::{Code, Findings};
use super::super::document::{ResponseTable, TestTable};
use super::super::extract::RequestBody;
use super::super::json::Json;
use super::super::nearest::nearest;
use super::super::node::Value;
use super::super::read::{At, Free, Named, OneOrMany, Text};
use super::super::values::TtlText;
use super::{Expected, Response, TestCase};
use crate::base::reason::Reason;
use crate::entry::order::Selector;
use crate::policy::law::Ttl;

/// The authority of a test that names none.
const AUTHORITY: &str = "localhost";

impl TestCase {
    /// Reads a test, or tells what is wrong with it. `ttl_of` looks classes up.
    pub(in crate::rules) fn read(
        table: &At<TestTable>,
        ttl_of: &dyn Fn(&TtlText) -> Option<Ttl>,
        found: &mut Findings,
    ) -> Option<Self> {
        let (test, spot) = (&table.value, table.spot);
        let fields = test.headers.as_ref().map_or_else(HeaderMap::new, |all| fields(all, found));
        let expected = expected(test, ttl_of, found);
        let Some(request) = &test.request else {
            if !test.broken {
                found
                    .error(Code::Missing, spot, "this test has no `request`")
                    .help("write request = \"GET /path?a=1\"");
            }
            return None;
        };
        if !test.broken && expected.is_empty() {
            found.error(Code::Test, request.spot, "this test expects nothing").help(
                "say at least one of route, key, tenant, tags, share, ttl, outcome, reason, purges",
            );
        }
        let Some((method, scheme, authority, target)) = line(&request.value) else {
            found
                .error(Code::Test, request.spot, "a request is a method, one space and a target")
                .help("for example \"GET /a?b=1\" or \"GET http://shop.example/a\"");
            return None;
        };
        let host = fields.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let authority = authority.or(host).unwrap_or(AUTHORITY).to_owned();
        let body = test.body.as_ref().map(|body| RequestBody::new(bytes(body).into()));
        let response = test.response.as_ref().map(|table| response(table, found));
        Some(Self {
            request: request.value.clone(),
            place: found.place(request.spot),
            spot: request.spot,
            method,
            scheme,
            authority,
            target: target.to_owned(),
            fields,
            body,
            response,
            expected,
        })
    }
}

impl Expected {
    fn is_empty(&self) -> bool {
        let Self { route, key, tenant, tags, share, ttl, outcome, reason, purges } = self;
        let texts = route.is_none() && key.is_none() && tags.is_none() && purges.is_none();
        texts
            && tenant.is_none()
            && share.is_none()
            && ttl.is_none()
            && outcome.is_none()
            && reason.is_none()
    }
}

/// Method, scheme, authority if there is one, and target.
fn line(text: &str) -> Option<(Method, &'static str, Option<&str>, &str)> {
    let (method, target) = text.split_once(' ')?;
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    if target.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    for (start, scheme) in [("http://", "http"), ("https://", "https")] {
        if let Some(rest) = target.strip_prefix(start) {
            let slash = rest.find('/').unwrap_or(rest.len());
            let (authority, target) = rest.split_at(slash);
            let target = if target.is_empty() { "/" } else { target };
            return (!authority.is_empty()).then_some((method, scheme, Some(authority), target));
        }
    }
    target.starts_with('/').then_some((method, "http", None, target))
}

fn fields(all: &Named<OneOrMany<Text>>, found: &mut Findings) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, values) in &all.0 {
        let Ok(parsed) = HeaderName::from_bytes(name.value.as_bytes()) else {
            let message = format!("`{}` is not a field's name", name.value);
            found.error(Code::Test, name.spot, message);
            continue;
        };
        for value in &values.0 {
            match HeaderValue::from_str(&value.value) {
                Ok(value) => _ = fields.append(&parsed, value),
                Err(_) => _ = found.error(Code::Test, value.spot, "not a field's value"),
            }
        }
    }
    fields
}

/// Text as it is, everything else as JSON.
fn bytes(body: &Free) -> Vec<u8> {
    match &body.0.value {
        Value::Text(text) => text.clone().into_bytes(),
        _ => canonical::of(&body.0).into_bytes(),
    }
}

fn response(table: &ResponseTable, found: &mut Findings) -> Response {
    let status = table.status.as_ref().map_or(Some(StatusCode::OK), |status| {
        let code =
            u16::try_from(status.value).ok().and_then(|code| StatusCode::from_u16(code).ok());
        if code.is_none() {
            found.error(Code::Test, status.spot, format!("{} is not a status", status.value));
        }
        code
    });
    Response {
        status: status.unwrap_or_default(),
        fields: table.headers.as_ref().map_or_else(HeaderMap::new, |all| fields(all, found)),
        json: table.body.as_ref().and_then(|body| Json::read(&bytes(body)).ok()),
    }
}

fn expected(
    test: &TestTable,
    ttl_of: &dyn Fn(&TtlText) -> Option<Ttl>,
    found: &mut Findings,
) -> Expected {
    let ttl = test.ttl.as_ref().and_then(|text| {
        let ttl = ttl_of(&text.value);
        if ttl.is_none() {
            found.error(Code::UnknownName, text.spot, "no such class of lifetimes");
        }
        ttl
    });
    Expected {
        route: test.route.as_ref().map(|name| name.value.clone()),
        key: test.key.as_ref().map(|key| key.value.clone()),
        tenant: test.tenant.as_ref().map(|name| name.value.clone()),
        tags: test.tags.as_ref().map(|list| list.iter().map(|tag| tag.value.clone()).collect()),
        share: test.share.as_ref().map(|word| word.value),
        ttl,
        outcome: test.outcome.as_ref().map(|word| word.value),
        reason: test.reason.as_ref().and_then(|text| reason(text, found)),
        purges: test
            .purges
            .as_ref()
            .map(|list| list.iter().filter_map(|text| selector(text, found)).collect()),
    }
}

fn reason(text: &Text, found: &mut Findings) -> Option<Reason> {
    let known = Reason::ALL.iter().copied().find(|reason| reason.as_str() == text.value);
    if known.is_none() {
        let error = found.error(Code::Test, text.spot, format!("`{}` is not a reason", text.value));
        if let Some(near) = nearest(&text.value, Reason::ALL.iter().map(|one| one.as_str())) {
            error.help(format!("did you mean \"{near}\"?"));
        }
    }
    known
}

fn selector(text: &Text, found: &mut Findings) -> Option<Selector> {
    Selector::parse(&text.value)
        .map_err(|error| _ = found.error(Code::Selector, text.spot, error.to_string()))
        .ok()
}
