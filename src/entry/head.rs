//! The head of a stored answer: status and field lines. Values lie in one block; names are a list
//! that answers of one make share, because an API sends the same fields each time. A hit turns it
//! into a `HeaderMap` by slicing the block: no value is copied and no name is parsed.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::entry::{Place, cost};

/// Bytes of one end mark in the block.
const MARK: usize = 4;

/// What is kept free in the map of a hit for what the proxy adds: Age, Cache-Status, Via, Date.
const ROOM_FOR_OURS: usize = 4;

/// Status and field lines, in their order.
#[derive(Clone, Debug)]
pub struct Head {
    status: StatusCode,
    /// Whether `names` is counted by [`Shapes`], not here.
    shared: bool,
    names: Arc<[HeaderName]>,
    /// One little-endian end mark for each line, counted from the end of the marks; then values.
    block: Bytes,
}

impl Head {
    /// Packs a head whose names nothing else shares.
    pub fn new(status: StatusCode, fields: &HeaderMap) -> Self {
        let (names, block) = pack(fields);
        Self { status, shared: false, names: names.into(), block }
    }

    /// Packs a head; its names are those of an earlier one with the same lines, if there is one.
    pub fn shaped(status: StatusCode, fields: &HeaderMap, shapes: &Shapes) -> Self {
        let (names, block) = pack(fields);
        match shapes.share(&names) {
            Some(names) => Self { status, shared: true, names, block },
            None => Self { status, shared: false, names: names.into(), block },
        }
    }

    /// Puts a head together from its names and its block, as [`Head::names`] and [`Head::block`]
    /// gave them; `None` when the block does not hold one valid value for each name.
    pub(super) fn of_block(
        status: StatusCode,
        names: Vec<HeaderName>,
        block: Bytes,
        shapes: &Shapes,
    ) -> Option<Self> {
        let marks = names.len() * MARK;
        let mut from = marks;
        for mark in block.get(..marks)?.as_chunks::<MARK>().0 {
            let to = marks.checked_add(u32::from_le_bytes(*mark) as usize)?;
            HeaderValue::from_bytes(block.get(from..to)?).ok()?;
            from = to;
        }
        if from != block.len() {
            return None;
        }
        Some(match shapes.share(&names) {
            Some(names) => Self { status, shared: true, names, block },
            None => Self { status, shared: false, names: names.into(), block },
        })
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The field lines in order: names as kept, values as bytes.
    pub fn lines(&self) -> impl Iterator<Item = (&HeaderName, &[u8])> {
        let marks = self.names.len() * MARK;
        let mut from = marks;
        self.names.iter().enumerate().filter_map(move |(i, name)| {
            let to = marks + self.end(i)?;
            let value = self.block.get(from..to)?;
            from = to;
            Some((name, value))
        })
    }

    /// The value of the first line of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        self.lines().find(|(line, _)| *line == name).map(|(_, value)| value)
    }

    /// The lines as a map that shares the block.
    pub fn to_header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.names.len() + ROOM_FOR_OURS);
        let marks = self.names.len() * MARK;
        let mut from = marks;
        for (i, name) in self.names.iter().enumerate() {
            let Some(to) = self.end(i).map(|end| marks + end) else { break };
            // The value came out of a map, so it is one; the check is a scan over its bytes.
            if let Ok(value) = HeaderValue::from_maybe_shared(self.block.slice(from..to)) {
                map.append(name.clone(), value);
            }
            from = to;
        }
        map
    }

    /// The packed bytes of values and marks.
    pub fn bytes(&self) -> usize {
        self.block.len()
    }

    /// Heap bytes of the list of names, when this head counts them.
    pub(super) fn name_bytes(&self) -> u64 {
        if self.shared { 0 } else { names_cost(&self.names) }
    }

    /// The names of the lines in their order.
    pub(super) fn names(&self) -> &[HeaderName] {
        &self.names
    }

    /// Marks and values.
    pub(super) const fn block(&self) -> &Bytes {
        &self.block
    }

    /// The same head with its bytes in another block that begins with them.
    pub(super) fn in_block(self, block: Bytes) -> Self {
        Self { block, ..self }
    }

    fn end(&self, line: usize) -> Option<usize> {
        let at = line * MARK;
        let mark = self.block.get(at..at + MARK)?;
        Some(u32::from_le_bytes(mark.try_into().ok()?) as usize)
    }
}

