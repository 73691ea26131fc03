//! The names of the options, and which of them a misspelt one was meant to be.

use std::fmt;

/// The name of an option, together with an example of its use.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Symbol {
    name: &'static str,
    example: &'static str,
}

macro_rules! symbols {
    ($($constant:ident = $name:literal, $example:literal;)*) => {
        $(pub(crate) const $constant: Symbol = Symbol { name: $name, example: $example };)*
    };
}

symbols! {
    ACQUIRE_TIMEOUT = "acquire_timeout", "acquire_timeout = \"10s\"";
    AFTER = "after", "after = Db";
    CRATE = "crate", "crate = path::to::lifecycle";
    DRAIN_DELAY = "drain_delay", "drain_delay = \"5s\"";
    DRAIN_TIMEOUT = "drain_timeout", "drain_timeout = \"15s\"";
    FLAVOR = "flavor", "flavor = \"multi_thread\"";
    FOUNDATION = "foundation", "foundation";
    NAME = "name", "name = \"db\"";
    OPTIONAL = "optional", "optional";
    PRESTOP = "prestop", "prestop";
    PROBE = "probe", "probe = \"0.0.0.0:8081\"";
    RESERVE = "reserve", "reserve = \"2s\"";
    RESOURCES = "resources", "resources = [Http, Metrics]";
    SHUTDOWN_TIMEOUT = "shutdown_timeout", "shutdown_timeout = \"30s\"";
    STARTUP_TIMEOUT = "startup_timeout", "startup_timeout = \"60s\"";
    WORKER_THREADS = "worker_threads", "worker_threads = 4";
}

impl Symbol {
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// The option as it is written in an attribute.
    pub(crate) fn example(self) -> &'static str {
        self.example
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The name that `written` was most likely meant to be, if one is near enough.
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = written.chars().count().max(3) / 3;
    names
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The edit distance: how many insertions, removals, replacements and swaps of neighbours lead from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if is_swap {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_single_edits() {
        let cases =
            [("", "", 0), ("after", "after", 0), ("aftr", "after", 1), ("", "abc", 3), ("abc", "", 3)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn swapped_neighbours_are_one_edit() {
        assert_eq!(distance("atfer", "after"), 1);
        assert_eq!(distance("nmae", "name"), 1);
    }

    #[test]
    fn nearest_is_within_a_third() {
        let names = ["after", "name", "reserve", "acquire_timeout"];
        let cases = [
            ("aftr", Some("after")),
            ("Name", Some("name")),
            ("aquire_timeot", Some("acquire_timeout")),
            ("before", None),
            ("x", None),
            ("", None),
        ];
        for (written, expected) in cases {
            assert_eq!(nearest(written, names), expected, "{written}");
        }
    }

    #[test]
    fn nearest_counts_characters_and_not_bytes() {
        assert_eq!(nearest("äfter", ["after"]), Some("after"));
    }
}
