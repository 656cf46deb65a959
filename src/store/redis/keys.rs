//! How things are named in Redis. Everything that belongs to one key text lies in one slot, and so
//! does everything that orders the fleet (`{c}`).
//!
//! | name | holds |
//! |---|---|
//! | `P{c}:head`, `:log`, `:fences`, `:done`, `:open` | the order of things |
//! | `P{c}:members`, `:expect`, `:runs` | who belongs to the fleet; its servers |
//! | `P{c}:forgotten` | up to which order a node can count nothing for others any more |
//! | `P{c}:sync` | which node syncs for all, until the next time |
//! | `P{c}:swept:ID`, `:open:ID` | frames that others took out for an order; perhaps more |
//! | `Pe:{tag}rest` | the frame of an identity; of a variant with `\2` and its id behind |
//! | `Ps:{tag}token` | a long frame that was sent, for seconds, until it gets its name |
//! | `Pd:{tag}rest` | the variants of an identity: id and the names that select it |
//! | `Pl:{tag}rest` | the lease of an identity |
//! | `Pt:{tag}`, `Pi:{tag}` | of a key text: the last order on it; its identities |
//!
//! `tag` is the key text, and `rest` what the identity has behind it. Where a rule's `shard` says
//! otherwise, or the text holds a brace, the tag is another one and `rest` a colon with the whole.

use std::borrow::Cow;

use crate::entry::Key;

/// The names of one fleet.
#[derive(Clone, Debug)]
pub struct Names {
    prefix: String,
    /// What stands behind the names of channels.
    db: String,
}

/// Where an identity stands: what is between the braces, and what is behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    tag: Cow<'a, str>,
    rest: Cow<'a, str>,
    /// What stands behind the tag in names that belong to the text: nothing where the tag says it.
    text: Cow<'a, str>,
}

impl Names {
    /// Names that begin with `prefix`, which holds no brace.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), db: String::new() }
    }

    /// The same in a database: channels belong to all of a server's, and fleets in two of them
    /// have nothing to say to each other.
    #[must_use]
    pub fn in_db(self, db: i64) -> Self {
        let db = if db == 0 { String::new() } else { format!("@{db}") };
        Self { db, ..self }
    }

    /// Something of the order of things: `head`, `log` and their kin.
    pub fn order(&self, what: &str) -> Vec<u8> {
        format!("{}{{c}}:{what}", self.prefix).into_bytes()
    }

    /// The channel of numbered orders, of confirmations, of leases that end.
    pub fn channel(&self, what: &str) -> String {
        format!("{}{{c}}:{what}{}", self.prefix, self.db)
    }

    /// The frame of an identity, or of one of its variants.
    pub fn frame(&self, place: &Place<'_>, variant: &str) -> Vec<u8> {
        let mut name = self.named('e', place, &place.rest);
        if !variant.is_empty() {
            name.push(VARIANT as u8);
            name.extend_from_slice(variant.as_bytes());
        }
        name
    }

    /// A long frame that was sent and not put yet. No sweep takes it for a frame.
    pub fn sent(&self, place: &Place<'_>, token: &str) -> Vec<u8> {
        self.named('s', place, token)
    }

    /// The directory of an identity's variants.
    pub fn directory(&self, place: &Place<'_>) -> Vec<u8> {
        self.named('d', place, &place.rest)
    }

    /// The lease of an identity.
    pub fn lease(&self, place: &Place<'_>) -> Vec<u8> {
        self.named('l', place, &place.rest)
    }

    /// The tombstone of a key text.
    pub fn tombstone(&self, place: &Place<'_>) -> Vec<u8> {
        self.named('t', place, &place.text)
    }

    /// The identities of a key text.
    pub fn registry(&self, place: &Place<'_>) -> Vec<u8> {
        self.named('i', place, &place.text)
    }

    /// What all names of one letter and tag begin with.
    pub fn beginning(&self, letter: char, place: &Place<'_>) -> Vec<u8> {
        self.named(letter, place, "")
    }

    /// The pattern of all frames, for `SCAN`.
    pub fn all_frames(&self) -> String {
        let mut pattern = String::new();
        for c in self.prefix.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern + "e:{*"
    }

    /// The identity whose frame has this name; `None` for every other name.
    pub fn identity(&self, name: &[u8]) -> Option<String> {
        self.identity_and_variant(name).map(|(identity, _)| identity)
    }

    /// The identity whose frame has this name, and the id of its variant, empty where nothing
    /// selects one; `None` for every other name.
    pub fn identity_and_variant<'a>(&self, name: &'a [u8]) -> Option<(String, &'a str)> {
        let name = std::str::from_utf8(name).ok()?.strip_prefix(&self.prefix)?;
        let (tag, rest) = name.strip_prefix("e:{")?.split_once('}')?;
        let (rest, variant) = rest.split_once(VARIANT).unwrap_or((rest, ""));
        match rest.strip_prefix(':') {
            Some(identity) => Some((identity.to_owned(), variant)),
            None if rest.starts_with(PART) => Some((format!("{tag}{rest}"), variant)),
            None => None,
        }
    }

    fn named(&self, letter: char, place: &Place<'_>, rest: &str) -> Vec<u8> {
        format!("{}{letter}:{{{}}}{rest}", self.prefix, place.tag).into_bytes()
    }
}

