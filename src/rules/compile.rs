//! From documents to the rulebook: names are looked up, what is not said is inherited,
//! templates and expressions are read. A route takes what it does not say from its type, then
//! from its file's `[defaults]`, then from the built-in values; `"none"` takes a value back.
//! Compiling goes on after an error wherever it can, so that one run tells everything.

mod cascade;
mod comparing;
mod keeping;
mod law;
mod origin;
mod route;
mod tenant;
mod writing;

pub(super) use route::Made;

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;

use super::check;
use super::credentials::CredentialNames;
use super::diagnostic::{Code, Diagnostic, Findings, Source, Spot};
use super::document::{RulesDocument, TypeTable};
use super::matcher::Table;
use super::names::Names;
use super::nearest::nearest;
use super::node::{Node, Value};
use super::read::{FromNode, Maybe, Text};
use super::rulebook::{Kind, OriginSpec, Rulebook};
use super::tenant::{Tenancy, TenantRule};
use super::testblock::TestCase;
use super::values::TtlText;
use super::{LoadContext, Loaded, parse};
use crate::base::ids::KindId;
use crate::entry::order::Glob;
use crate::policy::{Manner, Profile, Ttl};

/// The version of the grammar that this program reads.
const VERSION: u64 = 1;

/// Reads and compiles all files; see [`super::load`].
pub(super) fn load(sources: &[Source], ctx: &LoadContext) -> Result<Loaded, Vec<Diagnostic>> {
    let mut found = Findings::about(sources);
    let mut documents = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let Ok(file) = u16::try_from(file) else {
            found.error(Code::TooMany, None, "more than 65,535 files of rules");
            break;
        };
        let node = parse::parse(source, file, &mut found);
        documents.extend(node.and_then(|node| read_document(&node, file, &mut found)));
    }
    // What a file that cannot be read would have defined is unknown, not wrong.
    let complete = documents.len() == sources.len();
    let book = complete.then(|| compile(&documents, ctx, &mut found));
    let failed = found.errors() > 0;
    let findings = found.into_sorted();
    match book {
        Some(book) if !failed => Ok(Loaded { book, warnings: findings }),
        _ => Err(findings),
    }
}

fn read_document(node: &Node, file: u16, found: &mut Findings) -> Option<RulesDocument> {
    let version = match &node.value {
        Value::Table(members) => members.iter().find(|member| member.name == "version"),
        _ => None,
    };
    match version.map(|member| (member, &member.node.value)) {
        None => {
            let spot = Spot { file, start: 0, end: 0 };
            found
                .error(Code::Missing, spot, "`version` is missing")
                .help("write `version = 1` at the top of the file, above every [table]");
        }
        Some((member, Value::Int(digits))) if **digits != *VERSION.to_string() => {
            let message = format!("this file is written for version {digits} of the rules");
            found
                .error(Code::Version, member.node.spot, message)
                .help("this program reads version 1; use a newer one for newer files");
            return None;
        }
        Some(_) => {}
    }
    RulesDocument::from_node(node, found)
}

/// What the documents define, by name.
struct Scope<'d> {
    classes: HashMap<&'d str, (&'d TtlText, Spot)>,
    types: Vec<(&'d Text, &'d TypeTable)>,
    origins: Vec<(Arc<str>, OriginSpec)>,
    credentials: Arc<CredentialNames>,
    tenant: Option<Arc<TenantRule>>,
    ctx: &'d LoadContext,
}

