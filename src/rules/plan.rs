//! What one request means under its route: the key a read is looked up by, or why it is not; the
//! tags an answer is stored with; the selectors a write purges. A request that the key does not
//! describe in full is never given one.

use bytes::Bytes;
use http::header::{COOKIE, HeaderMap, HeaderName};

use super::carried::add_tag;
use super::credentials::cookies;
use super::expr::{Expr, Resolved};
use super::extract::{Asked, Captures, Given, QueryShape, RequestBody, ValueOf};
use super::json::Json;
use super::percent;
use super::query;
use super::rulebook::{Mode, OnWrite, Route, Unnamed};
pub use super::selector::PlannedSelector;
use super::selector::SelectorTemplate;
use super::template::{Nothing, Piece, Template};
use super::veil::Veil;
use crate::base::limits::KEY_BYTES_MAX;
use crate::base::reason::Reason;
use crate::entry::order::{Glob, Selector};

/// How a read is looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadPlan {
    /// The whole key with the type's prefix; `None`: the target itself is the key.
    pub key: Option<String>,
    /// Whether the key tells apart every credential that this request carries.
    pub has_identity: bool,
    /// The target to send instead of the client's, without parameters that the rule strips.
    pub forward_target: Option<String>,
    /// What entries have in common that lie in one slot of a cluster. Without it each key has its
    /// own, also where the rule gives one of which a part is missing.
    pub shard: Option<String>,
}

/// One part of a key, as `explain` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartNote {
    /// As it stands in the template.
    pub text: String,
    /// What it gave; `None` when it is missing.
    pub value: Option<String>,
    /// Where that came from, in words.
    pub from: String,
}

/// The tags of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Each once, in the order of the rule.
    pub tags: Vec<String>,
    /// How many were left off because a part was missing.
    pub left_off: usize,
}

type Refused = (Reason, String);

impl Route {
    /// How a read is looked up, or why it passes uncached, with a word on what exactly. `veil`
    /// is what stands for the request's credentials.
    pub fn read_plan(
        &self,
        asked: &Asked<'_>,
        captures: &Captures,
        body: Option<&RequestBody>,
        veil: Veil<'_>,
    ) -> Result<ReadPlan, Refused> {
        if self.mode == Mode::Pass {
            return Err((Reason::ModePass, String::new()));
        }
        if self.key.is_none() && self.bypass.is_none() && self.shard.is_none() {
            return Ok(ReadPlan::default());
        }
        let given = Given { body, ..self.given(asked, captures, veil) };
        if self.bypass.as_ref().is_some_and(|bypass| bypass.holds(&given)) {
            return Err((Reason::BypassRule, String::new()));
        }
        let Some(template) = &self.key else {
            return Ok(ReadPlan { shard: self.shard_of(&given), ..ReadPlan::default() });
        };
        if !percent::is_plain_target(asked.target) {
            return Err((Reason::OddTarget, String::new()));
        }
        let forward_target = self.check_query(&given)?;
        let mut key = String::with_capacity(64);
        template.write(&given, &self.shape(), &mut key).map_err(|nothing| match nothing {
            Nothing::Missing(value) => (Reason::KeyPartMissing, value.written.to_string()),
            Nothing::TooLong => (Reason::TooLarge, format!("a key over {KEY_BYTES_MAX} bytes")),
        })?;
        let has_identity = self.tells_callers_apart(asked.fields);
        let shard = self.shard_of(&given);
        Ok(ReadPlan { key: Some(key), has_identity, forward_target, shard })
    }

    /// What the entry of this request has in common with others that lie in one slot of a cluster;
    /// `None` where the rule gives none, or a part of it is missing.
    pub fn shard(
        &self,
        asked: &Asked<'_>,
        captures: &Captures,
        body: Option<&RequestBody>,
        veil: Veil<'_>,
    ) -> Option<String> {
        self.shard_of(&Given { body, ..self.given(asked, captures, veil) })
    }