/// Stands before a variant's id. No identity holds it.
const VARIANT: char = '\u{2}';

/// Stands before site and caller in an identity.
const PART: char = '\u{1}';

impl<'a> Place<'a> {
    /// Of an identity; `shard` is what the rule's template gave.
    pub fn of(key: &'a Key, shard: Option<&'a str>) -> Self {
        let (text, identity) = (key.text(), key.identity());
        match tag(text, shard) {
            Some(tag) => {
                Self { tag, rest: format!(":{identity}").into(), text: format!(":{text}").into() }
            }
            None => Self {
                tag: text.into(),
                rest: identity.get(text.len()..).unwrap_or_default().into(),
                text: "".into(),
            },
        }
    }

    /// Of a key text, where no shard counts.
    pub fn of_text(text: &'a str) -> Self {
        match tag(text, None) {
            Some(tag) => Self { tag, rest: "".into(), text: format!(":{text}").into() },
            None => Self { tag: text.into(), rest: "".into(), text: "".into() },
        }
    }

    /// What of the identity stands behind the tag.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// The rests of the identities that most keys have: all sites, shared by all or by rule.
    pub fn usual_rests(&self) -> [String; 2] {
        let behind = if self.text.is_empty() { String::new() } else { self.text.to_string() };
        [format!("{behind}{PART}{PART}"), format!("{behind}{PART}{PART}*")]
    }
}

/// The tag where the text cannot be it.
fn tag<'a>(text: &str, shard: Option<&'a str>) -> Option<Cow<'a, str>> {
    if let Some(shard) = shard.filter(|shard| !shard.is_empty() && !shard.contains(['{', '}'])) {
        return Some(shard.into());
    }
    let unfit = text.is_empty() || text.contains(['{', '}']);
    unfit.then(|| blake3::hash(text.as_bytes()).to_hex().get(..16).unwrap_or("0").to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::slot::Slot;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_belongs_to_a_key_shares_its_tag() {
        let names = Names::new("cistern:");
        let key = Key::new("stats:1", "http://h", "*");
        let place = Place::of(&key, None);
        assert_eq!(text(&names.frame(&place, "")), "cistern:e:{stats:1}\u{1}http://h\u{1}*");
        assert_eq!(
            text(&names.frame(&place, "ab")),
            "cistern:e:{stats:1}\u{1}http://h\u{1}*\u{2}ab"
        );
        assert_eq!(text(&names.tombstone(&place)), "cistern:t:{stats:1}");
        let of_text = Place::of_text("stats:1");
        assert_eq!(names.tombstone(&place), names.tombstone(&of_text));
        assert_eq!(names.registry(&place), names.registry(&of_text));
        assert_eq!(text(&names.order("head")), "cistern:{c}:head");
        for usual in ["", "*"] {
            let key = Key::new("stats:1", "", usual);
            assert!(of_text.usual_rests().contains(&Place::of(&key, None).rest().to_owned()));
        }
    }

    #[test]
    fn a_shard_or_a_brace_makes_another_tag() {
        let names = Names::new("p:");
        let key = Key::new("dte:76-33", "", "");
        let place = Place::of(&key, Some("76"));
        assert_eq!(text(&names.frame(&place, "")), "p:e:{76}:dte:76-33\u{1}\u{1}");
        assert_eq!(text(&names.tombstone(&place)), "p:t:{76}:dte:76-33");
        for odd in ["a}b", "{", ""] {
            let key = Key::new(odd, "", "*");
            let (place, of_text) = (Place::of(&key, None), Place::of_text(odd));
            assert_eq!(names.tombstone(&place), names.tombstone(&of_text));
            assert!(of_text.usual_rests().contains(&place.rest().to_owned()), "{odd}");
            assert_eq!(names.identity(&names.frame(&place, "")).as_deref(), Some(key.identity()));
        }
    }

    #[test]
    fn a_frame_tells_its_identity() {
        let names = Names::new("[x]*:");
        for shard in [None, Some("s")] {
            let key = Key::new("a:b", "http://h:81", "c0ffee");
            let place = Place::of(&key, shard);
            for variant in ["", "0f"] {
                let name = names.frame(&place, variant);
                assert_eq!(names.identity(&name).as_deref(), Some(key.identity()));
            }
            assert_eq!(names.identity(&names.lease(&place)), None);
            assert_eq!(names.identity(&names.directory(&place)), None);
            let sent = names.sent(&place, "00a1");
            assert_eq!(names.identity(&sent), None);
            assert_eq!(Slot::of(&sent), Slot::of(&names.frame(&place, "")));
        }
        assert_eq!(names.identity(b"other"), None);
        assert_eq!(names.all_frames(), "\\[x\\]\\*:e:{*");
    }
}
