//! What came back: is it an answer that may be passed on, and is the connection good for another
//! request. hyper has read the head already; here stands what it lets pass and a proxy must not.
//!
//! hyper itself refuses obs-fold, NUL, space before a colon, HTTP/0.9, different Content-Lengths
//! and Transfer-Encoding from HTTP/1.0. It accepts a bare LF as line end, which it hides from us
//! and which is harmless here: the head is written anew.

use http::header::{self, HeaderMap};
use http::{Method, Response, StatusCode, Version};
use hyper::body::Incoming;

use crate::base::fields;
use crate::origin::fault::{OriginFault, Sent};
use crate::origin::link::SendFailure;
use crate::origin::upload::Upload;

/// Whether a connection may carry another exchange after this answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    Reuse,
    Close,
}

/// Judges the head of an answer.
pub(super) fn judge(
    answer: &Response<Incoming>,
    method: &Method,
    upgrades: bool,
) -> Result<Afterwards, OriginFault> {
    let bad = |why: &str| Err(OriginFault::BadAnswer(why.to_owned()));
    let fields = answer.headers();
    let status = answer.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return if upgrades {
            Ok(Afterwards::Close)
        } else {
            bad("101 to a request without Upgrade")
        };
    }
    let coded = fields.contains_key(header::TRANSFER_ENCODING);
    let mut lengths = fields.get_all(header::CONTENT_LENGTH).into_iter();
    let length = lengths.next();
    if coded && length.is_some() {
        return bad("both Transfer-Encoding and Content-Length");
    }
    if lengths.next().is_some() || length.is_some_and(|line| !is_number(line.as_bytes())) {
        return bad("an ambiguous Content-Length");
    }
    if coded && !is_chunked_alone(fields) {
        return bad("a Transfer-Encoding other than chunked, which nobody asked for");
    }
    let bodiless = status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || *method == Method::HEAD;
    // A 204 that announces a body has perhaps one on the way (RFC 9110, 15.3.5): its bytes must
    // not meet the next request.
    let announced = coded || length.is_some_and(|line| line.as_bytes() != b"0");
    let suspicious = status == StatusCode::NO_CONTENT && announced;
    // Answers of HTTP/1.0 make hyper speak HTTP/1.0 on that connection, and drop chunked bodies.
    let old = answer.version() != Version::HTTP_11;
    // Without any framing the body ends with the connection.
    let until_close = !bodiless && !coded && length.is_none();
    let close = suspicious || old || until_close;
    Ok(if close { Afterwards::Close } else { Afterwards::Reuse })
}

fn is_number(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

fn is_chunked_alone(fields: &HeaderMap) -> bool {
    let mut codings = fields::members(fields, &header::TRANSFER_ENCODING);
    codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

/// What a failed exchange means, when `written` and `read` say whether bytes left and came.
pub(super) fn failure(
    failure: &SendFailure,
    upload: Option<&Upload>,
    written: bool,
) -> OriginFault {
    let sent = if written && failure.message().is_none() { Sent::Maybe } else { Sent::Nothing };
    if let Some(cause) = upload.and_then(Upload::broke) {
        return OriginFault::Request { sent, cause };
    }
    let error = failure.error();
    let cause = told(error);
    if error.is_parse() {
        OriginFault::BadAnswer(cause)
    } else {
        // Also when the connection's own task is gone, with the runtime that drove it.
        OriginFault::Reset { sent, cause }
    }
}

/// An error with its causes in one line.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