    /// What its texts are made of.
    fn given<'a>(
        &'a self,
        asked: &'a Asked<'a>,
        captures: &'a Captures,
        veil: Veil<'a>,
    ) -> Given<'a> {
        let credentials = Some(&*self.credentials);
        Given { veil, credentials, ..Given::request(asked, captures) }
    }

    /// Whether its key, or a tag by which it goes, holds a digest of a credential that a request
    /// with these fields carries.
    pub fn hides(&self, fields: &HeaderMap) -> bool {
        let sources = self.key.iter().chain(&self.tags).flat_map(Template::sources);
        sources.into_iter().any(|of| self.credentials.hide_of(of, fields))
    }

    /// Whether its key names this parameter by itself.
    pub fn keys_by(&self, name: &str) -> bool {
        self.query.in_key.iter().any(|one| **one == *name)
    }

    fn shard_of(&self, given: &Given<'_>) -> Option<String> {
        let mut text = String::new();
        self.shard.as_ref()?.write(given, &self.shape(), &mut text).ok()?;
        // Empty braces mark nothing in Redis.
        Some(text).filter(|text| !text.is_empty())
    }

    fn shape(&self) -> QueryShape<'_> {
        QueryShape { sorted: self.query.sorted, ignored: &self.query.ignore }
    }

    /// Whether every parameter is one that the rule knows how to take; the target to send instead,
    /// if some are not to be sent.
    fn check_query(&self, given: &Given<'_>) -> Result<Option<String>, Refused> {
        let rule = &self.query;
        for name in &rule.in_key {
            if given.query.all(name).nth(1).is_some() {
                return Err((Reason::QueryRepeated, name.to_string()));
            }
        }
        if rule.all_named {
            return Ok(None);
        }
        let shape = self.shape();
        let unnamed = |one: &query::Parameter<'_>| {
            !rule.named.iter().any(|name| one.is(name)) && !shape.is_ignored(one)
        };
        let Some(first) = given.query.iter().find(|one| unnamed(one)) else { return Ok(None) };
        match rule.unnamed.unwrap_or(Unnamed::Bypass) {
            Unnamed::Bypass => {
                let name = percent::decoded(first.name.as_bytes());
                Err((Reason::QueryUnnamed, String::from_utf8_lossy(&name).into_owned()))
            }
            Unnamed::Ignore => Ok(None),
            Unnamed::Strip => Ok(Some(query::without(given.asked.target, unnamed))),
        }
    }

    /// Whether the key holds something of each field that carries a credential here. One that the
    /// key does not hold could make the difference between two callers.
    fn tells_callers_apart(&self, fields: &HeaderMap) -> bool {
        let held = &self.identity;
        let holds = |name: &HeaderName| {
            held.headers.contains(name)
                || (name == COOKIE
                    && cookies(fields).any(|(cookie, _)| {
                        held.cookies.iter().any(|held| held.as_bytes() == cookie)
                    }))
        };
        held.digest || (held.any() && self.credentials.fields_seen(fields).all(holds))
    }

    /// The parts of the key one by one, for `explain`.
    pub fn key_parts(
        &self,
        asked: &Asked<'_>,
        captures: &Captures,
        body: Option<&RequestBody>,
        veil: Veil<'_>,
    ) -> Vec<PartNote> {
        let given = Given { body, ..self.given(asked, captures, veil) };
        let values = self.key.iter().flat_map(Template::values);
        values.map(|value| note(value, &given, &self.shape(), self)).collect()
    }

    /// The key's template with the type's prefix, as `explain` shows it.
    pub fn key_template(&self) -> Option<String> {
        self.key.as_ref().map(ToString::to_string)
    }

    /// Whether all its entries stand under keys that a plain GET of their targets would lead to.
    /// Not where it reads by other methods, or only what fits its conditions: there an order that
    /// names a target names no key.
    pub fn is_led_to_by_target(&self) -> bool {
        let by_get = |one: &super::matcher::Match| one.methods.fit(&http::Method::GET);
        let plain = self.matcher.when.is_none() && self.matcher.matches.iter().all(by_get);
        self.key.is_none() || plain
    }

    /// What takes every entry that any caller's read of this target could have made: the key, with
    /// a star for each part that is not in the target itself. Where it is known whose the request
    /// is, it is that tenant's key: what others have under this very target goes by its URI.
    pub fn key_selector(&self, asked: &Asked<'_>, captures: &Captures) -> Option<Selector> {
        let template = self.key.as_ref()?;
        let given = Given::request(asked, captures);
        let tenant = captures.tenant.name().is_some();
        let is_known = |of: &ValueOf| of.is_of_target() || tenant && *of == ValueOf::Tenant;
        let mut text = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(own) => text.push_str(own),
                Piece::Value(value) if !value.sources().all(is_known) => text.push('*'),
                Piece::Value(value) => match value.resolve(&given, &self.shape()) {
                    Resolved::Missing => text.push('*'),
                    Resolved::Text(own) => text.push_str(own),
                    Resolved::Value(datum) => datum.write_escaped(&mut text),
                },
            }
        }
        Some(match text.find('*') {
            None => Selector::Key(text),
            // Nothing stands before the star: the rule is narrower than everything.
            Some(0) => Selector::Rule(self.name.to_string()),
            Some(_) => Selector::Pattern(Glob::new(&text)),
        })
    }

    /// Whether the rule gives tags.
    pub fn gives_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    /// The tags that the rule gives to an answer. A tag of which a part is missing is left off.
    pub fn tags(
        &self,
        asked: &Asked<'_>,
        captures: &Captures,
        body: Option<&RequestBody>,
        veil: Veil<'_>,
        answer: Option<&Json>,
    ) -> Tags {
        let mut all = Tags::default();
        if self.tags.is_empty() {
            return all;
        }
        let given = Given { body, answer, ..self.given(asked, captures, veil) };
        for template in &self.tags {
            let mut tag = String::new();
            match template.write(&given, &self.shape(), &mut tag) {
                Ok(()) if tag.is_empty() => {}
                Ok(()) => add_tag(tag, &mut all.tags),
                Err(_) => all.left_off += 1,
            }
        }
        all
    }

    /// What a successful write purges, beside its own target: each selector once.
    pub fn write_selectors(
        &self,
        asked: &Asked<'_>,
        captures: &Captures,
        body: Option<&RequestBody>,
        veil: Veil<'_>,
        answer: Option<&Json>,
    ) -> Vec<PlannedSelector> {
        let OnWrite { purge, refresh, .. } = &self.on_write;
        let given = Given { body, answer, ..self.given(asked, captures, veil) };
        self.selectors(purge.iter().chain(refresh), &given)
    }

    /// What of this is fetched anew.
    pub fn refresh_selectors(
        &self,
        asked: &Asked<'_>,
        captures: &Captures,
        body: Option<&RequestBody>,
        veil: Veil<'_>,
        answer: Option<&Json>,
    ) -> Vec<PlannedSelector> {
        let given = Given { body, answer, ..self.given(asked, captures, veil) };
        self.selectors(self.on_write.refresh.iter(), &given)
    }

    fn selectors<'a>(
        &self,
        templates: impl Iterator<Item = &'a SelectorTemplate>,
        given: &Given<'_>,
    ) -> Vec<PlannedSelector> {
        let mut all: Vec<PlannedSelector> = Vec::new();
        for template in templates {
            let planned = template.plan(given, self.on_write.skip_missing);
            all.extend(planned.filter(|one| !all.contains(one)));
        }
        all
    }
}

