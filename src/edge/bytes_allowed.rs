//! Which bytes may stand where in a request head. Tables of 256 answers, so that a byte costs one
//! look; they are no wider than what the HTTP library beneath accepts, so that nothing passes here
//! and fails there.

/// One answer for each byte.
pub(super) type Table = [bool; 256];

/// RFC 9110, 5.6.2: what methods and field names consist of.
pub(super) static TOKEN: Table =
    table(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

/// A path: RFC 3986, 3.3, and what clients send raw besides.
pub(super) static PATH: Table = with_text(table(
    b"!\"$%&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_abcdefghijklmnopqrstuvwxyz{|}~",
));

/// A query: as a path, with `?` and the back quote, without the double quote.
pub(super) static QUERY: Table = with_text(table(
    b"!$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
));

/// A registered name (RFC 3986, 3.2.2) without percent-encoding, which no resolver knows, and
/// without the comma, which is what two merged Host lines leave behind.
pub(super) static HOST: Table =
    table(b"!$&'()*+-._~;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

const fn table(allowed: &[u8]) -> Table {
    let mut all = [false; 256];
    let mut at = 0;
    while at < allowed.len() {
        all[allowed[at] as usize] = true;
        at += 1;
    }
    all
}

/// The table with all bytes beyond ASCII; whether they are text is for the caller to see.
const fn with_text(mut all: Table) -> Table {
    let mut at = 0x80;
    while at < all.len() {
        all[at] = true;
        at += 1;
    }
    all
}

/// Whether every byte is in the table.
pub(super) fn all_in(bytes: &[u8], table: &Table) -> bool {
    bytes.iter().all(|&byte| table[usize::from(byte)])
}

/// Whether a field value holds a control character other than the tab (RFC 9110, 5.5). It looks at
/// every byte without leaving early, which lets the compiler take sixteen at a time.
pub(super) fn has_control(value: &[u8]) -> bool {
    let is_control =
        |byte: u8| (u8::from(byte < 0x20) & u8::from(byte != b'\t')) | u8::from(byte == 0x7f);
    value.iter().fold(0, |found, &byte| found | is_control(byte)) != 0
}
