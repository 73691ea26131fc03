//! Reads a duration: `"250ms"`, `"1.5s"`, `"1m 30s"`.
//!
//! A duration is one or more numbers, each with a unit, from the longest unit to the shortest. The units are `h`, `m` or
//! `min`, `s` and `ms`. The last number may have decimal places, down to the nanosecond. White space between numbers and
//! units does not matter.
//!
//! The macros read the durations of attributes, the runtime those of environment variables. A macro crate cannot export
//! functions, so each has a copy of this file; a test keeps the copies equal.

use std::fmt;
use std::time::Duration;

/// From the longest to the shortest, with the nanoseconds in each.
const UNITS: [(&str, u64); 5] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// More than half a billion years: still far from what overflows a point in time.
const LONGEST: u128 = u64::MAX as u128 * 1_000_000;

/// Why a text is not a duration. It displays as a message that says what to write instead.
#[derive(Debug, PartialEq)]
pub(crate) enum DurationError {
    /// `"soon"`: not numbers with units.
    Form,
    /// `"30"`.
    NoUnit { number: String },
    /// `"30x"`.
    UnknownUnit { unit: String },
    /// `"30s 1m"`, `"1s 1s"`.
    Order { earlier: &'static str, later: &'static str },
    /// `".5s"`, `"1.s"`.
    BarePoint,
    /// `"1,5s"`.
    DecimalComma,
    /// `"1.5m 30s"`.
    FractionNotLast,
    /// `"0.0000000001s"`.
    TooFine,
    /// `"1m, 30s"`.
    Comma,
    /// More milliseconds than fit in 64 bits.
    TooLong,
}

pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let mut total = 0_u128;
    let mut previous: Option<(Unit, Number<'_>)> = None;
    if rest.is_empty() {
        return Err(DurationError::Form);
    }
    while !rest.is_empty() {
        let (number, after_number) = Number::take(rest)?;
        let (unit, after_unit) = Unit::take(&number, after_number.trim_start())?;
        if let Some((earlier, previous)) = previous {
            if unit.nanos >= earlier.nanos {
                return Err(DurationError::Order { earlier: earlier.name, later: unit.name });
            }
            if !previous.decimals.is_empty() {
                return Err(DurationError::FractionNotLast);
            }
        }
        total += number.times(unit.nanos)?;
        previous = Some((unit, number));
        rest = after_unit.trim_start();
    }
    if total > LONGEST {
        return Err(DurationError::TooLong);
    }
    let seconds = u64::try_from(total / NANOS_PER_SEC).map_err(|_| DurationError::TooLong)?;
    let nanos = u32::try_from(total % NANOS_PER_SEC).map_err(|_| DurationError::TooLong)?;
    Ok(Duration::new(seconds, nanos))
}

/// Digits, and the decimal places after them.
struct Number<'t> {
    text: &'t str,
    integer: u64,
    decimals: &'t str,
}

impl<'t> Number<'t> {
    fn take(text: &'t str) -> Result<(Self, &'t str), DurationError> {
        let (digits, mut rest) = split(text, |c| c.is_ascii_digit());
        let mut decimals = "";
        if let Some(after_point) = rest.strip_prefix('.') {
            (decimals, rest) = split(after_point, |c| c.is_ascii_digit());
            if digits.is_empty() || decimals.is_empty() {
                return Err(DurationError::BarePoint);
            }
        }
        if digits.is_empty() {
            return Err(if rest.starts_with(',') { DurationError::Comma } else { DurationError::Form });
        }
        if rest.strip_prefix(',').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(DurationError::DecimalComma);
        }
        let integer = digits.parse().map_err(|_| DurationError::TooLong)?;
        let text = &text[..text.len() - rest.len()];
        Ok((Self { text, integer, decimals: decimals.trim_end_matches('0') }, rest))
    }

    /// The product, if it is a whole number.
    fn times(&self, nanos: u64) -> Result<u128, DurationError> {
        let whole = u128::from(self.integer) * u128::from(nanos);
        if self.decimals.is_empty() {
            return Ok(whole);
        }
        // In integers: a floating-point product would not be exact.
        let decimals: u64 = self.decimals.parse().map_err(|_| DurationError::TooFine)?;
        let places = u32::try_from(self.decimals.len()).map_err(|_| DurationError::TooFine)?;
        let scale = 10_u128.checked_pow(places).ok_or(DurationError::TooFine)?;
        let scaled = u128::from(decimals) * u128::from(nanos);
        if scaled % scale == 0 { Ok(whole + scaled / scale) } else { Err(DurationError::TooFine) }
    }
}

