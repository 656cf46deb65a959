//! How a finding is shown: like a compiler's for people, as JSON for programs, as annotations for
//! a forge. The text of a finding comes from files that an operator wrote; it is printed, never
//! interpreted.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Place, Severity};

impl Diagnostic {
    /// As people read it: place, line, caret, remedy. Ends without a newline.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str());
        let mut group = Group::with_title(title);
        if let Some(place) = &self.place {
            group = group.element(self.snippet(place));
        }
        for (place, text) in self.elsewhere() {
            let other = AnnotationKind::Primary.span(place.shown()).label(text.as_str());
            group = group.element(
                Snippet::source(place.source.text.as_str())
                    .path(place.source.name.as_str())
                    .annotation(other),
            );
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let code = self.code.as_str();
        let code = format!("{code}   (cistern explain-code {code})");
        group = group.element(Level::NOTE.with_name("code").message(code));
        renderer.render(&[group])
    }

    /// The lines of this file that matter.
    fn snippet<'a>(&'a self, place: &'a Place) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let mut main = AnnotationKind::Primary.span(place.shown());
        if !self.label.is_empty() {
            main = main.label(self.label.as_str());
        }
        let snippet = Snippet::source(place.source.text.as_str())
            .path(place.source.name.as_str())
            .annotation(main);
        let same_file = self.related.iter().filter(|(other, _)| other.source == place.source);
        snippet.annotations(
            same_file.map(|(other, text)| {
                AnnotationKind::Context.span(other.shown()).label(text.as_str())
            }),
        )
    }

    /// Related places in other files than the main one.
    fn elsewhere(&self) -> impl Iterator<Item = &(Place, String)> {
        let main = self.place.as_ref().map(|place| &place.source);
        self.related.iter().filter(move |(other, _)| Some(&other.source) != main)
    }

    /// As programs read it.
    pub fn to_json(&self) -> Value {
        let related: Vec<_> = self
            .related
            .iter()
            .map(|(place, text)| json!({ "text": text, "place": place.to_json() }))
            .collect();
        json!({
            "severity": self.severity.as_str(),
            "code": self.code.as_str(),
            "message": self.message,
            "place": self.place.as_ref().map(Place::to_json),
            "label": self.label,
            "related": related,
            "help": self.help,
            "notes": self.notes,
        })
    }

    /// As an annotation that GitHub Actions shows beside the line.
    pub fn to_github(&self) -> String {
        let mut text = self.message.clone();
        if !self.label.is_empty() {
            text = format!("{text} ({})", self.label);
        }
        if let Some(help) = &self.help {
            text = format!("{text}\nhelp: {help}");
        }
        let place = self.place.as_ref().map_or_else(String::new, |place| {
            let ((line, column), (end_line, end_column)) =
                (place.line_column(), place.end_line_column());
            let file = escape_property(&place.source.name);
            format!(
                "file={file},line={line},col={column},endLine={end_line},endColumn={end_column},"
            )
        });
        let (severity, code) = (self.severity.as_str(), self.code.as_str());
        format!("::{severity} {place}title={code}::{}", escape_data(&text))
    }
}

impl Place {
    /// A span that the printer can take: within the text, and not empty where a caret is wanted.
    fn shown(&self) -> std::ops::Range<usize> {
        let text = &self.source.text;
        let floor = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(self.span.start.min(text.len()));
        start..floor(self.span.end.min(text.len())).max(start)
    }

    fn to_json(&self) -> Value {
        let ((line, column), (end_line, end_column)) = (self.line_column(), self.end_line_column());
        json!({
            "file": self.source.name,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "start": self.span.start,
            "end": self.span.end,
        })
    }
}

/// Workflow commands end at a newline and take percent-encoding.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::diagnostic::{Code, Findings, Source, Spot};
    use super::*;

    fn one() -> Diagnostic {
        let sources = [
            Source { name: "a.toml".into(), text: "x = 1\nkey = \"stats\"\n".into() },
            Source { name: "b.toml".into(), text: "y = 2\n".into() },
        ];
        let mut found = Findings::about(&sources);
        let other = found.place(Spot { file: 1, start: 0, end: 1 });
        found
            .error(Code::KeyWithoutIdentity, Spot { file: 0, start: 12, end: 19 }, "one for all")
            .label("no part")
            .also(other, "see here")
            .note("it was seen")
            .help("add {identity}");
        found.into_sorted().remove(0)
    }

    #[test]
    fn people_see_line_caret_and_remedy() {
        let text = one().render(false);
        for part in [
            "error: one for all",
            "--> a.toml:2:7",
            "2 | key = \"stats\"",
            "^^^^^^^ no part",
            "b.toml:1:1",
            "see here",
            "note: it was seen",
            "help: add {identity}",
            "code: C012",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
        assert!(one().render(true).contains('\u{1b}'));
    }

    #[test]
    fn programs_see_numbers() {
        let json = one().to_json();
        assert_eq!(json["place"]["line"], 2);
        assert_eq!(json["place"]["column"], 7);
        assert_eq!(json["code"], "C012");
        assert_eq!(json["related"][0]["place"]["file"], "b.toml");
    }

    #[test]
    fn a_forge_sees_one_line() {
        let mut one = one();
        one.message = "100 %\nsure".into();
        let text = one.to_github();
        assert_eq!(
            text,
            "::error file=a.toml,line=2,col=7,endLine=2,endColumn=14,title=C012::100 %25%0Asure \
             (no part)%0Ahelp: add {identity}"
        );
    }

    #[test]
    fn a_span_beyond_the_text_does_not_panic() {
        let source = Arc::new(Source { name: "ñ".into(), text: "ñ".into() });
        for span in [0..1, 1..2, 1..1, 5..9, std::ops::Range { start: 2, end: 0 }] {
            let mut one = one();
            one.place = Some(Place { source: source.clone(), span });
            assert!(one.render(false).contains("one for all"));
        }
    }
}
