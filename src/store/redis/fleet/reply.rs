//! Replies of the scripts, taken apart. A reply of another shape is garbage, never a panic.

use redis::Value;

use crate::base::ids::Number;
use crate::store::redis::fault::TierFault;

/// What `head` says.
#[derive(Debug)]
pub(super) enum Head {
    /// The fleet's server, and this node has checked in.
    Known(Heading),
    /// The fleet's server, but this node has not checked in to its turn.
    Stranger(Heading),
    /// Not the server that the fleet knows.
    Unknown,
    /// The fleet's server, where the turn that this node checked in to began another time.
    Other,
}

/// The state of the order of things.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    pub(super) turn: u64,
    pub(super) last: Number,
    pub(super) base: Number,
    pub(super) clean: bool,
    /// The server's clock, in milliseconds since 1970.
    pub(super) now_ms: u64,
    /// Lives of all members, where they were asked for.
    pub(super) members: Vec<u64>,
    /// When the turn began, in the server's words.
    pub(super) began: String,
}

/// What stands under a frame's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stood {
    /// The frame.
    Whole(bytes::Bytes),
    /// One of about so many bytes, which did not come along: it is long, or it came just then.
    Long(u64),
}

/// What `look` says.
#[derive(Debug)]
pub(super) struct Looked {
    /// How long the frame is; 0 where none stands.
    pub(super) bytes: u64,
    /// Variants: their ids, and the names that select them.
    pub(super) variants: Vec<(String, String)>,
    pub(super) tombstone: Number,
    /// Who holds the lease now; empty if nobody.
    pub(super) lease: String,
    pub(super) left_ms: u64,
    pub(super) now_ms: u64,
    pub(super) run: Vec<u8>,
}

fn garbage(what: &str) -> TierFault {
    TierFault::Garbage(format!("a reply of another shape: {what}"))
}

pub(super) fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

pub(super) fn int(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        other => text(other)?.parse().ok(),
    }
}

pub(super) fn array(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(all) | Value::Set(all) => Some(all),
        _ => None,
    }
}

/// Lives of members.
pub(super) fn lives_of(value: &Value) -> Vec<u64> {
    let all = array(value).unwrap_or_default().iter();
    all.filter_map(|life| u64::from_str_radix(text(life)?, 16).ok()).collect()
}

/// `turn-count`.
pub(super) fn number(value: &Value) -> Option<Number> {
    text(value)?.parse().ok()
}

/// The form in which scripts compare numbers.
pub(super) fn hex(number: Number) -> String {
    format!("{:016x}", number.0)
}

impl Head {
    pub(super) fn read(value: &Value) -> Result<Self, TierFault> {
        Self::parse(value).ok_or_else(|| garbage("head"))
    }

    fn parse(value: &Value) -> Option<Self> {
        let all = array(value)?;
        let word = text(all.first()?)?;
        if word == "unknown" {
            return Some(Self::Unknown);
        }
        if word == "other" {
            return Some(Self::Other);
        }
        let heading = Heading {
            turn: int(all.get(1)?)?,
            last: number(all.get(2)?)?,
            base: number(all.get(3)?)?,
            clean: text(all.get(4)?)? == "1",
            now_ms: int(all.get(5)?)?,
            members: if word == "ok" { lives_of(all.get(6)?) } else { Vec::new() },
            began: text(all.get(7)?)?.to_owned(),
        };
        match word {
            "ok" => Some(Self::Known(heading)),
            "stranger" => Some(Self::Stranger(heading)),
            _ => None,
        }
    }
}

impl Stood {
    /// Of the value that was read and the length that was seen after it. What is longer than `most`
    /// is a part of a frame.
    pub(super) fn read(frame: Value, most: usize, seen: u64) -> Result<Option<Self>, TierFault> {
        match frame {
            Value::BulkString(bytes) if bytes.len() > most => {
                Ok(Some(Self::Long(seen.max(bytes.len() as u64))))
            }
            Value::BulkString(bytes) if !bytes.is_empty() => Ok(Some(Self::Whole(bytes.into()))),
            Value::BulkString(_) | Value::Nil => Ok((seen > 0).then_some(Self::Long(seen))),
            _ => Err(garbage("frame")),
        }
    }
}

impl Looked {
    pub(super) fn read(value: Value) -> Result<Self, TierFault> {
        Self::parse(value).ok_or_else(|| garbage("look"))
    }

