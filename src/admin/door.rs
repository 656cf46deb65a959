//! Who gets in: only calls under a name of this listener, and only as far as the caller's role
//! goes. Without a file of tokens nobody changes anything; what is asked is answered, on loopback.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::admin::Admin;
use crate::admin::calls::{Bound, Call};
use crate::admin::tokens::{Role, Token};
use crate::base::names;
use crate::entry::order::Selector;

/// Who calls, as the door found out.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The token, where one was shown.
    pub(super) token: Option<Token>,
}

impl Caller {
    /// Its name in the audit log.
    pub(super) fn name(&self) -> &str {
        self.token.as_ref().map_or("-", |token| &token.name)
    }

    /// Refuses who has a lesser role than a part of the call needs.
    pub(super) fn must_be(&self, least: Role, what: &str) -> Result<(), Box<Response>> {
        if self.token.as_ref().is_some_and(|token| token.role >= least) {
            return Ok(());
        }
        let detail = format!("only the role `{}` {what}", least.as_str());
        Err(Box::new(problem(StatusCode::FORBIDDEN, "not-allowed", &detail)))
    }

    /// Refuses who may not change this.
    pub(super) fn must_reach(&self, selector: &Selector) -> Result<(), Box<Response>> {
        match self.token.as_ref().filter(|token| !token.may_purge(selector)) {
            Some(token) => Err(Box::new(beyond(token, &format!("change `{selector}`")))),
            None => Ok(()),
        }
    }

    /// Refuses who may not change all that stands under the keys of what is named: of tenants,
    /// tags, rules and URLs a key tells nothing, and another's may be the same.
    pub(super) fn must_reach_keys(&self, named: &[Selector]) -> Result<(), Box<Response>> {
        let tells = |one: &Selector| {
            use Selector::{All, Key, Pattern, Prefix, Type};
            matches!(one, All | Key(_) | Pattern(_) | Prefix(_) | Type(_))
        };
        for one in named {
            self.must_reach(one)?;
            if let Some(token) = self.token.as_ref().filter(|token| token.is_bound() && !tells(one))
            {
                let what = format!("purge the keys of `{one}`, which may be others' as well");
                return Err(Box::new(beyond(token, &what)));
            }
        }
        Ok(())
    }

    /// Refuses who may not see this.
    pub(super) fn must_see(&self, selector: &Selector) -> Result<(), Box<Response>> {
        match self.token.as_ref().filter(|token| !token.reaches(selector)) {
            Some(token) => Err(Box::new(beyond(token, &format!("see `{selector}`")))),
            None => Ok(()),
        }
    }

    /// Whether it may see what belongs to the caller of this name.
    pub(super) fn sees_of(&self, name: &str) -> bool {
        self.token.as_ref().is_none_or(|token| !token.is_bound() || token.name == name)
    }
}

/// A refusal of what lies beyond the bounds of a token, with what would do.
fn beyond(token: &Token, what: &str) -> Response {
    let Token { name, .. } = token;
    let detail = if token.is_bound() {
        let bounds = token.bounds();
        format!(
            "the token {name} may not {what}: it is bound to `{bounds}`; name what surely lies \
             within that, or take a token without bounds"
        )
    } else {
        format!("the token {name} may not {what}: its role is `{}`", token.role.as_str())
    };
    problem(StatusCode::FORBIDDEN, "not-allowed", &detail)
}

/// What a listener may be called.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) own: SocketAddr,
    pub(super) hosts: Arc<[String]>,
}

impl Named {
    /// Whether a Host means this listener. An address cannot be made to mean another one by a name
    /// server, a name can.
    fn knows(&self, host: &str) -> bool {
        let is_ours =
            |ip: IpAddr| ip == self.own.ip() || ip.is_loopback() || self.own.ip().is_unspecified();
        let by_address = host
            .parse::<SocketAddr>()
            .is_ok_and(|named| named.port() == self.own.port() && is_ours(named.ip()));
        let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
        let by_name = name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|told| told.eq_ignore_ascii_case(name));
        by_address || by_name && port.parse() == Ok(self.own.port())
    }
}

/// The code of a problem, beside an answer that is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(pub(super) &'static str);

/// A problem document (RFC 9457).
pub(super) fn problem(status: StatusCode, code: &'static str, detail: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    let kind = HeaderValue::from_static(names::PROBLEM_JSON);
    let head = [(header::CONTENT_TYPE, kind)];
    (status, head, Extension(Code(code)), body.to_string()).into_response()
}

