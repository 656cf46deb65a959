//! What is wrong with a rules file, and where. Findings are gathered, never thrown: one run over
//! the files tells everything. A finding names its place, the remedy, and other places that matter;
//! `render` prints it.

use std::ops::Range;
use std::sync::Arc;

pub use super::code::Code;

/// One file of rules: its name as shown, and its text. A name that ends in `.json` means JSON,
/// every other TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's name, for messages.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The rules are not taken.
    Error,
    /// They are, but something in them is probably not meant.
    Warning,
}

impl Severity {
    /// The word in every form of output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in one of the sources, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Which source.
    pub(crate) file: u16,
    /// The first byte.
    pub(crate) start: u32,
    /// The byte after the last.
    pub(crate) end: u32,
}

/// A place in a source that goes with it wherever it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// Bytes of its text.
    pub span: Range<usize>,
}

impl Place {
    /// Line and column from 1; columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        position(&self.source.text, self.span.start)
    }

    /// Line and column just behind the span.
    pub fn end_line_column(&self) -> (usize, usize) {
        position(&self.source.text, self.span.end)
    }
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What to write at the caret; may be empty.
    pub label: String,
    /// Other places that matter, each with a word on why.
    pub related: Vec<(Place, String)>,
    /// What would be right.
    pub help: Option<String>,
    /// What else helps to understand it.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// Says what to write at the caret.
    pub(crate) fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = text.into();
        self
    }

    /// Says what would be right.
    pub(crate) fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// Adds something to know.
    pub(crate) fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.notes.push(text.into());
        self
    }

    /// Points to another place.
    pub(crate) fn also(&mut self, place: Option<Place>, text: impl Into<String>) -> &mut Self {
        self.related.extend(place.map(|place| (place, text.into())));
        self
    }
}

/// Gathers findings while files are read and compiled.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    sources: Vec<Arc<Source>>,
    found: Vec<Diagnostic>,
    /// The names of the tables around what is read now, outermost first.
    pub(crate) path: Vec<String>,
}

impl Findings {
    /// Findings about these sources.
    pub(crate) fn about(sources: &[Source]) -> Self {
        let sources = sources.iter().cloned().map(Arc::new).collect();
        Self { sources, ..Self::default() }
    }

    /// The text of one source.
    pub(crate) fn text(&self, file: u16) -> &str {
        self.sources.get(usize::from(file)).map_or("", |source| &source.text)
    }

    /// The name of one source.
    pub(crate) fn name(&self, file: u16) -> &str {
        self.sources.get(usize::from(file)).map_or("", |source| &source.name)
    }

    /// A spot as a place that stands on its own.
    pub(crate) fn place(&self, spot: Spot) -> Option<Place> {
        let source = self.sources.get(usize::from(spot.file))?.clone();
        Some(Place { source, span: spot.start as usize..spot.end as usize })
    }

    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        code: Code,
        spot: impl Into<Option<Spot>>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, code, spot.into(), message.into())
    }

    /// Adds a warning.
    pub(crate) fn warn(
        &mut self,
        code: Code,
        spot: impl Into<Option<Spot>>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, code, spot.into(), message.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        spot: Option<Spot>,
        message: String,
    ) -> &mut Diagnostic {
        let place = spot.and_then(|spot| self.place(spot));
        let (related, notes) = (Vec::new(), Vec::new());
        let label = String::new();
        let one = Diagnostic { severity, code, message, place, label, related, help: None, notes };
        self.found.push_mut(one)
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.found.iter().filter(|one| one.severity == Severity::Error).count()
    }

    /// All findings, in the order of files and places; those without a place come first.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        let order = |one: &Diagnostic| {
            let place = one.place.as_ref()?;
            let file = self.sources.iter().position(|source| Arc::ptr_eq(source, &place.source));
            Some((file, place.span.start))
        };
        self.found.sort_by_key(order);
        // What stands in the defaults is read for each route, and told once.
        self.found.dedup();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a\nañb = 1\n";
        let source = Arc::new(Source { name: "r".into(), text: text.into() });
        let at = text.find('b').unwrap();
        let place = Place { source, span: at..at + 1 };
        assert_eq!(place.line_column(), (2, 3));
        assert_eq!(place.end_line_column(), (2, 4));
    }

    #[test]
    fn findings_come_in_the_order_of_places() {
        let sources = ["a", "b"].map(|name| Source { name: name.into(), text: "12345".into() });
        let mut found = Findings::about(&sources);
        found.error(Code::Syntax, Spot { file: 1, start: 0, end: 1 }, "third");
        found.warn(Code::Syntax, Spot { file: 0, start: 3, end: 4 }, "second");
        found.error(Code::Syntax, Spot { file: 0, start: 1, end: 2 }, "first");
        found.warn(Code::NoOrigin, None, "nowhere");
        assert_eq!(found.errors(), 2);
        let words: Vec<_> = found.into_sorted().into_iter().map(|one| one.message).collect();
        assert_eq!(words, ["nowhere", "first", "second", "third"]);
    }
}
