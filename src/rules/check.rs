//! What is dangerous or useless although it can be read. Errors are things that would serve the
//! wrong answer or never do anything; warnings are things that are probably not meant. Each
//! check is a function of the compiled routes, so it judges what will run and not what was
//! written.

mod keys;
mod reach;
mod shards;
mod writes;

use super::compile::Made;
use super::credentials::CredentialNames;
use super::diagnostic::{Code, Findings, Spot};
use super::expr::{Expr, Step};
use super::rulebook::{Kind, Role, Route, Rulebook};
use super::template::Template;
use crate::base::fields::is_secret_parameter;

/// Judges all routes.
pub(super) fn check(routes: &[Made], kinds: &[Kind], has_origin: bool, found: &mut Findings) {
    reach::check(routes, found);
    keys::check(routes, found);
    shards::check(routes, found);
    writes::check(routes, kinds, found);
    let all_named = !routes.is_empty() && routes.iter().all(|made| made.route.origin.is_some());
    // While there are errors, an origin may only be missing because it could not be read.
    if !has_origin && !all_named && found.errors() == 0 {
        found
            .warn(
                Code::NoOrigin,
                None,
                "requests that no origin's `hosts` fit are answered with 404",
            )
            .help("name an origin in [defaults], or start with --origin");
    }
}

/// Judges the tests against the rules: one that sends credentials to a route that will not store
/// answers to them probably means something else.
pub(super) fn check_tests(book: &Rulebook, found: &mut Findings) {
    for test in &book.tests {
        let asked = test.asked();
        if test.expects_refusal() || !book.credentials.seen(asked.fields) {
            continue;
        }
        let Some((route, _)) = book.route(&asked) else { continue };
        if is_useless_for_callers(route) && matches!(route.role(asked.method), Role::Read) {
            let message = format!("no part of the key of `{}` identifies the caller", route.name);
            found
                .warn(Code::KeyWithoutIdentity, test.spot, message)
                .label("this request has credentials, so it is neither read nor stored")
                .help(IDENTITY_HELP);
        }
    }
}

/// What to do about a key without an identity part.
const IDENTITY_HELP: &str = "add {identity} to the key, or share = \"identity\", or share = \
                             \"public\" if every caller may see the same answer";

/// Whether answers to requests with credentials are never stored by this route.
fn is_useless_for_callers(route: &Route) -> bool {
    use super::rulebook::{Mode, Share};
    route.share == Share::Auto
        && route.mode == Mode::On
        && route.has_key()
        && !route.has_identity_part()
}

/// Whether a field or cookie is a credential.
pub(super) fn is_credential(of: &super::extract::ValueOf, names: &CredentialNames) -> bool {
    use super::extract::ValueOf;
    match of {
        ValueOf::Header(name) => names.counts_header(name),
        ValueOf::Cookie(name) => names.counts_cookie(name.as_bytes()),
        _ => false,
    }
}

/// Warns of secrets that a text shows as they are: parameters of the query, for which no digest
/// stands. `what` says which texts these are.
pub(super) fn check_secrets(what: &str, template: &Template, spot: Spot, found: &mut Findings) {
    use super::extract::ValueOf;
    let secret = |of: &ValueOf| match of {
        // APIs call many a thing so that everybody may know.
        ValueOf::Parameter(name) if matches!(&**name, "key" | "code") => false,
        ValueOf::Parameter(name) => is_secret_parameter(name),
        _ => false,
    };
    let digested = |value: &Expr| value.steps.contains(&Step::Sha256);
    for value in template.values().filter(|value| !digested(value)) {
        if value.sources().any(secret) {
            let message = format!("{what} would show the secret `{{{}}}`", value.written);
            found.warn(Code::SecretInKey, spot, message).help(format!(
                "take it from a field, or put |sha256 behind it: {what} appear in logs, in answers \
                 and in Redis"
            ));
        }
    }
}

#[cfg(test)]
mod tests;
