//! A sound request head as a request, for those that need nothing but an answer: no content, no
//! expectation, no change of protocol. Any other head is left to the HTTP library.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use super::head_scan::trim;

/// Most heads have fewer fields than this; the map grows where one has more.
const FIELDS_USUAL: usize = 12;

/// A request as the library would give it, and whether its client wants the connection closed
/// after the answer (RFC 9112, 9.6).
pub(super) struct Plain {
    pub(super) request: Request<()>,
    pub(super) closes: bool,
}

/// The request of a head that passed the scan; `None` where the library is to see it: methods that
/// are no reads, HTTP/1.0, targets in another form than the origin form, expectations, and options
/// of the connection other than to keep or to close it.
pub(super) fn plain(head: &[u8]) -> Option<Plain> {
    // One copy, which the target and the values share.
    let whole = Bytes::copy_from_slice(head);
    let mut lines = Lines { whole: &whole, at: 0 };
    let mut first = lines.next()?;
    while first.is_empty() {
        first = lines.next()?;
    }
    let (method, rest) = if let Some(rest) = first.strip_prefix(b"GET ") {
        (Method::GET, rest)
    } else {
        (Method::HEAD, first.strip_prefix(b"HEAD ")?)
    };
    let target = rest.strip_suffix(b" HTTP/1.1").filter(|target| target.starts_with(b"/"))?;
    let uri = Uri::from_maybe_shared(whole.slice_ref(target)).ok()?;
    let mut fields = HeaderMap::with_capacity(FIELDS_USUAL);
    let mut closes = false;
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else { break };
        let (name, value) = (line.get(..colon)?, trim(line.get(colon + 1..)?));
        let name = HeaderName::from_bytes(name).ok()?;
        if name == header::CONNECTION {
            closes |= value.eq_ignore_ascii_case(b"close");
            if !closes && !value.eq_ignore_ascii_case(b"keep-alive") {
                return None;
            }
        } else if name == header::EXPECT {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(whole.slice_ref(value)).ok()?;
        fields.try_append(name, value).ok()?;
    }
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = fields;
    Some(Plain { request, closes })
}

/// The lines of a head without their ends.
struct Lines<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.whole.get(self.at..)?;
        let end = memchr::memchr(b'\n', rest)?;
        self.at += end + 1;
        rest.get(..end)?.strip_suffix(b"\r")
    }
}
