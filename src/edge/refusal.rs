//! Why a request is refused before anything reads it as HTTP, and the answer that says so. The
//! edge writes these answers itself: what it refuses never becomes a request, so nobody else could
//! answer it. No byte that the client sent may appear in them.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

use crate::base::clock::{Clock, Timestamp};
use crate::base::names;
use crate::policy::date;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $status:ident, $text:literal;)*) => {
        /// What is wrong with a request head (RFC 9112; RFC 9113, 8).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $($(#[$doc])* $name,)*
        }

        impl Refusal {
            /// The status the client sees.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                }
            }

            /// What is wrong, in words.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

refusals! {
    /// Not `method SP target SP version` (RFC 9112, 3).
    RequestLine: BAD_REQUEST, "the request line is not method, target and version, one space apart";
    /// The method is not a token, or the bytes are not HTTP at all.
    Method: BAD_REQUEST, "the method is not a token";
    /// Neither HTTP/1.1 nor HTTP/1.0.
    Version: BAD_REQUEST, "the version is neither HTTP/1.1 nor HTTP/1.0";
    /// A byte in the target that has to be percent-encoded.
    TargetByte: BAD_REQUEST, "the target holds a character that has to be percent-encoded";
    /// A fragment never travels (RFC 9110, 7.1).
    Fragment: BAD_REQUEST, "the target holds a fragment";
    /// None of the four forms of RFC 9112, 3.2, or not the one for this method.
    TargetForm: BAD_REQUEST, "the target is in none of the forms that this method may use";
    /// See [`crate::base::limits::TARGET_BYTES_MAX`].
    TargetTooLong: URI_TOO_LONG, "the target is too long";
    /// See [`crate::base::limits::HEAD_BYTES_MAX`].
    HeadTooLong: REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long";
    /// See [`crate::base::limits::HEAD_LINES_MAX`].
    TooManyLines: REQUEST_HEADER_FIELDS_TOO_LARGE, "the head has too many field lines";
    /// LF without CR before it.
    BareLf: BAD_REQUEST, "a line of the head ends with LF alone";
    /// CR within a line, NUL, or another control character.
    Control: BAD_REQUEST, "the head holds a control character";
    /// A line that continues the one before it (RFC 9112, 5.2).
    Folded: BAD_REQUEST, "a field line is folded";
    /// No colon, no name, or a name that is not a token.
    FieldName: BAD_REQUEST, "a field line does not begin with a name and a colon";
    /// White space between name and colon (RFC 9112, 5.1).
    SpaceBeforeColon: BAD_REQUEST, "white space stands between a field name and its colon";
    /// HTTP/1.1 without Host (RFC 9112, 3.2).
    HostMissing: BAD_REQUEST, "the Host field is missing";
    /// Several Host lines.
    HostRepeated: BAD_REQUEST, "there are several Host fields";
    /// Host and `:authority` name two hosts (RFC 9113, 8.3.1).
    HostDiffers: BAD_REQUEST, "the Host field and :authority differ";
    /// Not a host with an optional port.
    HostInvalid: BAD_REQUEST, "the host is not a name or address with an optional port";
    /// Credentials before the host (RFC 9110, 4.2.4).
    Userinfo: BAD_REQUEST, "the host is preceded by user information";
    /// Several Content-Length lines, be they equal.
    LengthRepeated: BAD_REQUEST, "there are several Content-Length fields";
    /// Not one decimal number that fits.
    LengthInvalid: BAD_REQUEST, "Content-Length is not one decimal number";
    /// Content-Length beside Transfer-Encoding (RFC 9112, 6.1).
    LengthAndCoding: BAD_REQUEST, "Content-Length and Transfer-Encoding are both present";
    /// A transfer coding other than exactly `chunked`.
    Coding: BAD_REQUEST, "the transfer coding is not exactly chunked";
    /// Several Transfer-Encoding lines.
    CodingRepeated: BAD_REQUEST, "there are several Transfer-Encoding fields";
    /// Transfer-Encoding does not exist in HTTP/1.0 (RFC 9112, 6.1).
    CodingInHttp10: BAD_REQUEST, "Transfer-Encoding is used with HTTP/1.0";
    /// CONNECT has no content (RFC 9110, 9.3.6).
    ConnectBody: BAD_REQUEST, "CONNECT carries content";
    /// A field that only HTTP/1.1 has (RFC 9113, 8.2.2).
    OfConnection: BAD_REQUEST, "a field speaks of the connection, which HTTP/2 does not know";
    /// A value that begins or ends with white space (RFC 9113, 8.2.1).
    Padded: BAD_REQUEST, "a field value begins or ends with white space";
    /// The head was begun and not finished in time.
    TooSlow: REQUEST_TIMEOUT, "the head was not finished in time";
}

impl Refusal {
    /// The whole answer: status line, fields, and a problem document (RFC 9457).
    pub(super) fn answer(self) -> Vec<u8> {
        problem(self.status(), CODE, self.text(), "", Clock::system().now())
    }

    /// The same for a stream of HTTP/2.
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let body = document(self.status(), CODE, self.text());
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status();
        let fields = response.headers_mut();
        fields.insert(header::DATE, date::write(Clock::system().now()));
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(names::PROBLEM_JSON));
        fields.insert(header::CONTENT_LENGTH, length);
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let status = HeaderValue::from_str(&format!("{}; detail=\"{CODE}\"", names::SELF));
        fields.extend(status.ok().map(|status| (names::CACHE_STATUS, status)));
        response
    }
}

/// The stable code of what is refused here.
const CODE: &str = "bad-request";

/// The answer to a connection above the limit.
pub(super) fn overload() -> Vec<u8> {
    let text = "too many connections";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    problem(status, "overload", text, "retry-after: 1\r\n", Clock::system().now())
}

/// A problem document (RFC 9457).
fn document(status: StatusCode, code: &str, text: &str) -> String {
    let title = status.canonical_reason().unwrap_or_default();
    format!(
        "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{},\"code\":\"{code}\",\
         \"detail\":\"{text}\"}}\n",
        status.as_u16()
    )
}

fn problem(status: StatusCode, code: &str, text: &str, more: &str, now: Timestamp) -> Vec<u8> {
    let title = status.canonical_reason().unwrap_or_default();
    let body = document(status, code, text);
    let head = format!(
        "HTTP/1.1 {} {title}\r\ndate: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\n{}: {}; detail=\"{code}\"\r\n{more}connection: close\r\n\r\n",
        status.as_u16(),
        date::write(now).to_str().unwrap_or_default(),
        names::PROBLEM_JSON,
        body.len(),
        names::CACHE_STATUS,
        names::SELF,
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_says_what_is_wrong_and_closes() {
        let answer = String::from_utf8(Refusal::BareLf.answer()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(head.contains("\r\nconnection: close"), "{head}");
        assert!(head.contains("\r\ncache-control: no-store\r\n"), "{head}");
        assert!(head.contains("\r\ncache-status: cistern; detail=\"bad-request\"\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["detail"], Refusal::BareLf.text());
        assert_eq!(problem["status"], 400);
    }
}