/// Takes a body for templates; see [`RequestBody::new`].
impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

fn note(value: &Expr, given: &Given<'_>, shape: &QueryShape<'_>, route: &Route) -> PartNote {
    let text = format!("{{{}}}", value.written);
    match value.resolve(given, shape) {
        Resolved::Missing => PartNote { text, value: None, from: "nothing: it is missing".into() },
        Resolved::Text(own) => {
            PartNote { text, value: Some(own.to_owned()), from: "the template's default".into() }
        }
        Resolved::Value(datum) => {
            let mut escaped = String::new();
            datum.write_escaped(&mut escaped);
            let there = value.sources().find(|of| given.one(of, shape).is_some());
            let mut from = there.map_or_else(String::new, |of| describe(of, route));
            if there.is_some_and(|of| given.hides(of)) {
                from.push_str(", as a keyed digest");
            }
            PartNote { text, value: Some(escaped), from }
        }
    }
}

fn describe(of: &ValueOf, route: &Route) -> String {
    match of {
        ValueOf::Part(at) => {
            let name = route.names.texts().nth(*at).unwrap_or_default();
            format!("part `{name}` of the path")
        }
        ValueOf::Parameter(name) => format!("parameter `{name}` of the query"),
        ValueOf::Query => "the whole query".to_owned(),
        ValueOf::Header(name) => format!("field `{name}`"),
        ValueOf::Cookie(name) => format!("cookie `{name}`"),
        ValueOf::Host => "the host".to_owned(),
        ValueOf::Path => "the path".to_owned(),
        ValueOf::Method => "the method".to_owned(),
        ValueOf::Identity => "a digest of the credentials".to_owned(),
        ValueOf::Tenant => "the tenant whose request it is".to_owned(),
        ValueOf::RequestJson(_) => "the request's JSON".to_owned(),
        ValueOf::RequestJsonWhole | ValueOf::RequestBody => "the request's body".to_owned(),
        ValueOf::AnswerJson(_) => "the answer's JSON".to_owned(),
    }
}

#[cfg(test)]
mod tests;