fn pack(fields: &HeaderMap) -> (Vec<HeaderName>, Bytes) {
    let values: usize = fields.values().map(HeaderValue::len).sum();
    let mut names = Vec::with_capacity(fields.len());
    let mut block = Vec::with_capacity(fields.len() * MARK + values);
    let mut end: u32 = 0;
    for (name, value) in fields {
        end = end.saturating_add(value.len() as u32);
        block.extend_from_slice(&end.to_le_bytes());
        names.push(name.clone());
    }
    for value in fields.values() {
        block.extend_from_slice(value.as_bytes());
    }
    (names, Bytes::from(block))
}

fn names_cost(names: &[HeaderName]) -> u64 {
    // A name outside the standard ones owns its text.
    let texts: u64 = names.iter().map(|name| cost::block(name.as_str().len())).sum();
    cost::block(size_of_val(names) + cost::COUNTS) + texts
}

/// What answers of one make share: their lists of names, and the places they come from where these
/// were read with the answer. Bounded: an origin that sends other names each time costs its entries
/// their own lists, never this table more.
#[derive(Debug, Default)]
pub struct Shapes {
    lists: Mutex<Shared<[HeaderName]>>,
    places: Mutex<Shared<Place>>,
}

type Shared<T> = HashSet<Arc<T>, foldhash::fast::RandomState>;

impl Shapes {
    /// Lists kept at most. An API has a few dozen.
    pub const LISTS_MAX: usize = 512;

    /// Longer lists are not shared; with the other bound that keeps the table under 2 MiB.
    pub const NAMES_MAX: usize = 48;

    fn share(&self, names: &[HeaderName]) -> Option<Arc<[HeaderName]>> {
        if names.len() > Self::NAMES_MAX {
            return None;
        }
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get(names) {
            return Some(Arc::clone(list));
        }
        let list: Arc<[HeaderName]> = names.into();
        add(&mut lists, &list).then_some(list)
    }

    /// The place that is known already and equal to this one, or this one.
    pub(super) fn place(&self, place: Place) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = places.get(&place) {
            return Arc::clone(known);
        }
        let place = Arc::new(place);
        add(&mut places, &place);
        place
    }
}

