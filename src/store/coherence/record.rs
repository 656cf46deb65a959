//! One order as it stands in the log of the fleet, and as it travels in messages.

use std::fmt;
use std::str::FromStr;

use crate::base::clock::Timestamp;
use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::order::{Glob, Mode, Order, Selector, Soft};

/// Who gave an order: the life of a node, and a count within it. Repeats are recognised by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId {
    /// The node's life: a random number drawn at each start. 0 is nobody's.
    pub life: u64,
    /// Its how-manieth order.
    pub count: u64,
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.life, self.count)
    }
}

impl FromStr for OrderId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (life, count) = text.split_once('-').ok_or(())?;
        let life = u64::from_str_radix(life, 16).map_err(|_| ())?;
        Ok(Self { life, count: count.parse().map_err(|_| ())? })
    }
}

/// A numbered order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place among all orders.
    pub number: Number,
    /// The place of the one before it: a record that follows another one tells of a gap.
    pub previous: Number,
    /// Who gave it.
    pub id: OrderId,
    /// What it names; nothing where a new turn begins.
    pub order: Order,
    /// The digest of the program's message it was made from; empty for a node's own orders.
    pub event: String,
}

impl Record {
    /// Whether it can stand where it says: the counts of a turn go up by one, from 0. What is
    /// otherwise was not written by a member.
    pub fn is_linked(&self) -> bool {
        let (one, before) = (self.number, self.previous);
        if one.turn() == before.turn() {
            before.count().checked_add(1) == Some(one.count())
        } else {
            one.turn() > before.turn() && one.count() == 0
        }
    }

    /// A record as a message carries it: `number previous id event order`, parted by spaces.
    ///
    /// # Errors
    /// A sentence that says which part is wrong.
    pub fn parse(message: &[u8]) -> Result<Self, &'static str> {
        let mut parts = message.splitn(5, |byte| *byte == b' ');
        let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
        let mut number = || text().and_then(|text| text.parse().ok());
        let (one, before) = (number(), number());
        let (number, previous) = (one.ok_or("its number")?, before.ok_or("the number before it")?);
        let id = text().and_then(|id| id.parse().ok()).ok_or("who gave it")?;
        let event = text().ok_or("its event")?.trim_matches('-').to_owned();
        let order = parts.next().and_then(decode_order).ok_or("its order")?;
        Ok(Self { number, previous, id, order, event })
    }
}

