//! What orders can name an answer by, beside its key and target: the tags of its rule, those that
//! its own fields carry, and its groups (RFC 9875), which stand among the tags. The tag fields
//! speak to caches, so they are read here and go no further, unless the settings say so; the labels
//! stay with the entry in every level. An answer of which a label would have to be left off is not
//! kept: a purge by that one would miss it.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::base::limits;
use crate::base::names::{CACHE_GROUP_INVALIDATION, CACHE_GROUPS};
use crate::engine::Engine;
use crate::engine::admit::{Plan, Routed};
use crate::engine::errand::Errand;
use crate::engine::json;
use crate::engine::transit::Gist;
use crate::entry::order::Selector;
use crate::entry::{Body, Entry, Head, Labels, resource};
use crate::policy;
use crate::rules::{self, Asked, RequestBody, Role, TAG_FIELDS};
use crate::telemetry::event::Event;

/// The labels of an answer with these fields and this body. `None` when they are more than an entry
/// may have.
pub(super) fn of(
    engine: &Engine,
    errand: &Errand,
    body: &Body,
    fields: &HeaderMap,
) -> Option<Labels> {
    let plan = &errand.plan;
    let mut tags = carried(plan, &errand.labels, &errand.gist.authority, fields)?;
    for tag in by_rule(engine, plan, &errand.gist.asked(), body, fields) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let few = tags.len() <= limits::TAGS_PER_ENTRY_MAX;
    let own = errand.labels.tags.iter().cloned();
    let tags = || own.chain(tags.into_iter().map(Arc::from)).collect();
    few.then(|| Labels { tags: tags(), ..errand.labels.clone() })
}

/// The tags that its rule gives to an answer with this body.
pub(super) fn by_rule(
    engine: &Engine,
    plan: &Plan,
    asked: &Asked<'_>,
    body: &Body,
    fields: &HeaderMap,
) -> Vec<String> {
    let Some(route) = &plan.routed.route else { return Vec::new() };
    let answer = route
        .needs_response_json(Role::Read)
        .then(|| json::read(fields, &body.to_bytes(), route.json_max))
        .flatten();
    let request = RequestBody::new(plan.body.clone());
    let veil = engine.veil(plan.identity.as_deref());
    route.tags(asked, &plan.routed.captures, Some(&request), veil, answer.as_ref()).tags
}

/// The labels of an entry that was renewed by an answer with these fields (RFC 9111, 3.2). What it
/// had stays: nobody says which of its tags a field once brought that is not repeated.
pub(super) fn renewed(
    plan: &Plan,
    authority: &str,
    entry: &Entry,
    fields: &HeaderMap,
) -> Option<Labels> {
    let old = &entry.labels;
    let mut tags = old.tags.to_vec();
    for tag in carried(plan, old, authority, fields)? {
        if !tags.iter().any(|one| **one == *tag) {
            tags.push(tag.into());
        }
    }
    let few = resource::given(&tags).count() <= limits::TAGS_PER_ENTRY_MAX;
    few.then(|| Labels { tags: tags.into(), ..old.clone() })
}

/// Tags and groups that fields of an answer carry.
fn carried(
    plan: &Plan,
    labels: &Labels,
    authority: &str,
    fields: &HeaderMap,
) -> Option<Vec<String>> {
    let mut tags = rules::header_tags(fields)?;
    // A field that cannot be read is as if it were not there.
    let groups = policy::groups(fields, &CACHE_GROUPS).unwrap_or_default();
    if groups.len() > limits::TAGS_PER_ENTRY_MAX {
        return None;
    }
    let scope = scope(plan, labels, authority);
    for group in groups {
        tags.push(rules::group_tag(&group, scope)?);
    }
    (tags.len() <= limits::TAGS_PER_ENTRY_MAX).then_some(tags)
}

/// Whose groups those of an answer are: those of the authority it was asked under. What all
/// authorities share is the application's own.
fn scope<'a>(plan: &'a Plan, labels: &Labels, authority: &'a str) -> &'a str {
    let by_authority = labels.target.is_none() || !plan.key.site().is_empty();
    if by_authority { authority } else { plan.routed.origin.spec.target.authority() }
}

/// What the answer to a write says about groups of its origin (RFC 9875, 3). More than can be named
/// one by one are all.
pub(super) fn invalidated(routed: &Routed, written: &Gist, answer: &HeaderMap) -> Vec<Selector> {
    let groups = policy::groups(answer, &CACHE_GROUP_INVALIDATION).unwrap_or_default();
    if groups.is_empty() {
        return Vec::new();
    }
    let scopes = [&*written.authority, routed.origin.spec.target.authority()];
    let of = |scope: &str| match groups.len() {
        ..=limits::GROUPS_PER_WRITE_MAX => {
            let named = groups.iter().map(|group| rules::group_tag(group, scope));
            // No entry is kept in a group that has no name.
            named.flatten().map(Selector::Tag).collect()
        }
        _ => vec![rules::all_groups(scope)],
    };
    scopes.into_iter().flat_map(of).collect()
}

/// Tells which fields, or parts of them, had to be ignored.
pub(super) fn tell_ignored(engine: &Engine, target: &str, fields: &HeaderMap) {
    let tell = |field: &str, why: &str| {
        let event = Event::Ignored { field, target, why };
        engine.telemetry.tell(engine.clock.now(), &event);
    };
    for name in &TAG_FIELDS {
        if fields.contains_key(name) && rules::field_tags(fields, name).any(|tag| tag.is_none()) {
            tell(name.as_str(), "a tag is longer than any selector");
        }
    }
    for name in [CACHE_GROUPS, CACHE_GROUP_INVALIDATION] {
        if let Err(why) = policy::groups(fields, &name) {
            tell(name.as_str(), why);
        }
    }
}

/// Takes the fields away that only caches are to see, where clients are not to see them.
pub(super) fn strip(engine: &Engine, fields: &mut HeaderMap) {
    if engine.options.strip_tags {
        for name in &TAG_FIELDS {
            fields.remove(name);
        }
    }
}

/// The head of an entry with these fields.
pub(super) fn head(engine: &Engine, status: StatusCode, fields: &HeaderMap) -> Head {
    let shapes = engine.l1.shapes();
    if !engine.options.strip_tags || !TAG_FIELDS.iter().any(|name| fields.contains_key(name)) {
        return Head::shaped(status, fields, shapes);
    }
    let mut kept = fields.clone();
    strip(engine, &mut kept);
    Head::shaped(status, &kept, shapes)
}

/// The entry without fields that clients are not to see: another node may have kept them.
pub(super) fn stripped(engine: &Engine, entry: Entry) -> Entry {
    let hidden = |name: &http::HeaderName| TAG_FIELDS.contains(name);
    if !engine.options.strip_tags || !entry.head.lines().any(|(name, _)| hidden(name)) {
        return entry;
    }
    let head = head(engine, entry.head.status(), &entry.head.to_header_map());
    entry.with_head(head)
}