fn compile<'d>(
    documents: &'d [RulesDocument],
    ctx: &'d LoadContext,
    found: &mut Findings,
) -> Rulebook {
    let mut scope = Scope {
        classes: classes(documents, found),
        types: types(documents, found),
        origins: origin::origins(documents, ctx, found),
        credentials: Arc::new(credentials(documents, ctx, found)),
        tenant: None,
        ctx,
    };
    scope.tenant = tenant::rule(documents, &scope, found);
    let kinds = kinds(&scope, found);
    let default_origin = origin::default_origin(documents, &scope, found);
    let routes = route::routes(documents, &scope, found);
    tenant::check(documents, &routes, &scope, found);
    check::check(&routes, &kinds, default_origin.is_some(), found);
    let cascades = cascade::cascades(documents, &routes, &kinds, found);
    let routes: Vec<_> = routes.into_iter().map(|made| Arc::new(made.route)).collect();
    let tests = documents
        .iter()
        .flat_map(|document| document.test.iter().flatten())
        .filter_map(|test| TestCase::read(test, &scope_ttl(&scope), found))
        .collect();
    let book = Rulebook {
        table: Table::of(&routes),
        tenancy: scope.tenant.as_ref().map(|rule| Tenancy::new(rule, &Names::default())),
        manner: Manner::of(if ctx.authorization_only { Profile::Rfc } else { Profile::Safe }),
        routes,
        kinds,
        origins: scope.origins.into_iter().map(|(_, spec)| spec).collect(),
        default_origin,
        credentials: scope.credentials,
        events: keeping::events(documents, ctx, found),
        cascades,
        tests,
    };
    check::check_tests(&book, found);
    book
}

/// How a test's `ttl` is looked up.
fn scope_ttl<'a>(scope: &'a Scope<'_>) -> impl Fn(&TtlText) -> Option<Ttl> + 'a {
    |text| law::ttl_of(text, scope)
}

/// Adds a name to those that are taken, or tells where it was taken.
fn claim<'a>(
    taken: &mut HashMap<&'a str, Spot>,
    name: &'a str,
    spot: Spot,
    what: &str,
    found: &mut Findings,
) -> bool {
    if let Some(first) = taken.get(name) {
        let first = found.place(*first);
        found
            .error(Code::Duplicate, spot, format!("{what} `{name}` is defined twice"))
            .label("here again")
            .also(first, "first here")
            .help("names are unique over all files; give one of them another name");
        return false;
    }
    taken.insert(name, spot);
    true
}

/// Tells that nothing defines a name, and which was probably meant.
fn unknown_name<'a>(
    what: &str,
    name: &str,
    spot: Spot,
    known: impl Iterator<Item = &'a str>,
    found: &mut Findings,
) {
    let known: Vec<_> = known.collect();
    let error = found.error(Code::UnknownName, spot, format!("no {what} is called `{name}`"));
    if let Some(near) = nearest(name, known.iter().copied()) {
        error.help(format!("did you mean `{near}`?"));
    } else if known.is_empty() {
        error.help(format!("no {what} is defined at all"));
    } else {
        error.help(format!("defined are {}", known.join(", ")));
    }
}

fn classes<'d>(
    documents: &'d [RulesDocument],
    found: &mut Findings,
) -> HashMap<&'d str, (&'d TtlText, Spot)> {
    let mut taken = HashMap::new();
    let mut all = HashMap::new();
    for (name, ttl) in documents.iter().filter_map(|d| d.ttl.as_ref()).flat_map(|table| &table.0) {
        if let TtlText::Class(_) = ttl.value {
            found.error(Code::WrongValue, ttl.spot, "a class is a lifetime, not another class");
        }
        if claim(&mut taken, &name.value, name.spot, "class", found) {
            all.insert(name.value.as_str(), (&ttl.value, ttl.spot));
        }
    }
    all
}

