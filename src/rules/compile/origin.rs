//! The applications behind the proxy: those of the files, and the one of the command line.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};

use super::super::LoadContext;
use super::super::diagnostic::{Code, Findings};
use super::super::document::{OriginTable, RulesDocument};
use super::super::host::HostPattern;
use super::super::read::{At, Maybe, OneOrMany, Text, not_built};
use super::super::rulebook::{JobField, OriginSpec, OriginUrl};
use super::super::values::{Duration, JobField as JobValue};
use super::{Scope, claim, is_word, not_a_word};
use crate::base::fields::is_hop_by_hop;
use crate::base::limits::JOB_FIELDS_MAX;
use crate::base::units::Span;

/// The name of the origin that the command line gives; no file can define it.
const OF_COMMAND_LINE: &str = "--origin";

/// All origins; that of the command line is the last.
pub(super) fn origins(
    documents: &[RulesDocument],
    ctx: &LoadContext,
    found: &mut Findings,
) -> Vec<(Arc<str>, OriginSpec)> {
    let mut taken = HashMap::new();
    let mut all = Vec::new();
    let tables = documents.iter().filter_map(|d| d.origin.as_ref()).flat_map(|table| &table.0);
    for (name, table) in tables {
        if !is_word(&name.value) {
            not_a_word("an origin", name, found);
        } else if claim(&mut taken, &name.value, name.spot, "origin", found) {
            let name: Arc<str> = name.value.as_str().into();
            let spec = origin(&name, table, found);
            all.push((name, spec));
        }
    }
    if let Some(url) = &ctx.origin {
        match parse_url(url) {
            Ok(url) => {
                let name: Arc<str> = OF_COMMAND_LINE.into();
                all.push((name.clone(), plain(name, url)));
            }
            Err(what) => {
                let message = format!("--origin {url}: {}", what.text());
                found.error(what.code(), None, message);
            }
        }
    }
    all
}

fn plain(name: Arc<str>, url: OriginUrl) -> OriginSpec {
    OriginSpec {
        name,
        url,
        hosts: Vec::new(),
        fixed_host: None,
        timeout: Span::from_secs(60),
        connect_timeout: Span::from_secs(2),
        first_byte_timeout: Span::from_secs(30),
        idle_timeout: Span::from_secs(30),
        retries: 1,
        max_concurrent: None,
        job_fields: Vec::new(),
    }
}

/// An origin keeps its name although its address is wrong: what refers to it is then not unknown.
fn origin(name: &Arc<str>, table: &OriginTable, found: &mut Findings) -> OriginSpec {
    let nowhere = || OriginUrl { scheme: "http".into(), host: String::new(), port: 80 };
    let url = match &table.url {
        None if table.broken => nowhere(),
        None => {
            found
                .error(Code::Missing, None, format!("origin `{name}` has no `url`"))
                .help(format!("write [origin.{name}] url = \"http://127.0.0.1:8000\""));
            nowhere()
        }
        Some(text) => parse_url(&text.value).unwrap_or_else(|what| {
            match what {
                UrlError::NotBuilt(what) => not_built(what, text.spot, found),
                UrlError::Wrong(what) => _ = found.error(Code::WrongValue, text.spot, what),
            }
            nowhere()
        }),
    };
    let spec = plain(name.clone(), url);
    let limit = |field: &Option<At<Duration>>, built_in: Span, found: &mut Findings| match field {
        Some(span) if span.value.0 == Span::ZERO => {
            found.error(Code::WrongValue, span.spot, "a time limit of nothing lets nothing pass");
            built_in
        }
        Some(span) => span.value.0,
        None => built_in,
    };
    OriginSpec {
        hosts: hosts(table.hosts.as_ref(), found),
        fixed_host: table.host.as_ref().and_then(|text| fixed_host(text, found)),
        timeout: limit(&table.timeout, spec.timeout, found),
        connect_timeout: limit(&table.connect_timeout, spec.connect_timeout, found),
        first_byte_timeout: limit(&table.first_byte_timeout, spec.first_byte_timeout, found),
        idle_timeout: limit(&table.idle_timeout, spec.idle_timeout, found),
        retries: count(table.retries.as_ref(), 0..=1, found).unwrap_or(spec.retries),
        max_concurrent: count(table.max_concurrent.as_ref(), 1..=u64::from(u32::MAX), found),
        job_fields: job_fields(table, found),
        ..spec
    }
}