/// Adds something to a table, if that is not full of what is in use.
fn add<T: Eq + Hash + ?Sized>(table: &mut Shared<T>, new: &Arc<T>) -> bool {
    if table.len() >= Shapes::LISTS_MAX {
        table.retain(|known| Arc::strong_count(known) > 1);
    }
    table.len() < Shapes::LISTS_MAX && table.insert(Arc::clone(new))
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::entry::samples::fields;

    #[test]
    fn lines_come_back_in_order_with_repeats_and_odd_bytes() {
        let mut sent = fields(&[("content-type", "a/b"), ("link", "<1>"), ("x-empty", "")]);
        sent.append(header::LINK, HeaderValue::from_static("<2>"));
        sent.append(header::SERVER, HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        let head = Head::new(StatusCode::NOT_FOUND, &sent);
        assert_eq!(head.status(), StatusCode::NOT_FOUND);
        assert_eq!(head.to_header_map(), sent);
        assert_eq!(head.get(&header::LINK), Some(&b"<1>"[..]));
        assert_eq!(head.get(&header::SERVER), Some(&b"\xff\xfe"[..]));
        assert_eq!(head.get(&header::ETAG), None);
        let lines: Vec<_> = head.lines().map(|(n, v)| (n.as_str(), v)).collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[1..3], [("link", &b"<1>"[..]), ("link", &b"<2>"[..])]);
        assert!(Head::new(StatusCode::OK, &HeaderMap::new()).to_header_map().is_empty());
    }

    #[test]
    fn a_map_shares_the_block() {
        let head = Head::new(StatusCode::OK, &fields(&[("etag", "\"1234567890\"")]));
        let map = head.to_header_map();
        let range = head.block().as_ptr_range();
        assert!(range.contains(&map[header::ETAG].as_bytes().as_ptr()));
    }

    #[test]
    fn answers_of_one_make_share_their_names() {
        let shapes = Shapes::default();
        let one = Head::shaped(StatusCode::OK, &fields(&[("etag", "1"), ("x-a", "2")]), &shapes);
        let two = Head::shaped(StatusCode::OK, &fields(&[("etag", "3"), ("x-a", "4")]), &shapes);
        assert!(Arc::ptr_eq(&one.names, &two.names));
        assert_eq!(two.name_bytes(), 0);
        assert_eq!(two.to_header_map(), fields(&[("etag", "3"), ("x-a", "4")]));
    }

    #[test]
    fn ever_new_names_fill_no_table() {
        let shapes = Shapes::default();
        let heads: Vec<_> = (0..Shapes::LISTS_MAX + 9)
            .map(|i| {
                let name = format!("x-{i}");
                Head::shaped(StatusCode::OK, &fields(&[(name.as_str(), "1")]), &shapes)
            })
            .collect();
        assert_eq!(heads.iter().filter(|head| head.name_bytes() > 0).count(), 9);
        drop(heads);
        let next = Head::shaped(StatusCode::OK, &fields(&[("x-next", "1")]), &shapes);
        assert_eq!(next.name_bytes(), 0, "unused lists make room");
    }

    #[test]
    fn a_block_makes_a_head_only_with_a_valid_value_for_each_name() {
        let shapes = Shapes::default();
        let sent = Head::new(StatusCode::OK, &fields(&[("etag", "1"), ("x-empty", "")]));
        let of = |names: &[HeaderName], block: &[u8]| {
            let block = Bytes::copy_from_slice(block);
            Head::of_block(StatusCode::OK, names.to_vec(), block, &shapes)
        };
        let back = of(sent.names(), sent.block()).unwrap();
        assert_eq!(back.to_header_map(), sent.to_header_map());
        assert!(Arc::ptr_eq(&back.names, &of(sent.names(), sent.block()).unwrap().names));
        assert!(of(&[], b"").unwrap().to_header_map().is_empty());
        let etag = [header::ETAG];
        let marked = |ends: &[u32], values: &[u8]| {
            let marks = ends.iter().flat_map(|end| end.to_le_bytes());
            marks.chain(values.iter().copied()).collect::<Vec<u8>>()
        };
        for (names, block) in [
            (&etag[..], &b""[..]),
            (&etag, b"\0\0\0"),
            (&etag, &marked(&[2], b"a")),
            (&etag, &marked(&[u32::MAX], b"a")),
            (&etag, &marked(&[1], b"ab")),
            (&etag, &marked(&[2], b"a\n")),
            (&[], b"a"),
            (&[header::ETAG, header::LINK], &marked(&[1, 0], b"a")),
        ] {
            assert!(of(names, block).is_none(), "{block:?}");
        }
    }

    #[test]
    fn places_are_shared_and_bounded() {
        let shapes = Shapes::default();
        let place = |kind: &str| shapes.place(Place { rule: Some("r".into()), kind: kind.into() });
        assert!(Arc::ptr_eq(&place("a"), &place("a")));
        assert_ne!(place("a"), place("b"));
        let held: Vec<_> = (0..2 * Shapes::LISTS_MAX).map(|i| place(&i.to_string())).collect();
        assert!(shapes.places.lock().unwrap().len() <= Shapes::LISTS_MAX);
        drop(held);
        assert!(Arc::ptr_eq(&place("c"), &place("c")), "unused places make room");
    }
}
