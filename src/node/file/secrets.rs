//! Files that hold a secret or a certificate. Only regular files are read, and links to them, as
//! Kubernetes has its secrets: a device or a pipe may have no end, and nobody may ever write to it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The text of a file of `most` bytes or less, as it stands there.
///
/// # Errors
/// Where it cannot be read, is no regular file, is longer, or is no UTF-8. None shows its content.
pub(crate) fn text_of(path: &Path, most: u64) -> io::Result<String> {
    // Opening a pipe that nobody writes to would wait already.
    regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    regular(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("the file is longer than {} KiB", most / 1_024)));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("the file is no text in UTF-8"))
}

/// The secret of a file: its text without the end of the last line.
///
/// # Errors
/// As [`text_of`], and where nothing stands in it.
pub(crate) fn secret_of(path: &Path, most: u64) -> io::Result<String> {
    let text = text_of(path, most)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(io::Error::other("the file is empty"));
    }
    Ok(text.to_owned())
}

fn regular(file: &std::fs::Metadata) -> io::Result<()> {
    if file.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_length_are_read() {
        let folder = std::env::temp_dir().join(format!("cistern-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        std::fs::write(&file, "hush\r\n").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(secret_of(path, 8).unwrap(), "hush");
            assert_eq!(text_of(path, 6).unwrap(), "hush\r\n");
        }
        let told = |path: &Path, most| secret_of(path, most).unwrap_err().to_string();
        assert!(told(&file, 5).contains("longer"));
        let pipe = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for odd in [Path::new("/dev/zero"), &pipe, &folder] {
            assert!(told(odd, 8).contains("not a regular file"), "{}", odd.display());
        }
        std::fs::write(&file, b"hu\xffsh").unwrap();
        let said = told(&file, 8);
        assert!(said.contains("UTF-8") && !said.contains("hu\u{fffd}"), "{said}");
        std::fs::write(&file, "\n").unwrap();
        assert!(told(&link, 8).contains("empty"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