struct Unit {
    name: &'static str,
    nanos: u64,
}

impl Unit {
    fn take<'t>(number: &Number<'_>, text: &'t str) -> Result<(Self, &'t str), DurationError> {
        let (written, rest) = split(text, char::is_alphabetic);
        if written.is_empty() {
            let number = number.text.to_owned();
            return Err(if rest.is_empty() { DurationError::NoUnit { number } } else { DurationError::Form });
        }
        let known = UNITS.into_iter().find(|(name, _)| *name == written);
        let (name, nanos) = known.ok_or_else(|| DurationError::UnknownUnit { unit: written.to_owned() })?;
        Ok((Self { name, nanos }, rest))
    }
}

/// The longest start of `text` whose characters all belong to it, and the rest.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a duration such as \"250ms\", \"1.5s\" or \"1m 30s\"")?;
        match self {
            Self::Form => Ok(()),
            Self::NoUnit { number } => write!(f, "; write the unit: \"{number}s\""),
            Self::UnknownUnit { unit } => {
                write!(f, "; `{unit}` is not a unit, the units are `h`, `m` (or `min`), `s` and `ms`")
            }
            Self::Order { earlier, later } if earlier == later => {
                write!(f, "; `{later}` is given twice: add the two numbers")
            }
            Self::Order { earlier: "m", later: "min" } | Self::Order { earlier: "min", later: "m" } => {
                f.write_str("; `min` means `m`: add the two numbers")
            }
            Self::Order { earlier, later } => write!(f, "; write `{later}` before `{earlier}`"),
            Self::BarePoint => f.write_str("; write a digit on both sides of the decimal point"),
            Self::DecimalComma => f.write_str("; write the decimal point as `.`"),
            Self::FractionNotLast => f.write_str("; only the last number may have decimal places"),
            Self::TooFine => f.write_str("; this one is not a whole number of nanoseconds"),
            Self::Comma => f.write_str("; separate the parts with a space, not with a comma"),
            Self::TooLong => f.write_str("; this one is too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::DurationError::{
        BarePoint, Comma, DecimalComma, Form, FractionNotLast, NoUnit, Order, TooFine, TooLong, UnknownUnit,
    };
    use super::{DurationError, parse};

    /// With the seconds and the nanoseconds of each.
    const ACCEPTED: [(&str, u64, u32); 31] = [
        // One unit.
        ("0s", 0, 0),
        ("250ms", 0, 250_000_000),
        ("30s", 30, 0),
        ("2m", 120, 0),
        ("2min", 120, 0),
        ("1h", 3_600, 0),
        ("0030s", 30, 0),
        // Several units, from the longest to the shortest.
        ("1m 30s", 90, 0),
        ("1m30s", 90, 0),
        ("1min 30s", 90, 0),
        ("1h 1m 1s 1ms", 3_661, 1_000_000),
        ("1h 1ms", 3_600, 1_000_000),
        ("90s 500ms", 90, 500_000_000),
        ("0m 0s", 0, 0),
        // White space.
        ("  30 s  ", 30, 0),
        ("1m \t 30 s", 90, 0),
        // Decimal places of the last number, exact to the nanosecond.
        ("1.5s", 1, 500_000_000),
        ("1.50s", 1, 500_000_000),
        ("1.0s", 1, 0),
        ("0.1s", 0, 100_000_000),
        ("0.3s", 0, 300_000_000),
        ("1.5ms", 0, 1_500_000),
        ("0.000000001s", 0, 1),
        ("0.000001ms", 0, 1),
        ("0.5min", 30, 0),
        ("1.25h", 4_500, 0),
        ("0.0001220703125h", 0, 439_453_125),
        ("1m 1.5s", 61, 500_000_000),
        ("1s 0.5ms", 1, 500_000),
        // The longest.
        ("18446744073709551615ms", 18_446_744_073_709_551, 615_000_000),
        ("18446744073709551.615s", 18_446_744_073_709_551, 615_000_000),
    ];

    const FORM: &str = "expected a duration such as \"250ms\", \"1.5s\" or \"1m 30s\"";

    /// With the error, and the message of each after [`FORM`].
    fn refused() -> Vec<(&'static str, DurationError, &'static str)> {
        let no_unit = |number: &str| NoUnit { number: number.to_owned() };
        let unknown = |unit: &str| UnknownUnit { unit: unit.to_owned() };
        vec![
            ("", Form, ""),
            ("  ", Form, ""),
            ("s", Form, ""),
            ("-1s", Form, ""),
            ("+1s", Form, ""),
            ("30s!", Form, ""),
            ("30;s", Form, ""),
            ("soon", Form, ""),
            ("1_000s", Form, ""),
            ("1.5.5s", Form, ""),
            ("٣s", Form, ""),
            ("30", no_unit("30"), "; write the unit: \"30s\""),
            ("0", no_unit("0"), "; write the unit: \"0s\""),
            ("1.5", no_unit("1.5"), "; write the unit: \"1.5s\""),
            ("1m 30", no_unit("30"), "; write the unit: \"30s\""),
            ("3d", unknown("d"), "; `d` is not a unit, the units are `h`, `m` (or `min`), `s` and `ms`"),
            ("3S", unknown("S"), "; `S` is not a unit, the units are `h`, `m` (or `min`), `s` and `ms`"),
            (
                "3 sec",
                unknown("sec"),
                "; `sec` is not a unit, the units are `h`, `m` (or `min`), `s` and `ms`",
            ),
            ("3µs", unknown("µs"), "; `µs` is not a unit, the units are `h`, `m` (or `min`), `s` and `ms`"),
            ("30s 1m", Order { earlier: "s", later: "m" }, "; write `m` before `s`"),
            ("1s 1s", Order { earlier: "s", later: "s" }, "; `s` is given twice: add the two numbers"),
            ("1m 1min", Order { earlier: "m", later: "min" }, "; `min` means `m`: add the two numbers"),
            (".5s", BarePoint, "; write a digit on both sides of the decimal point"),
            ("1.s", BarePoint, "; write a digit on both sides of the decimal point"),
            (".s", BarePoint, "; write a digit on both sides of the decimal point"),
            ("1,5s", DecimalComma, "; write the decimal point as `.`"),
            ("1.5m 30s", FractionNotLast, "; only the last number may have decimal places"),
            ("0.0000000001s", TooFine, "; this one is not a whole number of nanoseconds"),
            ("0.33333333333333333333h", TooFine, "; this one is not a whole number of nanoseconds"),
            (
                "0.00000000000000000000000000000000000000001h",
                TooFine,
                "; this one is not a whole number of nanoseconds",
            ),
            ("1m, 30s", Comma, "; separate the parts with a space, not with a comma"),
            ("18446744073709551616ms", TooLong, "; this one is too long"),
            ("18446744073709551615h", TooLong, "; this one is too long"),
            ("18446744073709551s 616ms", TooLong, "; this one is too long"),
            ("18446744073709551.6151s", TooLong, "; this one is too long"),
            ("99999999999999999999s", TooLong, "; this one is too long"),
        ]
    }

    #[test]
    fn durations_are_exact() {
        for (text, seconds, nanos) in ACCEPTED {
            assert_eq!(parse(text), Ok(Duration::new(seconds, nanos)), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_advice() {
        for (text, error, advice) in refused() {
            assert_eq!(parse(text), Err(error), "{text:?}");
            assert_eq!(parse(text).unwrap_err().to_string(), format!("{FORM}{advice}"), "{text:?}");
        }
    }
}
