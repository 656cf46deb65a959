//! The name that was probably meant.

/// The nearest of `names`, if it is near enough to be worth saying: one slip in a short word, a
/// third of the letters in a long one.
pub(super) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let reach = (wrong.chars().count() / 3).clamp(1, 4);
    let near = names.into_iter().map(|name| (distance(wrong, name), name));
    near.filter(|(steps, _)| *steps <= reach).min_by_key(|(steps, _)| *steps).map(|(_, name)| name)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    // Far longer names are not near, and would cost their product.
    if a.len().abs_diff(b.len()) > 4 {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&last, j + 1) + 1)
                .min(cell(&row, j) + 1)
                .min(cell(&last, j) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(cell(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let names = ["key", "ttl", "type", "match", "stale_if_error", "origin"];
        let near = |wrong: &str| nearest(wrong, names);
        assert_eq!(near("tll"), Some("ttl"));
        assert_eq!(near("mtach"), Some("match"));
        assert_eq!(near("Match"), Some("match"));
        assert_eq!(near("stale_on_error"), Some("stale_if_error"));
        assert_eq!(near("orign"), Some("origin"));
        assert_eq!(near("refresh"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"x".repeat(100_000)), None);
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
