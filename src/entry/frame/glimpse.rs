//! What the beginning of a frame tells without opening it, for who only shows it: neither opened
//! nor checked.

use http::StatusCode;

use super::header::{HEADER_BYTES, Header};
use super::{FrameError, Outline, Skew, details};
use crate::policy::stamp::Stamp;

/// What is seen of a frame.
#[derive(Clone, Debug)]
pub struct Glimpse<'a> {
    /// Number and labels.
    pub outline: Outline<'a>,
    /// Whether times, head and body are sealed.
    pub sealed: bool,
    /// Bytes of its body when it is not packed.
    pub body_bytes: u64,
    /// Times by this node's clock, and the status; nothing where they are sealed.
    pub stamp: Option<(Stamp, StatusCode)>,
}

/// Looks at the beginning of a frame; [`super::outline_bytes`] and a hundred more are enough.
///
/// # Errors
/// [`FrameError::Truncated`] when the beginning is too short; others for what is no frame.
pub fn glimpse(prefix: &[u8], skew: Skew) -> Result<Glimpse<'_>, FrameError> {
    let outline = super::outline(prefix)?;
    let header = Header::read(prefix)?;
    let details = prefix.get(HEADER_BYTES + header.labels as usize..).unwrap_or_default();
    let sealed = header.key_id.is_some();
    let stamp = if sealed { None } else { details::beginning(details, skew) };
    Ok(Glimpse { outline, sealed, body_bytes: u64::from(header.body), stamp })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Number;
    use crate::entry::frame::{Treatment, encode};
    use crate::entry::seal::KeyRing;
    use crate::entry::{Key, samples};

    #[test]
    fn a_beginning_tells_labels_and_times_and_a_sealed_one_labels_alone() {
        let (key, entry) = (Key::new("k", "", ""), samples::entry("text", &["t:1"]));
        let number = Number::new(1, 7);
        let skew = Skew::default();
        let plain = encode(&key, &entry, number, skew, &Treatment::default()).unwrap();
        let seen = glimpse(plain.bytes.get(..200).unwrap_or(&plain.bytes), skew).unwrap();
        assert_eq!((seen.outline.number, &seen.outline.tags[..]), (number, &["t:1"][..]));
        assert_eq!((seen.sealed, seen.body_bytes), (false, 4));
        let (stamp, status) = seen.stamp.unwrap();
        assert_eq!(status, entry.head.status());
        assert_eq!(stamp.fresh_until, entry.stamp.fresh_until);
        let hex = blake3::hash(b"a key").to_hex();
        let ring = KeyRing::parse(&format!("1:{hex}")).unwrap();
        let how = Treatment { seal: Some(&ring), ..Treatment::default() };
        let closed = encode(&key, &entry, number, skew, &how).unwrap();
        let seen = glimpse(&closed.bytes, skew).unwrap();
        assert!(seen.sealed && seen.stamp.is_none());
        assert_eq!(seen.outline.tags, ["t:1"]);
        assert!(glimpse(&plain.bytes[..20], skew).is_err());
        assert!(glimpse(b"something else, of some length to be sure", skew).is_err());
    }
}
