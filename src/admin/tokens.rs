//! Who may do what: bearer tokens (RFC 6750), each with a role, and bound to what it may purge
//! where that is said. Only digests are kept, so that whoever reads the file of tokens has none.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use blake3::Hash;

use crate::entry::order::Selector;

/// What a caller may do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Purge.
    Purge,
    /// Change how the node runs: rules, jobs, the bypass.
    Operate,
    /// All there is.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Purge, Self::Operate, Self::Admin];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Purge => "purge",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The role with this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// One token, without itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who has it; the audit log says this.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The digest of its text ([`digest`]).
    pub digest: Hash,
    /// What it may see and purge; everything where none is said.
    pub selectors: Vec<Selector>,
}

impl Token {
    /// Whether it allows a purge of this: everything that the purge could take lies within what
    /// the token is bound to.
    pub fn may_purge(&self, selector: &Selector) -> bool {
        self.role >= Role::Purge && self.reaches(selector)
    }

    /// Whether all that this may name lies within what the token is bound to, as far as texts tell.
    /// That a key is a tenant's no text tells: another's may be the same.
    pub fn reaches(&self, selector: &Selector) -> bool {
        !self.is_bound() || self.selectors.iter().any(|one| one.holds(selector))
    }

    /// Whether it is bound to anything less than everything.
    pub fn is_bound(&self) -> bool {
        !self.selectors.is_empty()
    }

