//! The file of the admin API's tokens: read by the node, changed by `cistern tokens`. It holds
//! digests, so it is no secret; who can write it can make tokens.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::admin::tokens::{Role, Token, digest};
use crate::base::limits;
use crate::entry::order::Selector;
use crate::node::file::text_of;

/// What every token begins with, so that one that leaked is recognised.
pub const BEGINNING: &str = "cst_";

/// Bytes of randomness in a token.
const RANDOM_BYTES: usize = 32;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    token: Vec<Row>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    role: String,
    /// The BLAKE3 digest of the token, in hexadecimal.
    blake3: String,
    /// The tenant that it is bound to, as keys have its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    selectors: Vec<String>,
}

impl Row {
    fn read(self) -> Result<Token, String> {
        let name = self.name;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("`{name}`: a name is 1 to 64 printable characters without spaces"));
        }
        let role = Role::parse(&self.role).ok_or_else(|| {
            let roles = Role::ALL.map(Role::as_str).join(", ");
            format!("{name}: `{}` is no role; the roles are {roles}", self.role)
        })?;
        let digest = blake3::Hash::from_hex(&self.blake3)
            .map_err(|_| format!("{name}: `blake3` is not a digest of 64 hexadecimal digits"))?;
        let parse = |text: &String| {
            Selector::parse(text).map_err(|error| format!("{name}: `{text}`: {error}"))
        };
        let tenant = self.tenant.map(|tenant| format!("tenant:{tenant}"));
        let selectors = tenant.iter().chain(&self.selectors).map(parse);
        let selectors = selectors.collect::<Result<_, _>>()?;
        Ok(Token { name, role, digest, selectors })
    }

    fn of(token: &Token) -> Self {
        let tenant = token.selectors.first().and_then(Selector::tenant);
        let others = token.selectors.iter().skip(usize::from(tenant.is_some()));
        Self {
            name: token.name.clone(),
            role: token.role.as_str().to_owned(),
            blake3: token.digest.to_hex().to_string(),
            tenant: tenant.map(str::to_owned),
            selectors: others.map(ToString::to_string).collect(),
        }
    }
}

/// Reads the tokens of a file.
///
/// # Errors
/// A sentence that names the file, the token, and what is wrong with it.
pub fn read(path: &Path) -> Result<Vec<Token>, String> {
    let told = |why: String| format!("{}: {why}", path.display());
    let text = text_of(path, limits::TOKENS_FILE_BYTES_MAX).map_err(|e| told(e.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| told(error.to_string()))?;
    let tokens: Result<Vec<Token>, String> = file.token.into_iter().map(Row::read).collect();
    let tokens = tokens.map_err(told)?;
    let mut names: Vec<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
    names.sort_unstable();
    if let Some(two) = names.windows(2).find(|two| two.first() == two.last()) {
        return Err(told(format!("`{}` stands there twice", two.first().unwrap_or(&""))));
    }
    Ok(tokens)
}

/// Writes a file of tokens in the place of the old one, readable by its owner alone.
///
/// # Errors
/// What the system said.
pub fn write(path: &Path, tokens: &[Token]) -> std::io::Result<()> {
    let file = File { token: tokens.iter().map(Row::of).collect() };
    let text = toml::to_string(&file).map_err(std::io::Error::other)?;
    let fresh = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&fresh)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&fresh, path)
}

/// A new token, and what is kept of it. Its text is told once and never again.
///
/// # Errors
/// When the system has no randomness.
pub fn create(
    name: &str,
    role: Role,
    selectors: Vec<Selector>,
) -> std::io::Result<(String, Token)> {
    let mut random = [0; RANDOM_BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let text = format!("{BEGINNING}{}", blake3::Hash::from_bytes(random).to_hex());
    let digest = digest(text.as_bytes());
    Ok((text, Token { name: name.to_owned(), role, digest, selectors }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("cistern-{name}-{}.toml", std::process::id()))
    }

    #[test]
    fn what_is_written_is_read_and_holds_no_token() {
        let path = at("tokens");
        let bound = ["tenant:acme", "tag:rut:*"].map(|text| Selector::parse(text).unwrap());
        let (text, token) = create("ci", Role::Purge, bound.to_vec()).unwrap();
        assert_eq!(text.len(), BEGINNING.len() + 2 * RANDOM_BYTES);
        write(&path, std::slice::from_ref(&token)).unwrap();
        assert_eq!(read(&path).unwrap(), [token]);
        let said = fs::read_to_string(&path).unwrap();
        assert!(!said.contains(&text) && !said.contains(text.trim_start_matches(BEGINNING)));
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        let path = at("wrong-tokens");
        let row = |name: &str, role: &str, digest: &str| {
            format!("[[token]]\nname = '{name}'\nrole = '{role}'\nblake3 = '{digest}'\n")
        };
        let good = digest(b"x").to_hex();
        for (text, why) in [
            (row("a", "root", &good), "`root` is no role; the roles are read, purge"),
            (row("a", "read", "abc"), "not a digest"),
            (row("a b", "read", &good), "a name is"),
            (row("a", "read", &good).repeat(2), "`a` stands there twice"),
            (format!("{}tenants = 'x'\n", row("a", "read", &good)), "unknown field `tenants`"),
            (format!("{}tenant = 'x*'\n", row("a", "read", &good)), "takes one name"),
            (format!("{}selectors = ['tag:']\n", row("a", "read", &good)), "names nothing"),
            ("token = 1".to_owned(), "invalid type"),
        ] {
            fs::write(&path, &text).unwrap();
            let said = read(&path).unwrap_err();
            assert!(said.contains(why) && said.contains("wrong-tokens"), "{said}");
        }
        fs::remove_file(&path).unwrap();
        assert!(read(&path).is_err());
    }
}
