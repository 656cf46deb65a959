//! What two texts have different, line by line, as people know it from other tools.

use std::fmt::Write as _;

use crate::base::limits;

/// Lines around a change that are shown with it.
const AROUND: usize = 3;

/// One line of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The difference of two texts under their names; empty where there is none.
pub(super) fn difference(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let lines = compared(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let is_same = |line: &Line<'_>| matches!(line, Line::Same(_));
    let shown: Vec<bool> = (0..lines.len())
        .map(|at| {
            let around = at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len());
            lines.get(around).is_some_and(|some| !some.iter().all(is_same))
        })
        .collect();
    let mut text = format!("--- {name} (in force)\n+++ {name} (file)\n");
    let (mut one, mut other, mut before) = (1, 1, false);
    for (line, shown) in lines.iter().zip(shown) {
        if shown && !before {
            // A string takes everything.
            let _ = writeln!(text, "@@ line {one}, in the file line {other} @@");
        }
        before = shown;
        let (mark, words) = match line {
            Line::Same(words) => (' ', words),
            Line::Gone(words) => ('-', words),
            Line::New(words) => ('+', words),
        };
        one += usize::from(mark != '+');
        other += usize::from(mark != '-');
        if shown {
            text.push(mark);
            text += words;
            text.push('\n');
        }
    }
    text
}

/// Both texts as one, by the longest common sequence of lines. Where the texts are too long for
/// that all that lies between their common ends is told as replaced.
fn compared<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let pairs = || old.iter().zip(new);
    let begins = pairs().take_while(|(one, other)| one == other).count();
    let left = old.len().min(new.len()) - begins;
    let backwards = old.iter().rev().zip(new.iter().rev());
    let ends = backwards.take(left).take_while(|(one, other)| one == other).count();
    let middle = |all: &[&'a str]| -> Vec<&'a str> {
        all.get(begins..all.len() - ends).unwrap_or_default().to_vec()
    };
    let same = |some: Option<&[&'a str]>| -> Vec<Line<'a>> {
        some.unwrap_or_default().iter().map(|line| Line::Same(line)).collect()
    };
    let mut lines = same(old.get(..begins));
    lines.extend(replaced(&middle(old), &middle(new)));
    lines.extend(same(old.get(old.len() - ends..)));
    lines
}

fn replaced<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > limits::DIFF_CELLS_MAX {
        let gone = old.iter().map(|line| Line::Gone(line));
        return gone.chain(new.iter().map(|line| Line::New(line))).collect();
    }
    // At [i, j]: how many lines of what is left behind both places are common.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let read = |common: &[u32], i: usize, j: usize| common.get(at(i, j)).copied().unwrap_or(0);
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let longest = if one == other {
                read(&common, i + 1, j + 1) + 1
            } else {
                read(&common, i + 1, j).max(read(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(at(i, j)) {
                *cell = longest;
            }
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::with_capacity(old.len() + new.len()));
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                lines.push(Line::Same(one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other)
                if other.is_none() || read(&common, i + 1, j) >= read(&common, i, j + 1) =>
            {
                lines.push(Line::Gone(one));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(Line::New(other));
                j += 1;
            }
            _ => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(difference("a", "x\ny\n", "x\ny\n"), "");
    }

    #[test]
    fn changes_are_told_with_what_is_around_them() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n";
        let told = difference("r.toml", old, new);
        let want = "--- r.toml (in force)\n+++ r.toml (file)\n@@ line 2, in the file line 2 @@\n \
                    2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n+10\n";
        assert_eq!(told, want);
    }

    #[test]
    fn any_comparison_makes_both_texts() {
        let texts = ["", "a", "a\nb", "b\na", "a\nc\nb\nc", "c\nc\nc", "x\na\nb\ny"];
        for old in texts {
            for new in texts {
                let lines =
                    compared(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
                let of = |gone: bool| -> Vec<&str> {
                    let word = |line: &Line<'static>| match line {
                        Line::Same(text) => Some(*text),
                        Line::Gone(text) => gone.then_some(*text),
                        Line::New(text) => (!gone).then_some(*text),
                    };
                    lines.iter().filter_map(word).collect()
                };
                assert_eq!(of(true), old.lines().collect::<Vec<_>>(), "{old:?} {new:?}");
                assert_eq!(of(false), new.lines().collect::<Vec<_>>(), "{old:?} {new:?}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_told_as_replaced() {
        let (old, new) = ("a\n".repeat(3_000), "b\n".repeat(3_000));
        let told = difference("x", &old, &new);
        assert_eq!(told.lines().filter(|line| line.starts_with("-a")).count(), 3_000);
        assert_eq!(told.lines().filter(|line| line.starts_with("+b")).count(), 3_000);
    }
}
