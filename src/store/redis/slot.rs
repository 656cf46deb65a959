//! Which slot of a cluster a key belongs to, as the Redis Cluster specification has it: CRC-16 of
//! the key, or of its hash tag, modulo 16,384. What must never happen: that two nodes, or a node
//! and the servers, disagree about it.

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// One of [`SLOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    /// The slot of `key`. The text between its first `{` and the next `}` decides alone, unless it
    /// is empty.
    pub fn of(key: &[u8]) -> Self {
        Self(crc16(tag(key)) % SLOTS)
    }

    /// The slot with this number, if there is one.
    pub const fn new(number: u16) -> Option<Self> {
        if number < SLOTS { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr::memchr(b'{', key) else { return key };
    let inner = key.get(open + 1..).unwrap_or_default();
    match memchr::memchr(b'}', inner) {
        None | Some(0) => key,
        Some(close) => inner.get(..close).unwrap_or_default(),
    }
}

/// CRC-16/XMODEM: polynomial 0x1021, from 0, nothing reflected.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let index = usize::from((crc >> 8) as u8 ^ byte);
        (crc << 8) ^ TABLE.get(index).copied().unwrap_or_default()
    })
}

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn known_slots() {
        // As `CLUSTER KEYSLOT` says.
        for (key, slot) in [("foo", 12_182), ("bar", 5_061), ("hello", 866), ("", 0)] {
            assert_eq!(Slot::of(key.as_bytes()).number(), slot, "{key}");
        }
    }

    #[test]
    fn a_tag_decides_alone() {
        let same = |a: &str, b: &str| Slot::of(a.as_bytes()) == Slot::of(b.as_bytes());
        assert!(same("{user1000}.following", "{user1000}.followers"));
        assert!(same("a{b}c{d}", "b"));
        assert!(same("foo{{bar}}zap", "{bar"));
        // An empty tag is none, and neither is one without an end.
        assert!(!same("foo{}{bar}", "bar"));
        assert_eq!(Slot::of(b"foo{}{bar}").number(), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(Slot::of(b"a{b").number(), crc16(b"a{b") % SLOTS);
        assert_eq!(Slot::of(b"}{b").number(), crc16(b"}{b") % SLOTS);
    }

    #[test]
    fn numbers_end_where_slots_do() {
        assert_eq!(Slot::new(16_383).map(Slot::number), Some(16_383));
        assert_eq!(Slot::new(16_384), None);
    }
}
