//! A sound request head as a request, for those that need nothing but an answer: no content, no
//! expectation, no change of protocol. Any other head is left to the HTTP library.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};

use super::head_scan::Sound;

/// A request as the library would give it, and whether its client wants the connection closed
/// after the answer (RFC 9112, 9.6).
pub(super) struct Plain {
    pub(super) request: Request<()>,
    pub(super) closes: bool,
}

/// The request of a head that passed the scan; `None` where the library is to see it: methods that
/// are no reads, HTTP/1.0, targets in another form than the origin form, expectations, and options
/// of the connection other than to keep or to close it.
pub(super) fn plain(head: &Sound<'_>) -> Option<Plain> {
    // One copy, which the target and the values share.
    let whole = Bytes::copy_from_slice(head.bytes);
    let shared = |part: &[u8]| {
        let from = part.as_ptr().addr() - head.bytes.as_ptr().addr();
        whole.slice(from..from + part.len())
    };
    let (method, rest) = if let Some(rest) = head.line.strip_prefix(b"GET ") {
        (Method::GET, rest)
    } else {
        (Method::HEAD, head.line.strip_prefix(b"HEAD ")?)
    };
    let target = rest.strip_suffix(b" HTTP/1.1").filter(|target| target.starts_with(b"/"))?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_maybe_shared(shared(target)).ok()?;
    let fields = request.headers_mut();
    fields.try_reserve(head.fields().len()).ok()?;
    let mut closes = false;
    for (name, value) in head.fields() {
        let name = HeaderName::from_bytes(name).ok()?;
        if name == header::CONNECTION {
            let close = value.eq_ignore_ascii_case(b"close");
            if !close && !value.eq_ignore_ascii_case(b"keep-alive") {
                return None;
            }
            closes |= close;
        } else if name == header::EXPECT {
            return None;
        }
        fields.try_append(name, HeaderValue::from_maybe_shared(shared(value)).ok()?).ok()?;
    }
    Some(Plain { request, closes })
}
