//! Spans of time, as systemd, Compose, HAProxy, PM2 and Kubernetes write them.

use std::time::Duration;

/// The unit of a number that has none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

/// `None` for what is not a span, and for no limit (`infinity`).
pub(super) fn parse(text: &str, default: Unit) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut nanos = 0.0;
    while !rest.is_empty() {
        let number = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(number);
        let behind = behind.trim_start();
        let letters = behind.find(|it: char| !it.is_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(letters);
        nanos += digits.parse::<f64>().ok()? * nanos_of(unit, default)?;
        rest = next.trim_start();
    }
    let is_sane = (0.0..1e18).contains(&nanos);
    is_sane.then(|| Duration::from_secs_f64(nanos / 1e9))
}

fn nanos_of(unit: &str, default: Unit) -> Option<f64> {
    let seconds = match unit {
        "" => match default {
            Unit::Seconds => 1.0,
            Unit::Milliseconds => 1e-3,
        },
        "ns" | "nsec" => 1e-9,
        "us" | "µs" | "usec" => 1e-6,
        "ms" | "msec" => 1e-3,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    };
    Some(seconds * 1e9)
}

/// A span as the variables of the application take it.
pub(super) fn spelled(span: Duration) -> String {
    if span.subsec_millis() == 0 { format!("{}s", span.as_secs()) } else { format!("{}ms", span.as_millis()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_spelling() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(parse(text, Unit::Seconds), millis.map(Duration::from_millis), "{text:?}");
        };
        check("90", Some(90_000));
        check(" 1min 30s ", Some(90_000));
        check("1m30s", Some(90_000));
        check("1.5s", Some(1_500));
        check("500 ms", Some(500));
        check("2hr", Some(7_200_000));
        check("0", Some(0));
        check("infinity", None);
        check("soon", None);
        check("10x", None);
        check("", None);
        check("99999999999999999999999", None);
        assert_eq!(parse("1600", Unit::Milliseconds), Some(Duration::from_millis(1_600)));
    }
}
