//! Durations: read from the environment, and written for people.

use std::fmt;
use std::time::Duration;

/// A duration for people, with two or three significant digits.
pub(crate) struct Human(pub(crate) Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let text = if self.0.is_zero() {
            "0 ms".to_owned()
        } else if seconds < 0.010 {
            format!("{:.1} ms", seconds * 1e3)
        } else if seconds < 1.0 {
            format!("{:.0} ms", seconds * 1e3)
        } else if seconds < 60.0 {
            format!("{seconds:.1} s")
        } else if seconds < 3600.0 {
            format!("{} min {} s", self.0.as_secs() / 60, self.0.as_secs() % 60)
        } else {
            format!("{} h {} min", self.0.as_secs() / 3600, self.0.as_secs() % 3600 / 60)
        };
        f.pad(&text)
    }
}

/// The form of a duration, for error messages.
pub(crate) const ACCEPTED: &str = "a duration is written like \"250ms\", \"30s\" or \"1m 30s\"";

/// The units of a duration, the longest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads "1m 30s". The same form as in the attributes, where the macro reads it.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("is empty");
    }
    let mut millis: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err("is no duration");
        }
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err("has a number without a unit");
        }
        let Some((_, factor)) = units.find(|(name, _)| *name == unit) else {
            return Err("has an unknown or misplaced unit");
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        millis = part.and_then(|part| millis.checked_add(part)).ok_or("is too long")?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<u64, &str>) {
        assert_eq!(parse(text), expected.map(Duration::from_millis), "{text:?}");
    }

    #[test]
    fn durations() {
        check("250ms", Ok(250));
        check("30s", Ok(30_000));
        check("1m 30s", Ok(90_000));
        check(" 1h2m3s4ms ", Ok(3_723_004));
        check("0s", Ok(0));
        check("", Err("is empty"));
        check("30", Err("has a number without a unit"));
        check("s", Err("is no duration"));
        check("-1s", Err("is no duration"));
        check("1.5s", Err("has a number without a unit"));
        check("30sec", Err("has an unknown or misplaced unit"));
        check("30s 1m", Err("has an unknown or misplaced unit"));
        check("1s 1s", Err("has an unknown or misplaced unit"));
        check("99999999999999999999s", Err("is too long"));
        check("18446744073709551615s", Err("is too long"));
    }
}
