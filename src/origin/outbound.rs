//! A request as it leaves: every message is rebuilt, so that it has one target, one Host and one
//! framing field, whatever came in (RFC 9112, 6.3; RFC 9110, 7.6).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{self, Uri};
use http::{Method, Request, Version};
use http_body::Body;

use crate::base::fields;
use crate::origin::BoxError;
use crate::origin::fault::{OriginFault, Sent};
use crate::origin::interim::Interim;
use crate::origin::spec::OnInterim;
use crate::origin::target::Target;
use crate::origin::upload::{OutBody, Upload};

/// A request ready for any connection.
pub(super) struct Outbound {
    pub(super) request: Request<OutBody>,
    pub(super) about: About,
}

/// What must be known of a request after it has left.
#[derive(Clone)]
pub(super) struct About {
    pub(super) method: Method,
    /// `None` when there is no body.
    pub(super) upload: Option<Arc<Upload>>,
    /// Whether the answer may be 101.
    pub(super) upgrades: bool,
    on_interim: Option<OnInterim>,
}

impl Outbound {
    pub(super) fn new<B>(
        target: &Target,
        request: Request<B>,
        on_interim: Option<OnInterim>,
    ) -> Result<Self, OriginFault>
    where
        B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
    {
        let (mut head, body) = request.into_parts();
        if head.method == Method::CONNECT {
            return Err(wrong("CONNECT asks for a forward proxy"));
        }
        head.uri = origin_form(&head.uri).ok_or_else(|| wrong("the target has no path"))?;
        head.version = Version::HTTP_11;
        // What the server side noted about the client's message means nothing on this side.
        head.extensions.clear();
        name_host(target, &mut head.headers);
        let length = frame(&mut head.headers, &body)?;
        let (body, upload) = match length {
            Framing::Empty => (OutBody::none(), None),
            Framing::Length(bytes) => sending(body, Some(bytes), &head.headers),
            Framing::Chunked => sending(body, None, &head.headers),
        };
        let upgrades = upload.is_none() && head.headers.contains_key(header::UPGRADE);
        if !upgrades {
            without_upgrade(&mut head.headers);
        }
        let about = About { method: head.method.clone(), upload, upgrades, on_interim };
        let mut outbound = Self { request: Request::from_parts(head, body), about };
        outbound.hook();
        Ok(outbound)
    }

    /// The same request again, where sending it twice changes nothing (RFC 9110, 9.2.1) and
    /// nothing of it has to be kept for that. PUT and DELETE are idempotent too, but between the
    /// two sendings somebody else may have written.
    pub(super) fn copy(&self) -> Option<Self> {
        let safe = matches!(
            self.about.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
        );
        if !safe || self.about.upload.is_some() {
            return None;
        }
        let mut request = Request::new(OutBody::none());
        *request.method_mut() = self.about.method.clone();
        *request.uri_mut() = self.request.uri().clone();
        *request.headers_mut() = self.request.headers().clone();
        let mut copy = Self { request, about: self.about.clone() };
        copy.hook();
        Some(copy)
    }

    /// Listens to interim answers: 100 opens the body's gate, the others are told.
    fn hook(&mut self) {
        let (upload, told) = (self.about.upload.clone(), self.about.on_interim.clone());
        if upload.is_none() && told.is_none() {
            return;
        }
        hyper::ext::on_informational(&mut self.request, move |answer| {
            if answer.status() == http::StatusCode::CONTINUE {
                if let Some(upload) = &upload {
                    upload.open();
                }
            } else if let Some(told) = &told {
                told(&Interim { status: answer.status(), fields: answer.headers() });
            }
        });
    }
}

enum Framing {
    Empty,
    Length(u64),
    Chunked,
}

fn wrong(cause: &str) -> OriginFault {
    OriginFault::Request { sent: Sent::Nothing, cause: cause.to_owned() }
}

/// Path and query alone, byte for byte.
fn origin_form(uri: &Uri) -> Option<Uri> {
    if uri.scheme().is_none() && uri.authority().is_none() {
        return uri.path_and_query().map(|_| uri.clone());
    }
    let mut parts = uri::Parts::default();
    parts.path_and_query = Some(uri.path_and_query()?.clone());
    Uri::from_parts(parts).ok()
}

fn name_host(target: &Target, fields: &mut HeaderMap) {
    match target.fixed_host() {
        Some(fixed) => {
            fields.insert(header::HOST, fixed.clone());
        }
        None if !fields.contains_key(header::HOST) => {
            fields.insert(header::HOST, target.own_host().clone());
        }
        None => {}
    }
}

/// Leaves exactly one framing field, or none where there is no body. A Content-Length of 0 stays:
/// some origins want it on a POST (RFC 9110, 8.6).
fn frame<B: Body>(fields: &mut HeaderMap, body: &B) -> Result<Framing, OriginFault> {
    fields.remove(header::TRANSFER_ENCODING);
    let declared = declared_length(fields)?;
    let known = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    let length = match (declared, known) {
        (Some(declared), Some(known)) if declared != known => {
            return Err(wrong("its Content-Length is not the length of its body"));
        }
        (declared, known) => declared.or(known),
    };
    match length {
        Some(0) => Ok(Framing::Empty),
        Some(bytes) => {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
            Ok(Framing::Length(bytes))
        }
        // Said explicitly: without it hyper takes a GET's body of unknown length for none.
        None => {
            fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            Ok(Framing::Chunked)
        }
    }
}

/// The one Content-Length; several, even equal ones, are ambiguous.
fn declared_length(fields: &HeaderMap) -> Result<Option<u64>, OriginFault> {
    let mut lines = fields.get_all(header::CONTENT_LENGTH).into_iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let digits = line.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    match (digits.and_then(|text| text.parse().ok()), lines.next()) {
        (Some(length), None) => Ok(Some(length)),
        _ => Err(wrong("its Content-Length is ambiguous")),
    }
}

fn sending<B>(body: B, length: Option<u64>, fields: &HeaderMap) -> (OutBody, Option<Arc<Upload>>)
where
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    let expect = fields::members(fields, &header::EXPECT)
        .any(|member| member.eq_ignore_ascii_case(b"100-continue"));
    let (body, upload) = OutBody::of(Box::pin(body), length, expect);
    (body, Some(upload))
}

/// A request with a body asks for no upgrade: where its body would end and the other protocol
/// begin, two readers see differently. The origin is free to ignore the wish (RFC 9110, 7.8).
fn without_upgrade(fields: &mut HeaderMap) {
    if fields.remove(header::UPGRADE).is_none() {
        return;
    }
    let rest: Vec<&[u8]> = fields::members(fields, &header::CONNECTION)
        .filter(|member| !member.eq_ignore_ascii_case(b"upgrade"))
        .collect();
    match HeaderValue::from_bytes(&rest.join(&b", "[..])) {
        Ok(value) if !value.is_empty() => {
            fields.insert(header::CONNECTION, value);
        }
        _ => {
            fields.remove(header::CONNECTION);
        }
    }
}