/// Only names that mean this listener: a page that a browser shows under another name must not get
/// through to it.
pub(super) async fn known_host(named: Named, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let foreign_page = request.headers().contains_key(header::ORIGIN);
    if host.is_some_and(|host| named.knows(host)) && !foreign_page {
        return next.run(request).await;
    }
    let detail = "this Host name is not one of the admin API's; use its address, or tell it the \
                  name with `admin.hosts`";
    problem(StatusCode::MISDIRECTED_REQUEST, "unknown-host", detail)
}

/// Lets callers of at least this role through, and those that are bound where the call can be kept
/// within their bounds.
pub(super) async fn gate(
    State((admin, call, least)): State<(Admin, Call, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = admits(&admin, least, request.headers());
    match admitted.and_then(|caller| within(caller, call)) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => {
            if least > Role::Read {
                admin.audit.refused(&admin.engine, request.method(), request.uri().path());
            }
            *refusal
        }
    }
}

fn admits(admin: &Admin, least: Role, head: &HeaderMap) -> Result<Caller, Box<Response>> {
    if !admin.tokens.are_used() {
        if least == Role::Read {
            return Ok(Caller { token: None });
        }
        let detail = "this call needs a token, and the node knows none: make a file with `cistern \
                      tokens create` and name it in `admin.tokens_file`";
        return Err(Box::new(problem(StatusCode::FORBIDDEN, "no-tokens", detail)));
    }
    let Some(token) = bearer(head).and_then(|text| admin.tokens.find(text)) else {
        let detail = "this call needs `Authorization: Bearer` with a token of the node's";
        let mut refusal = problem(StatusCode::UNAUTHORIZED, "unknown-token", detail);
        let scheme = HeaderValue::from_static("Bearer realm=\"cistern\"");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        return Err(Box::new(refusal));
    };
    if token.role < least {
        let detail = format!(
            "this call is for the role `{}`, and the token {} has `{}`",
            least.as_str(),
            token.name,
            token.role.as_str()
        );
        return Err(Box::new(problem(StatusCode::FORBIDDEN, "not-allowed", &detail)));
    }
    Ok(Caller { token: Some(token) })
}

/// Refuses a bound token what no selector bounds.
fn within(caller: Caller, call: Call) -> Result<Caller, Box<Response>> {
    match caller.token.as_ref().filter(|token| token.is_bound()) {
        Some(token) if call.bound == Bound::Nothing => {
            let detail = format!(
                "the token {} is bound to `{}`, and nothing bounds what this call tells or does; \
                 take a token without bounds",
                token.name,
                token.bounds()
            );
            Err(Box::new(problem(StatusCode::FORBIDDEN, "not-allowed", &detail)))
        }
        _ => Ok(caller),
    }
}

/// The token of a field `Authorization: Bearer` (RFC 6750, 2.1), where there is exactly one.
fn bearer(head: &HeaderMap) -> Option<&[u8]> {
    let mut lines = head.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, token) = line.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_listener_are_known() {
        let named = |own: &str| Named {
            own: own.parse().unwrap(),
            hosts: Arc::from(["cache.internal".to_owned()]),
        };
        let loopback = named("127.0.0.1:9180");
        for host in ["127.0.0.1:9180", "[::1]:9180", "LocalHost:9180", "cache.internal:9180"] {
            assert!(loopback.knows(host), "{host}");
        }
        for host in ["127.0.0.1", "127.0.0.1:80", "10.0.0.1:9180", "evil.example:9180", "", ":9180"]
        {
            assert!(!loopback.knows(host), "{host}");
        }
        let open = named("0.0.0.0:9180");
        assert!(open.knows("10.0.0.1:9180") && !open.knows("evil.example:9180"));
    }

    #[test]
    fn one_bearer_is_read() {
        let head = |lines: &[&'static str]| {
            let mut head = HeaderMap::new();
            for line in lines {
                head.append(header::AUTHORIZATION, HeaderValue::from_static(line));
            }
            head
        };
        assert_eq!(bearer(&head(&["bEARER  abc "])), Some(&b"abc"[..]));
        for wrong in [&[][..], &["Basic abc"], &["Bearer"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&head(wrong)), None, "{wrong:?}");
        }
    }
}
