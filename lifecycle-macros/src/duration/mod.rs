//! `"1m 30s"` to a [`Duration`].

use std::fmt;
use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

/// From the longest to the shortest, with the milliseconds in each.
const UNITS: [(&str, u64); 5] = [("h", 3_600_000), ("m", 60_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a string is not a duration; displays as the text of the error.
#[derive(Debug, PartialEq)]
pub(crate) enum DurationError {
    /// Not of the accepted form at all.
    Form,
    /// `"30"`.
    NoUnit { number: u64 },
    /// `"30x"`.
    UnknownUnit { unit: String },
    /// `"1.5s"`.
    Fraction,
    /// `"30s 1m"`, `"1s 1s"`.
    Order { earlier: &'static str, later: &'static str },
    /// More than the milliseconds that fit into 64 bits.
    TooLong,
}

/// Reads one or more integers with units, each unit shorter than the one before.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let mut total = 0_u64;
    let mut shortest: Option<(&'static str, u64)> = None;
    if rest.is_empty() {
        return Err(DurationError::Form);
    }
    while !rest.is_empty() {
        let (number, after_number) = read_number(rest)?;
        let after_number = after_number.trim_start();
        let (unit, after_unit) = split(after_number, char::is_alphabetic);
        let unit = find_unit(number, unit, after_unit)?;
        if let Some((earlier, milliseconds)) = shortest {
            if unit.1 >= milliseconds {
                return Err(DurationError::Order { earlier, later: unit.0 });
            }
        }
        let milliseconds = number.checked_mul(unit.1).ok_or(DurationError::TooLong)?;
        total = total.checked_add(milliseconds).ok_or(DurationError::TooLong)?;
        shortest = Some(unit);
        rest = after_unit.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// The expression whose value is `duration`.
pub(crate) fn literal(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanoseconds))
}

fn read_number(text: &str) -> Result<(u64, &str), DurationError> {
    let (digits, rest) = split(text, |c| c.is_ascii_digit());
    if rest.starts_with(['.', ',']) {
        return Err(DurationError::Fraction);
    }
    if digits.is_empty() {
        return Err(DurationError::Form);
    }
    let number = digits.parse().map_err(|_| DurationError::TooLong)?;
    Ok((number, rest))
}

fn find_unit(number: u64, unit: &str, rest: &str) -> Result<(&'static str, u64), DurationError> {
    if unit.is_empty() {
        return Err(if rest.is_empty() { DurationError::NoUnit { number } } else { DurationError::Form });
    }
    let known = UNITS.into_iter().find(|(name, _)| *name == unit);
    known.ok_or_else(|| DurationError::UnknownUnit { unit: unit.to_owned() })
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a duration such as \"250ms\", \"30s\" or \"1m 30s\"")?;
        match self {
            Self::Form => Ok(()),
            Self::NoUnit { number } => write!(f, "; write the unit: \"{number}s\""),
            Self::UnknownUnit { unit } => {
                write!(f, "; `{unit}` is not a unit, the units are `ms`, `s`, `m` and `h`")
            }
            Self::Fraction => f.write_str("; use a smaller unit in place of a fraction"),
            Self::Order { earlier, later } if earlier == later => {
                write!(f, "; `{later}` is given twice: add the two numbers")
            }
            Self::Order { earlier, later } => write!(f, "; write `{later}` before `{earlier}`"),
            Self::TooLong => f.write_str("; this one is too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DurationError, parse};

    #[track_caller]
    fn check(text: &str, expected: Result<u64, DurationError>) {
        assert_eq!(parse(text), expected.map(Duration::from_millis), "{text:?}");
    }

    #[test]
    fn one_unit() {
        check("250ms", Ok(250));
        check("30s", Ok(30_000));
        check("2m", Ok(120_000));
        check("2min", Ok(120_000));
        check("1h", Ok(3_600_000));
        check("0s", Ok(0));
        check("0030s", Ok(30_000));
    }

    #[test]
    fn several_units_from_long_to_short() {
        check("1m 30s", Ok(90_000));
        check("1m30s", Ok(90_000));
        check("1h 1m 1s 1ms", Ok(3_661_001));
        check("90s 500ms", Ok(90_500));
    }

    #[test]
    fn spaces_do_not_matter() {
        check("  30 s  ", Ok(30_000));
        check("1m \t 30 s", Ok(90_000));
    }

    #[test]
    fn a_unit_is_needed() {
        check("30", Err(DurationError::NoUnit { number: 30 }));
        check("1m 30", Err(DurationError::NoUnit { number: 30 }));
        check("0", Err(DurationError::NoUnit { number: 0 }));
    }

    #[test]
    fn units_are_few_and_lower_case() {
        let unknown = |unit: &str| Err(DurationError::UnknownUnit { unit: unit.into() });
        check("3d", unknown("d"));
        check("3S", unknown("S"));
        check("3 seconds", unknown("seconds"));
        check("3µs", unknown("µs"));
    }

    #[test]
    fn units_descend() {
        check("30s 1m", Err(DurationError::Order { earlier: "s", later: "m" }));
        check("1s 1s", Err(DurationError::Order { earlier: "s", later: "s" }));
        check("1m 1min", Err(DurationError::Order { earlier: "m", later: "min" }));
    }

    #[test]
    fn fractions_are_refused() {
        check("1.5s", Err(DurationError::Fraction));
        check("1,5s", Err(DurationError::Fraction));
        check(".5s", Err(DurationError::Fraction));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "  ", "s", "-1s", "+1s", "30s!", "soon", "1_000s", "30;s", "٣s"] {
            check(text, Err(DurationError::Form));
        }
    }

    #[test]
    fn overflow_is_an_error() {
        check("18446744073709551615ms", Ok(u64::MAX));
        check("18446744073709551616ms", Err(DurationError::TooLong));
        check("18446744073709551615h", Err(DurationError::TooLong));
        check("18446744073709551s 616ms", Err(DurationError::TooLong));
    }

    #[test]
    fn errors_say_what_to_write() {
        let message = |text| parse(text).unwrap_err().to_string();
        assert!(message("soon").ends_with("such as \"250ms\", \"30s\" or \"1m 30s\""));
        assert!(message("30").ends_with("write the unit: \"30s\""));
        assert!(message("30s 1m").ends_with("write `m` before `s`"));
        assert!(message("1s 1s").ends_with("`s` is given twice: add the two numbers"));
    }
}
