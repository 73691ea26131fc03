//! Durations: read from the environment, and written for people.

use std::fmt;
use std::time::Duration;

mod grammar;

pub(crate) use self::grammar::{DurationError, parse};

/// A duration for people, with two or three significant digits.
pub(crate) struct Human(pub(crate) Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let text = if self.0.is_zero() {
            "0 ms".to_owned()
        } else if seconds < 0.001 {
            format!("{:.0} µs", seconds * 1e6)
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
