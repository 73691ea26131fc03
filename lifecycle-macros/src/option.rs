//! The names of a macro's options, and which of them a misspelt name means.

use std::fmt::Display;

/// The names of the options of one macro.
///
/// [`option_names!`](crate::option::option_names) makes them an enum, so that a `match` over them has an arm for each.
pub(crate) trait OptionName: Copy + Display + PartialEq + 'static {
    /// All of them, in the order in which messages list them.
    const ALL: &'static [Self];
    /// The option whose value is one or more resources.
    const RESOURCES: Self;

    fn name(self) -> &'static str;

    /// The option as it is written in an attribute.
    fn example(self) -> &'static str;
}

/// Declares the option names of one macro: a variant, the name, and an example of its use.
macro_rules! option_names {
    (
        $(#[$attribute:meta])*
        enum $Names:ident, resources in $Resources:ident {
            $($Variant:ident = $name:literal, $example:literal;)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq)]
        pub(super) enum $Names {
            $($Variant,)*
        }

        impl $crate::option::OptionName for $Names {
            const ALL: &'static [Self] = &[$(Self::$Variant),*];
            const RESOURCES: Self = Self::$Resources;

            fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)*
                }
            }

            fn example(self) -> &'static str {
                match self {
                    $(Self::$Variant => $example,)*
                }
            }
        }

        impl ::std::fmt::Display for $Names {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($crate::option::OptionName::name(*self))
            }
        }
    };
}

pub(crate) use option_names;

/// The name that `written` most likely means, if one is close enough.
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = written.chars().count().max(3) / 3;
    names
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The edit distance: the number of insertions, deletions, replacements and swaps of neighbours between `a` and `b`.
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
