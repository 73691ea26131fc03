//! Two lists of lines, and how they differ.

use std::fmt::Write;

/// The lines of both lists in order: `-` before what is expected and missing, `+` before what is there and not expected.
pub(super) fn difference(expected: &[String], actual: &[String]) -> String {
    // The length of the longest common part of what is left of both from here on.
    let mut common = vec![vec![0_usize; actual.len() + 1]; expected.len() + 1];
    for e in (0..expected.len()).rev() {
        for a in (0..actual.len()).rev() {
            common[e][a] = if expected[e] == actual[a] {
                common[e + 1][a + 1] + 1
            } else {
                common[e + 1][a].max(common[e][a + 1])
            };
        }
    }
    let (mut e, mut a, mut text) = (0, 0, String::new());
    while e < expected.len() || a < actual.len() {
        let is_in = |list: &[String], at: usize| at < list.len();
        if is_in(expected, e) && is_in(actual, a) && expected[e] == actual[a] {
            let _ = writeln!(text, "    {}", expected[e]);
            (e, a) = (e + 1, a + 1);
        } else if is_in(expected, e) && (!is_in(actual, a) || common[e + 1][a] >= common[e][a + 1]) {
            let _ = writeln!(text, "  - {}", expected[e]);
            e += 1;
        } else {
            let _ = writeln!(text, "  + {}", actual[a]);
            a += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(expected: &str, actual: &str, shown: &str) {
        let text = difference(&lines(expected), &lines(actual));
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), shown);
    }

    #[test]
    fn what_differs_is_marked_where_it_is() {
        check("a b c", "a b c", "a b c");
        check("a b c", "a c", "a - b c");
        check("a c", "a b c", "a + b c");
        check("a b c", "a x c", "a - b + x c");
        check("", "a", "+ a");
        check("a", "", "- a");
        check("a b", "b a", "- a b + a");
    }
}