    fn parse(value: Value) -> Option<Self> {
        let Value::Array(all) = value else { return None };
        let [size, variants, tombstone, lease, left, now, run] =
            <[Value; 7]>::try_from(all).ok()?;
        let tombstone = match bytes(&tombstone) {
            // What no order wrote stands above every frame, as it does for those who put.
            Some(_) => u64::from_str_radix(text(&tombstone).unwrap_or_default(), 16)
                .map_or(Number(u64::MAX), Number),
            None => Number::default(),
        };
        Some(Self {
            bytes: int(&size)?,
            variants: pairs(&variants),
            tombstone,
            lease: text(&lease).unwrap_or_default().to_owned(),
            left_ms: int(&left).unwrap_or_default(),
            now_ms: int(&now)?,
            run: bytes(&run)?.to_vec(),
        })
    }
}

/// The fields of a hash, as RESP2 and RESP3 give them.
pub(super) fn pairs(value: &Value) -> Vec<(String, String)> {
    let owned = |value: &Value| text(value).map(str::to_owned);
    match value {
        Value::Map(all) => {
            all.iter().filter_map(|(one, two)| Some((owned(one)?, owned(two)?))).collect()
        }
        other => {
            let all = array(other).unwrap_or_default();
            let pair = |two: &[Value]| Some((owned(two.first()?)?, owned(two.get(1)?)?));
            all.chunks(2).filter_map(pair).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_head_is_read_or_refused() {
        let all = |word: &str, last: Value| {
            Value::Array(vec![
                bulk(word),
                bulk("7"),
                bulk("7-12"),
                bulk("6-3"),
                bulk("1"),
                Value::Int(5_000),
                last,
                bulk("9.5"),
            ])
        };
        let members = Value::Array(vec![bulk("00000000000000ff"), bulk("zz")]);
        let Ok(Head::Known(heading)) = Head::read(&all("ok", members)) else { panic!("not known") };
        assert_eq!((heading.turn, heading.last), (7, Number::new(7, 12)));
        assert_eq!((heading.base, heading.clean), (Number::new(6, 3), true));
        assert_eq!((heading.now_ms, heading.members), (5_000, vec![255]));
        assert!(matches!(Head::read(&all("stranger", Value::Int(1))), Ok(Head::Stranger(_))));
        assert!(matches!(Head::read(&Value::Array(vec![bulk("unknown")])), Ok(Head::Unknown)));
        for wrong in [Value::Nil, Value::Array(vec![]), all("what", Value::Int(1)), bulk("ok")] {
            assert!(matches!(Head::read(&wrong), Err(TierFault::Garbage(_))));
        }
    }

    #[test]
    fn a_frame_is_whole_or_did_not_come_along() {
        let read = |value, seen| Stood::read(value, 5, seen).unwrap();
        let whole = Some(Stood::Whole(bytes::Bytes::from_static(b"frame")));
        assert_eq!(read(bulk("frame"), 5), whole);
        // It went, or another came, just after.
        assert_eq!(read(bulk("frame"), 0), whole);
        assert_eq!(read(bulk("frame"), 900), whole);
        assert_eq!(read(bulk("frame b"), 900), Some(Stood::Long(900)));
        assert_eq!(read(bulk("frame b"), 0), Some(Stood::Long(7)));
        assert_eq!((read(bulk(""), 0), read(Value::Nil, 0)), (None, None));
        // It came just after.
        assert_eq!(read(bulk(""), 9), Some(Stood::Long(9)));
        assert!(Stood::read(Value::Int(1), 5, 0).is_err());
    }

    #[test]
    fn a_look_is_read_or_refused() {
        let variants = Value::Array(vec![bulk("0f"), bulk("accept"), bulk("alone")]);
        let parts = vec![
            Value::Int(5),
            variants,
            bulk("000000000380000c"),
            bulk(""),
            Value::Int(-2),
            Value::Int(9),
            bulk("run"),
        ];
        let looked = Looked::read(Value::Array(parts.clone())).unwrap();
        assert_eq!(looked.bytes, 5);
        assert_eq!(looked.variants, [("0f".to_owned(), "accept".to_owned())]);
        assert_eq!((looked.tombstone, looked.left_ms), (Number::new(7, 12), 0));
        assert!(Looked::read(Value::Array(parts[..6].to_vec())).is_err());
        for foreign in [bulk("hello"), Value::BulkString(vec![0xff])] {
            let mut parts = parts.clone();
            (parts[2], parts[3]) = (foreign.clone(), Value::BulkString(vec![0xff]));
            let looked = Looked::read(Value::Array(parts)).unwrap();
            assert_eq!((looked.tombstone, looked.lease.as_str()), (Number(u64::MAX), ""));
        }
        assert_eq!(hex(Number::new(7, 12)), "000000000380000c");
    }
}
