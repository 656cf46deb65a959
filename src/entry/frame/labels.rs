//! What orders name an entry by, readable in a frame without opening it.

use std::sync::Arc;

use super::cursor::{Cursor, write16};
use super::fault::FrameError;
use super::header::Header;
use crate::base::ids::Number;
use crate::base::limits::{KEY_BYTES_MAX, LABEL_TAGS_MAX};
use crate::entry::{Labels, Place, Shapes};

/// Number and labels of a frame, as they stand in its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The order number under which the origin was asked.
    pub number: Number,
    /// The type's name; empty for the nameless one.
    pub kind: &'a str,
    /// The rule's name; `None` without a rule.
    pub rule: Option<&'a str>,
    /// The absolute URI it was stored for; `None` when that is the text of its key.
    pub target: Option<&'a str>,
    /// Tags, as orders name them.
    pub tags: Vec<&'a str>,
}

impl<'a> Outline<'a> {
    /// Reads the labels that belong to a header.
    pub(super) fn read(header: &Header, labels: &'a [u8]) -> Result<Self, FrameError> {
        let mut cursor = Cursor::new(labels);
        let outline = Self::parts(header, &mut cursor);
        outline.filter(|_| cursor.rest().is_empty()).ok_or(FrameError::Corrupt("label"))
    }

    fn parts(header: &Header, cursor: &mut Cursor<'a>) -> Option<Self> {
        let kind = cursor.text16()?;
        let rule = if header.has_rule { Some(cursor.text16()?) } else { None };
        let target = if header.has_target { Some(cursor.text16()?) } else { None };
        let mut tags = Vec::with_capacity(usize::from(header.tags));
        for _ in 0..header.tags {
            tags.push(cursor.text16().filter(|tag| tag.len() <= KEY_BYTES_MAX)?);
        }
        Some(Self { number: header.number, kind, rule, target, tags })
    }

    /// The same as an entry has them.
    pub(super) fn to_labels(&self, shapes: &Shapes) -> Labels {
        Labels {
            place: shapes.place(Place { rule: self.rule.map(Arc::from), kind: self.kind.into() }),
            tags: self.tags.iter().map(|tag| Arc::from(*tag)).collect(),
            target: self.target.map(Arc::from),
        }
    }
}

/// The labels as [`Outline::read`] takes them.
pub(super) fn write(labels: &Labels) -> Result<Vec<u8>, FrameError> {
    let fits = |tag: &Arc<str>| tag.len() <= KEY_BYTES_MAX;
    if labels.tags.len() > LABEL_TAGS_MAX || !labels.tags.iter().all(fits) {
        return Err(FrameError::TooLong);
    }
    let Place { rule, kind } = &*labels.place;
    let texts = std::iter::once(kind).chain(rule).chain(&labels.target).chain(&labels.tags);
    let mut out = Vec::new();
    for text in texts {
        write16(&mut out, text.as_bytes()).ok_or(FrameError::TooLong)?;
    }
    Ok(out)
}
