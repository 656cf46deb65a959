//! Single values of the settings: words, sizes, durations, networks, addresses, files. Each error
//! says what would be right.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use http::HeaderName;
use ipnet::IpNet;

use crate::base::limits::{PEM_FILE_BYTES_MAX, SECRET_FILE_BYTES_MAX};
use crate::base::units::{ByteSize, Span};
use crate::node::file::{secret_of, text_of};
use crate::node::settings::SettingsError;

pub(super) fn word<T: Copy>(
    text: &str,
    place: &str,
    words: &[(&str, T)],
) -> Result<T, SettingsError> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        SettingsError::new(place, format!("`{text}` is not one of {}", known.join(", ")))
    })
}

pub(super) fn size(text: &str, place: &str) -> Result<u64, SettingsError> {
    ByteSize::parse(text).map(|size| size.0).map_err(|e| SettingsError::new(place, e))
}

pub(super) fn field_names(texts: &[String], place: &str) -> Result<Vec<HeaderName>, SettingsError> {
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            SettingsError::new(
                place,
                format!("`{text}` is not a field name; write CDN-Cache-Control"),
            )
        })
    };
    texts.iter().map(parse).collect()
}

pub(super) fn networks(texts: &[String], place: &str) -> Result<Vec<IpNet>, SettingsError> {
    let parse = |text: &String| {
        let host = || text.parse::<std::net::IpAddr>().map(IpNet::from).ok();
        text.parse().ok().or_else(host).ok_or_else(|| {
            let problem = format!("`{text}` is not a network; write one as 10.0.0.0/8 or ::1");
            SettingsError::new(place, problem)
        })
    };
    texts.iter().map(parse).collect()
}

pub(super) fn addresses(text: &str, place: &str) -> Result<Vec<SocketAddr>, SettingsError> {
    let found: Vec<_> = text
        .to_socket_addrs()
        .map_err(|e| SettingsError::new(place, format!("`{text}`: {e}; write HOST:PORT")))?
        .collect();
    Ok(found)
}

/// A duration within bounds.
pub(super) fn span(text: &str, place: &str, bounds: [Span; 2]) -> Result<Span, SettingsError> {
    let span = Span::parse(text).map_err(|e| SettingsError::new(place, e))?;
    let [least, most] = bounds;
    if span < least || span > most {
        let problem = format!("`{text}` is out of bounds; write {least} to {most}");
        return Err(SettingsError::new(place, problem));
    }
    Ok(span)
}

/// A number within bounds.
pub(super) fn count(number: u32, place: &str, most: u32) -> Result<usize, SettingsError> {
    if number == 0 || number > most {
        let problem = format!("{number} is out of bounds; write 1 to {most}");
        return Err(SettingsError::new(place, problem));
    }
    Ok(number as usize)
}

/// The text of a file, without the end of its last line.
pub(super) fn secret_file(path: &Path, place: &str) -> Result<String, SettingsError> {
    secret_of(path, SECRET_FILE_BYTES_MAX)
        .map_err(|e| SettingsError::new(place, format!("{}: {e}", path.display())))
}

/// A file in PEM that holds something of this kind.
pub(super) fn pem(path: &Path, kind: &str, place: &str) -> Result<Vec<u8>, SettingsError> {
    let told =
        |problem: String| SettingsError::new(place, format!("{}: {problem}", path.display()));
    let text = text_of(path, PEM_FILE_BYTES_MAX).map_err(|e| told(e.to_string()))?;
    let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains(kind);
    if !text.lines().any(begins) {
        return Err(told(format!("the file holds no {kind} in PEM")));
    }
    Ok(text.into_bytes())
}

/// The token of a file, if one is named.
pub(super) fn token(
    file: Option<&str>,
    base: &Path,
    place: &str,
) -> Result<Option<String>, SettingsError> {
    let Some(file) = file else { return Ok(None) };
    let path = base.join(file);
    let text = text_of(&path, SECRET_FILE_BYTES_MAX)
        .map_err(|e| SettingsError::new(place, format!("{}: {e}", path.display())))?;
    let token = text.trim();
    if token.len() < 16 {
        let problem = format!("{}: a token needs at least 16 characters", path.display());
        return Err(SettingsError::new(place, problem));
    }
    Ok(Some(token.to_owned()))
}
