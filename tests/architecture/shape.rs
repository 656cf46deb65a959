//! Sizes: files of at most 400 lines, functions of at most 70, lines of at most 100 columns. Nobody
//! complains about the average; what hurts is the tail.

use crate::scan::{Source, line_of};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;
/// A line that is one string, or a part of one, and nothing else cannot be broken by the formatter,
/// and a broken message cannot be searched for. It may be this long.
const STRING_COLUMNS_MAX: usize = 120;

pub(crate) fn long_files(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let long = lines > FILE_LINES_MAX;
    long.then(|| format!("{}: {lines} lines; it has two subjects", source.name))
        .into_iter()
        .collect()
}

pub(crate) fn long_lines(source: &Source) -> Vec<String> {
    let texts = source.text.lines();
    let blanked = source.code.lines().zip(source.comments.lines());
    let mut long = Vec::new();
    for (at, (text, (code, comment))) in texts.zip(blanked).enumerate() {
        let columns = text.chars().count();
        let alone = is_string_alone(code, comment);
        let bound = if alone { STRING_COLUMNS_MAX } else { LINE_COLUMNS_MAX };
        if columns > bound {
            long.push(format!("{}:{}: {columns} columns", source.name, at + 1));
        }
    }
    long
}

/// Whether a line holds a literal, or the middle of one, and at most the marks that close it.
fn is_string_alone(code: &str, comment: &str) -> bool {
    let closing = |letter: char| letter.is_whitespace() || matches!(letter, ',' | ';' | ')' | ']');
    code.chars().all(closing) && comment.trim().is_empty()
}

pub(crate) fn long_functions(source: &Source) -> Vec<String> {
    let found = functions(&source.code).into_iter();
    let long = found.filter(|function| function.lines > FUNCTION_LINES_MAX);
    long.map(|f| format!("{}:{}: fn {} has {} lines", source.name, f.line, f.name, f.lines))
        .collect()
}

struct Function {
    name: String,
    line: usize,
    /// From the line with `fn` to the line of the closing brace, both counted.
    lines: usize,
}

/// Every function with a body, nested ones too.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (offset, _) in code.match_indices("fn ") {
        let before = code[..offset].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let rest = &code[offset + 3..];
        let name: String =
            rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        if name.is_empty() {
            // `fn (u8) -> u8`, a type.
            continue;
        }
        if let Some(end) = end_of_body(rest) {
            let lines = rest[..end].matches('\n').count() + 1;
            found.push(Function { name, line: line_of(code, offset), lines });
        }
    }
    found
}

/// Where the body behind a signature ends; none for a declaration without one. Braces inside
/// parentheses or brackets of the signature (a default constant, an array length) open no body.
fn end_of_body(rest: &str) -> Option<usize> {
    let (mut braces, mut nested) = (0_usize, 0_usize);
    for (offset, letter) in rest.char_indices() {
        match letter {
            '(' | '[' if braces == 0 => nested += 1,
            ')' | ']' if braces == 0 => nested = nested.saturating_sub(1),
            ';' if braces == 0 && nested == 0 => return None,
            '{' if nested == 0 => braces += 1,
            '}' if braces == 1 => return Some(offset),
            '}' if braces > 1 => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("src/a.rs", text)
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(long_files(&source(&"x\n".repeat(400))).is_empty());
        assert_eq!(long_files(&source(&"x\n".repeat(401))).len(), 1);
    }

    #[test]
    fn a_long_function_is_found_whatever_its_strings_say() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    a();\n".repeat(lines));
        assert!(long_functions(&source(&function(68))).is_empty());
        assert_eq!(long_functions(&source(&function(69))).len(), 1);
        let hidden = format!("fn f() {{\n let x = \"}}\"; // }}\n{}}}\n", "a();\n".repeat(69));
        assert_eq!(long_functions(&source(&hidden)).len(), 1);
        let open = format!("fn f() {{ let x = '{{'; }}\nfn g() {{\n{}}}\n", "a();\n".repeat(60));
        assert!(long_functions(&source(&open)).is_empty());
    }

    #[test]
    fn functions_are_measured_one_by_one() {
        let text = "trait T { fn a(&self); fn b() -> [u8; 3]; }\n\
                    fn c<F: Fn(u8)>(x: fn (u8)) -> u8\nwhere\n    F: Send,\n\
                    {\n    fn d() {}\n    1\n}\n";
        let found: Vec<_> =
            functions(&source(text).code).iter().map(|f| (f.name.clone(), f.lines)).collect();
        assert_eq!(found, [("c".to_owned(), 7), ("d".to_owned(), 1)]);
    }

    #[test]
    fn a_long_line_is_found() {
        let long = |line: String| !long_lines(&source(&line)).is_empty();
        assert!(!long("x".repeat(100)));
        assert!(long("x".repeat(101)));
        assert!(!long("ñ".repeat(100)));
        assert!(!long(format!("    \"{}\",", "x".repeat(110))));
        assert!(long(format!("    \"{}\",", "x".repeat(120))));
        assert!(long(format!("    call(\"{}\");", "x".repeat(100))));
        assert!(!long(format!("f(\"a \\\n {}\",\n);", "x".repeat(115))));
        assert!(long(format!("// \"{}\"", "x".repeat(100))));
    }
}
