//! Rust text with comments and literals told apart from code, so that a brace in a string is no
//! brace and a word in a comment no import.

/// One file: its lines as written, and the same lines with everything but code blanked out.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// As long as the text, line for line and column for column; comments and the insides of
    /// literals are spaces.
    pub(crate) code: String,
    /// The same with code and literals blanked: what remains are the comments.
    pub(crate) comments: String,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let (code, comments) = separate(text);
        Self { name: name.to_owned(), text: text.to_owned(), code, comments }
    }

    /// `src/policy/range.rs` as `["policy", "range"]`; `mod.rs` and `tests.rs` count for their
    /// folder, `lib.rs` and `main.rs` for nothing.
    pub(crate) fn module(&self) -> Vec<&str> {
        let path = self.name.strip_prefix("src/").unwrap_or(&self.name);
        let mut parts: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
        if matches!(parts.last(), Some(&"mod" | &"tests" | &"lib" | &"main")) {
            parts.pop();
        }
        parts
    }

    /// The code of lines that are compiled into the product: not `tests.rs`, nothing from
    /// `#[cfg(test)]` on to the end of what it stands before.
    pub(crate) fn product_code(&self) -> String {
        if self.name.ends_with("/tests.rs") || self.name.contains("/tests/") {
            return String::new();
        }
        let mut code = self.code.clone();
        while let Some(at) = code.find("#[cfg(test)]") {
            let end = end_of_item(&code, at);
            let blank: String = code[at..end].chars().map(blank_of).collect();
            code.replace_range(at..end, &blank);
        }
        code
    }
}

/// Where the item that begins at `at` ends: behind its closing brace, or its semicolon.
fn end_of_item(code: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, letter) in code[at..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + offset + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// The line, counted from one, that a byte offset stands on.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn blank_of(letter: char) -> char {
    if letter == '\n' { '\n' } else { ' ' }
}

/// What a letter belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

fn separate(text: &str) -> (String, String) {
    let letters: Vec<char> = text.chars().collect();
    let parts = parts_of(&letters);
    let keep = |wanted: Part| {
        let kept = letters.iter().zip(&parts);
        kept.map(|(letter, part)| if *part == wanted { *letter } else { blank_of(*letter) })
            .collect()
    };
    (keep(Part::Code), keep(Part::Comment))
}

fn parts_of(letters: &[char]) -> Vec<Part> {
    let mut parts = Vec::with_capacity(letters.len());
    while parts.len() < letters.len() {
        let at = parts.len();
        let rest = &letters[at..];
        let (part, length) = match rest {
            ['/', '/', ..] => (Part::Comment, line_length(rest)),
            ['/', '*', ..] => (Part::Comment, block_length(rest)),
            ['"', ..] => (Part::Literal, quoted_length(rest, '"')),
            ['\'', ..] => char_length(rest).map_or((Part::Code, 1), |n| (Part::Literal, n)),
            ['r' | 'b' | 'c', ..] if !continues_a_word(letters, at) => prefixed(rest),
            _ => (Part::Code, 1),
        };
        parts.resize((at + length.max(1)).min(letters.len()), part);
    }
    parts
}

fn continues_a_word(letters: &[char], at: usize) -> bool {
    at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_')
}

fn line_length(rest: &[char]) -> usize {
    rest.iter().position(|letter| *letter == '\n').unwrap_or(rest.len())
}

fn block_length(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a character literal, or none where the quote begins a lifetime.
fn char_length(rest: &[char]) -> Option<usize> {
    match rest {
        ['\'', '\\', ..] => Some(quoted_length(rest, '\'')),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

/// Raw and byte literals: r"", r#""#, b"", b'', br"", c"".
fn prefixed(rest: &[char]) -> (Part, usize) {
    let letters = rest.iter().take_while(|letter| matches!(letter, 'r' | 'b' | 'c')).count();
    let hashes = rest[letters..].iter().take_while(|letter| **letter == '#').count();
    let raw = rest[..letters].contains(&'r');
    let opening = letters + hashes;
    match rest.get(opening) {
        Some('"') if raw => (Part::Literal, opening + raw_length(&rest[opening..], hashes)),
        Some('"') if hashes == 0 => (Part::Literal, opening + quoted_length(&rest[opening..], '"')),
        Some('\'') if hashes == 0 && rest[..letters] == ['b'] => {
            (Part::Literal, opening + quoted_length(&rest[opening..], '\''))
        }
        _ => (Part::Code, 1),
    }
}

fn raw_length(rest: &[char], hashes: usize) -> usize {
    let closes = |at: usize| {
        rest[at] == '"'
            && rest[at + 1..].iter().take(hashes).filter(|one| **one == '#').count() == hashes
    };
    (1..rest.len()).find(|at| closes(*at)).map_or(rest.len(), |at| at + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(text: &str) -> String {
        Source::new("src/a.rs", text).code
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        for (text, words) in [
            ("a // } b\nc", "a c"),
            ("a /* { /* } */ */ b", "a b"),
            (r#"a "}\"{" b"#, "a b"),
            ("a '{' b", "a b"),
            (r"a '\'' b", "a b"),
            ("fn f<'a>(x: &'a u8) {}", "fn f<'a>(x: &'a u8) {}"),
            (r##"r#"}"{"# b"##, "b"),
            (r#"b"}" b'{' br"}" x"#, "x"),
            (r#"number"}""#, "number"),
            ("r#type { }", "r#type { }"),
        ] {
            let code = code_of(text);
            assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), words, "{text}");
            assert_eq!(code.chars().count(), text.chars().count(), "columns move in {text}");
        }
    }

    #[test]
    fn code_for_tests_is_not_the_product() {
        let text = "use a;\n#[cfg(test)]\nmod tests {\n  use b;\n  fn f() { }\n}\nuse c;\n";
        let product = Source::new("src/a.rs", text).product_code();
        assert!(product.contains("use a;") && product.contains("use c;"));
        assert!(!product.contains("use b;") && product.lines().count() == 7);
        let declared = Source::new("src/a.rs", "#[cfg(test)]\nmod tests;\nuse c;").product_code();
        assert!(declared.contains("use c;") && !declared.contains("mod"));
        assert_eq!(Source::new("src/a/tests.rs", "use b;").product_code(), "");
    }

    #[test]
    fn modules_follow_from_paths() {
        let module = |name: &str| Source::new(name, "").module().join("/");
        assert_eq!(module("src/policy/range.rs"), "policy/range");
        assert_eq!(module("src/policy/mod.rs"), "policy");
        assert_eq!(module("src/policy/range/tests.rs"), "policy/range");
        assert_eq!(module("src/main.rs"), "");
    }
}