/// Fields of the proxy's own requests. Those that belong to one connection or one message are ours.
fn job_fields(table: &OriginTable, found: &mut Findings) -> Vec<JobField> {
    let mut all = Vec::new();
    for (name, field) in table.job_headers.iter().flat_map(|fields| &fields.0) {
        let Some(known) = HeaderName::from_bytes(name.value.as_bytes()).ok().filter(may_be_job)
        else {
            let message = format!("`{}` is not a field that can be set here", name.value);
            found.error(Code::WrongValue, name.spot, message).help("such as Authorization");
            continue;
        };
        if all.len() == JOB_FIELDS_MAX {
            let message = format!("more than {JOB_FIELDS_MAX} fields");
            found.error(Code::TooMany, name.spot, message);
            break;
        }
        let (value, file) = match &field.value {
            JobValue::Text(text) => (HeaderValue::from_str(text).ok(), None),
            JobValue::File(table) => (None, table.file.as_ref().map(|file| file.value.clone())),
        };
        if value.is_none() && file.is_none() {
            found
                .error(Code::WrongValue, field.spot, "this is not the value of a field")
                .help("write text, or { file = \"job.token\" }");
            continue;
        }
        let said_in = found.name(field.spot.file).to_owned();
        all.push(JobField { name: known, value, file, said_in });
    }
    all
}

fn may_be_job(name: &HeaderName) -> bool {
    let ours = [header::HOST, header::CONTENT_LENGTH, header::EXPECT, header::RANGE];
    !ours.contains(name) && !is_hop_by_hop(name)
}

/// Host patterns, each told when it is wrong.
pub(super) fn hosts(list: Option<&OneOrMany<Text>>, found: &mut Findings) -> Vec<HostPattern> {
    let read = |text: &Text, found: &mut Findings| {
        HostPattern::parse(&text.value)
            .map_err(|what| _ = found.error(Code::WrongValue, text.spot, what))
            .ok()
    };
    list.into_iter().flat_map(|list| &list.0).filter_map(|text| read(text, found)).collect()
}

fn fixed_host(text: &Text, found: &mut Findings) -> Option<String> {
    let authority = text.value.parse::<http::uri::Authority>().ok();
    if authority.is_none_or(|authority| authority.as_str().contains('@')) {
        found.error(Code::WrongValue, text.spot, "a Host is a name, with a port if need be");
        return None;
    }
    Some(text.value.clone())
}

fn count(
    field: Option<&At<u64>>,
    may_be: RangeInclusive<u64>,
    found: &mut Findings,
) -> Option<u32> {
    let field = field?;
    let number = u32::try_from(field.value).ok().filter(|_| may_be.contains(&field.value));
    if number.is_none() {
        let message = format!("expected an integer from {} to {}", may_be.start(), may_be.end());
        found.error(Code::WrongValue, field.spot, message);
    }
    number
}

enum UrlError {
    NotBuilt(&'static str),
    Wrong(&'static str),
}

impl UrlError {
    fn text(&self) -> String {
        match self {
            Self::NotBuilt(what) => format!("{what} is not built yet"),
            Self::Wrong(what) => (*what).to_owned(),
        }
    }

    const fn code(&self) -> Code {
        match self {
            Self::NotBuilt(_) => Code::NotBuilt,
            Self::Wrong(_) => Code::WrongValue,
        }
    }
}

fn parse_url(text: &str) -> Result<OriginUrl, UrlError> {
    let wrong = UrlError::Wrong("an origin's address is http://host:port");
    if text.starts_with("https:") {
        return Err(UrlError::NotBuilt("TLS to an origin (https:)"));
    }
    let Ok(uri) = text.parse::<http::Uri>() else { return Err(wrong) };
    let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong);
    };
    if authority.as_str().contains('@') {
        return Err(UrlError::Wrong("an address holds no user and password"));
    }
    if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
        return Err(UrlError::Wrong(
            "an origin's address has no path: targets are passed on as they come",
        ));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = match authority.port() {
        Some(port) => port.as_str().parse().map_err(|_| wrong)?,
        None => 80,
    };
    Ok(OriginUrl { scheme: "http".to_owned(), host: host.to_owned(), port })
}

/// The place of the origin for requests that no origin's hosts fit: that of `[defaults]` (the first
/// file that names one), else that of the command line, else the only one.
pub(super) fn default_origin(
    documents: &[RulesDocument],
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<usize> {
    let mut first = None;
    for document in documents {
        if let Some(Maybe::Just(name)) = document.defaults.as_ref().and_then(|d| d.origin.as_ref())
        {
            let at = scope.origin(&name.value.0, name.spot, found);
            first = first.or(at);
        }
    }
    let of_command_line = || scope.origins.iter().position(|(name, _)| **name == *OF_COMMAND_LINE);
    let only = || (scope.origins.len() == 1).then_some(0);
    first.or_else(of_command_line).or_else(only)
}