fn types<'d>(
    documents: &'d [RulesDocument],
    found: &mut Findings,
) -> Vec<(&'d Text, &'d TypeTable)> {
    let mut taken = HashMap::new();
    let tables = documents.iter().filter_map(|d| d.r#type.as_ref()).flat_map(|table| &table.0);
    let mut all = Vec::new();
    for (name, table) in tables {
        if !is_word(&name.value) {
            not_a_word("type", name, found);
        } else if claim(&mut taken, &name.value, name.spot, "type", found) {
            all.push((name, table));
        }
    }
    if all.len() >= usize::from(u16::MAX) {
        found.error(Code::TooMany, None, "more than 65,534 types");
        all.truncate(usize::from(u16::MAX) - 1);
    }
    all
}

/// Names of types and origins appear in selectors, metrics and logs.
fn is_word(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    !name.is_empty() && name != "none" && !name.starts_with('-') && name.bytes().all(plain)
}

fn not_a_word(what: &str, name: &Text, found: &mut Findings) {
    let message = format!("`{}` is not a name for {what}", name.value);
    found
        .error(Code::WrongValue, name.spot, message)
        .help("names are made of letters, digits, `_`, `-` and `.`, and are not \"none\"");
}

/// The nameless type and all others, in the order of the files.
fn kinds(scope: &Scope<'_>, found: &mut Findings) -> Vec<Kind> {
    let mut all = vec![Kind::default()];
    for (name, table) in &scope.types {
        let prefix = table.prefix.as_ref().map(|prefix| {
            let plain = |b: u8| b.is_ascii_graphic() && b != b'*';
            if !prefix.value.bytes().all(plain) {
                found.error(
                    Code::WrongValue,
                    prefix.spot,
                    "a prefix holds printable ASCII without spaces and stars",
                );
            }
            prefix.value.clone()
        });
        all.push(Kind {
            name: name.value.as_str().into(),
            prefix: prefix.or_else(|| scope.ctx.default_prefix.clone()).unwrap_or_default(),
            max_bytes: table.max_size.as_ref().map(|size| size.value.0.0),
            max_entries: table.max_entries.as_ref().map(|count| count.value),
        });
        law::check_type(table, scope, found);
        keeping::check_type(table, found);
        comparing::check(table.compare.as_ref(), found);
    }
    all
}

impl<'d> Scope<'d> {
    /// The type of this name, and its place among the kinds.
    fn kind(&self, name: &Text, found: &mut Findings) -> Option<(KindId, &'d TypeTable)> {
        let at = self.types.iter().position(|(known, _)| known.value == name.value);
        let known = at.and_then(|at| Some((KindId(at as u16 + 1), self.types.get(at)?.1)));
        if known.is_none() {
            let names = self.types.iter().map(|(name, _)| name.value.as_str());
            unknown_name("type", &name.value, name.spot, names, found);
        }
        known
    }

    /// The place of the origin of this name.
    fn origin(&self, name: &str, spot: Spot, found: &mut Findings) -> Option<usize> {
        let at = self.origins.iter().position(|(known, _)| **known == *name);
        if at.is_none() {
            let known = self.origins.iter().map(|(name, _)| &**name);
            unknown_name("origin", name, spot, known.filter(|name| is_word(name)), found);
        }
        at
    }
}

/// The first level that says something: a value, or `"none"`.
fn inherited<T>(levels: [Option<&Maybe<T>>; 3]) -> Option<&T> {
    match levels.into_iter().flatten().next() {
        Some(Maybe::Just(value)) => Some(value),
        Some(Maybe::Nothing) | None => None,
    }
}

fn credentials(
    documents: &[RulesDocument],
    ctx: &LoadContext,
    found: &mut Findings,
) -> CredentialNames {
    let mut names = if ctx.authorization_only {
        CredentialNames::authorization_only()
    } else {
        CredentialNames::default()
    };
    let mut tables = documents.iter().filter_map(|document| document.credentials.as_ref());
    let Some(table) = tables.next() else { return names };
    if tables.next().is_some() {
        let message = "[credentials] may stand in one file only";
        found.error(Code::Duplicate, None, message);
    }
    if let Some(headers) = &table.headers {
        let read = |text: &Text, found: &mut Findings| {
            HeaderName::from_bytes(text.value.as_bytes())
                .map_err(|_| {
                    let message = format!("`{}` is not a field's name", text.value);
                    found.error(Code::WrongValue, text.spot, message);
                })
                .ok()
        };
        names.set_headers(headers.0.iter().filter_map(|text| read(text, found)).collect());
    }
    if let Some(globs) = &table.cookies_ignored {
        names.set_cookies_ignored(globs.0.iter().map(|text| Glob::new(&text.value)).collect());
    }
    names
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