    /// What it is bound to, as people write it.
    pub fn bounds(&self) -> String {
        self.selectors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// The digest of a token's text. A token is random and long, so a fast digest gives nothing away.
pub fn digest(text: &[u8]) -> Hash {
    blake3::hash(text)
}

/// Reads a file of tokens.
///
/// # Errors
/// A sentence that says where and what is wrong.
pub type ReadTokens = fn(&std::path::Path) -> Result<Vec<Token>, String>;

/// The tokens in force. The file is looked at with each call that needs one: a token that was taken
/// out counts no more with the next call.
#[derive(Debug)]
pub struct Tokens {
    file: Option<(PathBuf, ReadTokens)>,
    now: Mutex<InForce>,
}

#[derive(Debug, Default)]
struct InForce {
    tokens: Vec<Token>,
    /// What the file looked like when it was read.
    seen: Option<(SystemTime, u64)>,
    /// Why what the file says is not in force.
    wrong: Option<String>,
}

impl Tokens {
    /// Of a node whose settings name a file, or none.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong.
    pub fn new(file: Option<PathBuf>, read: ReadTokens) -> Result<Self, String> {
        let tokens = Self { file: file.map(|path| (path, read)), now: Mutex::default() };
        let wrong = tokens.refresh().wrong.clone();
        match wrong {
            Some(wrong) => Err(wrong),
            None => Ok(tokens),
        }
    }

    /// Whether there is a file of tokens: without one the API only reads, on loopback.
    pub const fn are_used(&self) -> bool {
        self.file.is_some()
    }

    /// The token with this text. All are compared, each in a time that tells nothing.
    pub fn find(&self, text: &[u8]) -> Option<Token> {
        let given = digest(text);
        let now = self.refresh();
        let mut found = None;
        for token in &now.tokens {
            // The comparison of digests takes the same time whatever differs.
            if token.digest == given {
                found = Some(token.clone());
            }
        }
        found
    }

    /// Whether a token is still what it was: it ends what it began when it is taken out.
    pub fn is_in_force(&self, token: &Token) -> bool {
        self.refresh().tokens.contains(token)
    }

    /// Names and roles, and what is wrong with the file if something is.
    pub fn told(&self) -> (Vec<Token>, Option<String>) {
        let now = self.refresh();
        (now.tokens.clone(), now.wrong.clone())
    }

    /// Reads the file again if it has changed. One that is wrong changes nothing; one that is gone
    /// takes all tokens with it.
    fn refresh(&self) -> std::sync::MutexGuard<'_, InForce> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((path, read)) = &self.file else { return now };
        let seen = std::fs::metadata(path).and_then(|data| Ok((data.modified()?, data.len())));
        match seen {
            Ok(seen) if now.seen == Some(seen) => {}
            Ok(seen) => {
                now.seen = Some(seen);
                match read(path) {
                    Ok(tokens) => (now.tokens, now.wrong) = (tokens, None),
                    Err(wrong) => now.wrong = Some(wrong),
                }
            }
            Err(error) => {
                let wrong = Some(format!("{}: {error}", path.display()));
                *now = InForce { wrong, ..InForce::default() };
            }
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(role: Role, selectors: &[&str]) -> Token {
        let selectors = selectors.iter().map(|text| Selector::parse(text).unwrap()).collect();
        Token { name: "ann".to_owned(), role, digest: digest(b"secret"), selectors }
    }

    #[test]
    fn a_role_allows_what_those_before_it_allow() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
        let all = Selector::All;
        assert!(!token(Role::Read, &[]).may_purge(&all));
        assert!(token(Role::Purge, &[]).may_purge(&all));
        assert!(token(Role::Admin, &[]).may_purge(&all));
    }

    #[test]
    fn a_token_of_a_tenant_reaches_it_alone() {
        let bound = token(Role::Purge, &["tenant:acme"]);
        assert!(bound.may_purge(&Selector::parse("tenant:acme").unwrap()));
        for text in [
            "tenant:b",
            "key:acme:1",
            "prefix:acme",
            "tag:acme",
            "tag:*",
            "type:t",
            "rule:r",
            "all",
        ] {
            assert!(!bound.may_purge(&Selector::parse(text).unwrap()), "{text}");
        }
        let tags = token(Role::Purge, &["tag:*", "pattern:*"]);
        assert!(!tags.may_purge(&Selector::parse("tenant:acme").unwrap()));
        assert!(!token(Role::Read, &["tenant:a"]).may_purge(&Selector::parse("tenant:a").unwrap()));
    }

    #[test]
    fn a_bound_token_purges_within_its_bounds_only() {
        let bound = token(Role::Purge, &["prefix:shop:", "tag:rut:*"]);
        for (text, may) in [
            ("key:shop:1", true),
            ("prefix:shop:a", true),
            ("pattern:shop:*:x", true),
            ("tag:rut:7", true),
            ("tag:rut:7*", true),
            ("key:other", false),
            ("prefix:sho", false),
            ("pattern:*", false),
            ("tag:r*", false),
            ("type:shop", false),
            ("all", false),
        ] {
            assert_eq!(bound.may_purge(&Selector::parse(text).unwrap()), may, "{text}");
        }
    }

    #[test]
    fn the_file_is_followed_and_a_wrong_one_changes_nothing() {
        fn read(path: &std::path::Path) -> Result<Vec<Token>, String> {
            let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
            if text == "wrong" {
                return Err("wrong".to_owned());
            }
            let token = |text: &str| Token {
                name: text.to_owned(),
                role: Role::Read,
                digest: digest(text.as_bytes()),
                selectors: Vec::new(),
            };
            Ok(text.split_whitespace().map(token).collect())
        }
        let path = std::env::temp_dir().join(format!("cistern-tokens-{}", std::process::id()));
        std::fs::write(&path, "one").unwrap();
        let tokens = Tokens::new(Some(path.clone()), read).unwrap();
        assert_eq!(tokens.find(b"one").map(|token| token.name), Some("one".to_owned()));
        assert!(tokens.find(b"two").is_none());
        std::fs::write(&path, "one two").unwrap();
        assert!(tokens.find(b"two").is_some());
        std::fs::write(&path, "wrong").unwrap();
        assert!(tokens.find(b"one").is_some(), "the old ones stay");
        assert_eq!(tokens.told().1.as_deref(), Some("wrong"));
        std::fs::write(&path, "two").unwrap();
        let two = tokens.find(b"two").unwrap();
        assert!(tokens.find(b"one").is_none() && tokens.is_in_force(&two));
        assert!(!tokens.is_in_force(&Token { role: Role::Admin, ..two.clone() }));
        std::fs::remove_file(&path).unwrap();
        assert!(tokens.find(b"two").is_none(), "what is gone allows nothing");
        assert!(!tokens.is_in_force(&two));
        assert!(Tokens::new(Some(path), read).is_err());
        assert!(!Tokens::new(None, read).unwrap().are_used());
    }
}
