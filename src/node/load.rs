//! Rules from files to a book: which files count, in which order, and what they hold. Errors name
//! the file; nothing is half loaded.

use std::path::{Path, PathBuf};

use http::HeaderValue;

use crate::base::limits::SECRET_FILE_BYTES_MAX;
use crate::engine::Book;
use crate::node::file::secret_of;
use crate::rules::{self, Diagnostic, JobField, LoadContext, Rulebook, Severity, Source};

/// Why rules were not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or directory could not be read.
    #[error("{path}: {cause}")]
    Read {
        /// Which.
        path: String,
        /// Why not.
        cause: String,
    },
    /// What they say is wrong.
    #[error("{}", summary(.0))]
    Rules(Vec<Diagnostic>),
    /// An origin cannot be asked.
    #[error(transparent)]
    Origin(#[from] crate::engine::BookError),
}

fn summary(all: &[Diagnostic]) -> String {
    let errors = all.iter().filter(|one| one.severity == Severity::Error).count();
    let first =
        all.iter().find(|one| one.severity == Severity::Error).map(|one| one.message.as_str());
    format!("{errors} errors, the first: {}", first.unwrap_or("unknown"))
}

/// What loading gave.
#[derive(Debug)]
pub struct Loaded {
    /// The rules, compiled.
    pub rules: Rulebook,
    /// What is allowed and dangerous.
    pub warnings: Vec<Diagnostic>,
    /// The texts they were read from.
    pub sources: Vec<Source>,
}

/// The files of a path: itself, or of a directory every `*.toml` except `cistern.toml`, and every
/// `*.rules.json`, in byte order of their names; hidden files and subdirectories do not count.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |cause: std::io::Error| LoadError::Read {
        path: path.display().to_string(),
        cause: cause.to_string(),
    };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let rules = Path::new(&*name).extension().is_some_and(|e| e == "toml")
            && name != "cistern.toml"
            || name.ends_with(".rules.json");
        if rules && !name.starts_with('.') && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the texts of several files or directories.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, LoadError> {
    let mut all = Vec::new();
    for path in paths {
        for file in files(path)? {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(|cause| LoadError::Read {
                path: name.clone(),
                cause: cause.to_string(),
            })?;
            all.push(Source { name, text });
        }
    }
    Ok(all)
}

/// Compiles the rules of these texts.
pub fn compile(sources: &[Source], context: &LoadContext) -> Result<Loaded, LoadError> {
    let mut loaded = rules::load(sources, context).map_err(LoadError::Rules)?;
    for origin in &mut loaded.book.origins {
        origin.job_fields.iter_mut().try_for_each(read_field)?;
    }
    Ok(Loaded { rules: loaded.book, warnings: loaded.warnings, sources: sources.to_vec() })
}

/// Reads the file that holds a field's value, from the folder of the rules that name it.
fn read_field(field: &mut JobField) -> Result<(), LoadError> {
    let Some(file) = &field.file else { return Ok(()) };
    let path = Path::new(&field.said_in).parent().unwrap_or(Path::new("")).join(file);
    let wrong = |cause: String| LoadError::Read { path: path.display().to_string(), cause };
    let text = secret_of(&path, SECRET_FILE_BYTES_MAX).map_err(|cause| wrong(cause.to_string()))?;
    let mut value = HeaderValue::from_str(text.trim())
        .map_err(|_| wrong("this is not the value of a field".to_owned()))?;
    value.set_sensitive(true);
    field.value = Some(value);
    Ok(())
}

/// The book of a path; without one, the book that has no rules.
pub fn book(path: Option<&Path>, context: &LoadContext) -> Result<(Book, Loaded), LoadError> {
    let paths: Vec<PathBuf> = path.map(Path::to_owned).into_iter().collect();
    let loaded = compile(&sources(&paths)?, context)?;
    let book = Book::new(loaded.rules.clone())?;
    Ok((book, loaded))
}