/// An order as bytes: for each selector a letter, the length of its text, a colon, the text. Texts
/// may hold any byte. One that does not delete begins with a part that says what it does, in the
/// same form.
pub fn encode_order(order: &Order) -> Vec<u8> {
    let mut out = Vec::with_capacity(order.text_bytes() + order.selectors.len() * 8 + 40);
    let mut part = |letter: &str, text: &str| {
        out.extend_from_slice(letter.as_bytes());
        out.extend_from_slice(text.len().to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(text.as_bytes());
    };
    match order.mode {
        Mode::Delete => {}
        Mode::Soft(Soft { id, at }) => part("m", &format!("{id}{}", at.as_millis())),
        Mode::Undo(Soft { id, at }) => part("n", &format!("{id}{}", at.as_millis())),
    }
    for selector in &order.selectors {
        let (letter, text) = parts(selector);
        part(letter, text);
    }
    out
}

/// Reads what [`encode_order`] wrote. `None`: it is nothing of the kind, or beyond the bounds.
pub fn decode_order(mut bytes: &[u8]) -> Option<Order> {
    let mut order = Order::default();
    while let Some((letter, rest)) = bytes.split_first() {
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let (len, rest) = rest.split_at_checked(colon)?;
        let len: usize = std::str::from_utf8(len).ok()?.parse().ok()?;
        let (text, rest) = rest.get(1..)?.split_at_checked(len)?;
        let text = std::str::from_utf8(text).ok()?;
        match mode(*letter, text) {
            Some(mode) if order == Order::default() => order.mode = mode,
            Some(_) => return None,
            None => order.selectors.push(selector(*letter, text)?),
        }
        if order.selectors.len() > limits::SELECTORS_PER_ORDER_MAX {
            return None;
        }
        bytes = rest;
    }
    Some(order)
}

/// The selectors of an order that no slot of a key can answer for: their fences stand beside the
/// log. `is_located` says whether all entries of a key stand where the key's own text leads. Of a
/// soft order that is all of them, since no frame is taken out of a slot; an order that takes it
/// back leaves one fence, which outlives those.
pub fn fence_texts(order: &Order, is_located: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let one_of = |one: &Selector| Order::of([one.clone()]).as_mode(order.mode);
    match order.mode {
        Mode::Undo(_) => vec![encode_order(&Order::default().as_mode(order.mode))],
        Mode::Soft(_) => order.selectors.iter().map(|one| encode_order(&one_of(one))).collect(),
        Mode::Delete => {
            let wide = order.selectors.iter().filter(|one| match one {
                Selector::Key(text) => !is_located(text),
                _ => true,
            });
            wide.map(|one| encode_order(&one_of(one))).collect()
        }
    }
}

/// What the first part of an order says that does not delete.
fn mode(letter: u8, text: &str) -> Option<Mode> {
    let (id, at) = text.split_at_checked(16)?;
    let (id, at) = (id.parse().ok()?, at.parse().map(Timestamp::from_millis).ok());
    match letter {
        b'm' => Some(Mode::Soft(Soft { id, at: at? })),
        b'n' => Some(Mode::Undo(Soft { id, at: at? })),
        _ => None,
    }
}

fn parts(selector: &Selector) -> (&'static str, &str) {
    match selector {
        Selector::Key(text) => ("k", text),
        Selector::Prefix(text) => ("p", text),
        Selector::Pattern(glob) => ("g", glob.as_str()),
        Selector::Tag(text) => ("t", text),
        Selector::Tags(glob) => ("s", glob.as_str()),
        Selector::Type(text) => ("y", text),
        Selector::Rule(text) => ("r", text),
        Selector::Url(text) => ("u", text),
        Selector::All => ("a", ""),
    }
}

fn selector(letter: u8, text: &str) -> Option<Selector> {
    Some(match letter {
        b'k' => Selector::Key(text.to_owned()),
        b'p' => Selector::Prefix(text.to_owned()),
        b'g' => Selector::Pattern(Glob::new(text)),
        b't' => Selector::Tag(text.to_owned()),
        b's' => Selector::Tags(Glob::new(text)),
        b'y' => Selector::Type(text.to_owned()),
        b'r' => Selector::Rule(text.to_owned()),
        b'u' => Selector::Url(text.to_owned()),
        b'a' if text.is_empty() => Selector::All,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::SoftId;

    fn every_kind() -> Order {
        let texts = [
            "key:a:b",
            "prefix:a",
            "pattern:a*b",
            "tag:t",
            "tag:t*",
            "type:y",
            "rule:r",
            "url:http://h/a?b=1:2",
            "all",
        ];
        let mut order = Order::of(texts.iter().filter_map(|text| Selector::parse(text).ok()));
        order.selectors.push(Selector::Key("año nuevo*\n3:k".into()));
        order
    }

    #[test]
    fn orders_read_back_whatever_their_texts_hold() {
        let order = every_kind();
        assert_eq!(order.selectors.len(), 10);
        let bytes = encode_order(&order);
        assert_eq!(decode_order(&bytes), Some(order));
        assert_eq!(decode_order(b""), Some(Order::default()));
        for end in 1..bytes.len() {
            // A cut is either an error or fewer selectors, never another text.
            if let Some(less) = decode_order(&bytes[..end]) {
                assert!(every_kind().selectors.starts_with(&less.selectors));
            }
        }
        for wrong in ["x1:a", "k", "k1", "k9:a", "kk:a", "a1:x", "k-1:a", "k99999999999999999999:"]
        {
            assert_eq!(decode_order(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn records_read_back() {
        let mut message = b"7-3 7-2 00000000000000ff-12 - ".to_vec();
        message.extend(encode_order(&every_kind()));
        let record = Record::parse(&message).unwrap();
        assert_eq!((record.number, record.previous), (Number::new(7, 3), Number::new(7, 2)));
        assert_eq!(record.id, OrderId { life: 255, count: 12 });
        assert_eq!(record.id.to_string().parse(), Ok(record.id));
        assert_eq!((record.order, record.event.as_str()), (every_kind(), ""));
        assert_eq!(Record::parse(b"7-3 7-2 ff-1 abc a0:").unwrap().event, "abc");
        for wrong in ["", "7", "7-3 x", "7-3 7-2 z-1 - ", "7-3 7-2 f-1 - q", "7-3 7-2 f-1"] {
            assert!(Record::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_an_order_does_is_read_back_with_it() {
        let soft = Soft { id: SoftId(7), at: Timestamp::from_millis(1_234) };
        for mode in [Mode::Soft(soft), Mode::Undo(soft)] {
            let order = every_kind().as_mode(mode);
            assert_eq!(decode_order(&encode_order(&order)), Some(order.clone()));
            let bare = Order::default().as_mode(mode);
            assert_eq!(decode_order(&encode_order(&bare)), Some(bare));
            let fences = fence_texts(&order, |_| true);
            assert_eq!(fences.len(), if mode == Mode::Undo(soft) { 1 } else { 10 });
            let modes = fences.iter().map(|one| decode_order(one).unwrap().mode);
            assert!(modes.into_iter().all(|one| one == mode));
        }
        let late = [b"k1:a".as_slice(), b"n17:00000000000000071"].concat();
        let twice = [b"n17:00000000000000071".as_slice(), b"n17:00000000000000081"].concat();
        for wrong in [
            &late[..],
            &twice,
            b"n1:7",
            b"n16:0000000000000007",
            b"m16:0000000000000007",
            b"m17:0000000000000007x",
        ] {
            assert_eq!(decode_order(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn what_a_slot_answers_for_leaves_no_fence() {
        let fences = fence_texts(&every_kind(), |key| key == "a:b");
        assert_eq!(fences.len(), 9);
        assert!(fences.iter().all(|one| decode_order(one).is_some()));
    }
}
