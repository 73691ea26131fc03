//! What is allowed and probably not meant, in words: the log says it, and a plan shows it (rule S7).

use std::fmt;

use crate::engine::notice::Notice;
use crate::model::duration::Human;

/// A notice of the configuration in words. Other notices have none here.
pub(crate) struct Doubt<'a>(pub(crate) &'a Notice);

impl fmt::Display for Doubt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Notice::GraceTooShort { timeout, grace, platform } => write!(
                f,
                "shutdown_timeout is {}, but {platform} kills the process after {}: what is not released by then is lost; \
                 shorten the timeout or lengthen the grace period, and set LIFECYCLE_GRACE_PERIOD if it is not {}",
                Human(*timeout),
                Human(*grace),
                Human(*grace),
            ),
            Notice::UnknownVariable { name, likely: Some(likely), known: _ } => {
                write!(f, "{name} is not known, and changes nothing; did you mean {likely}?")
            }
            Notice::UnknownVariable { name, likely: None, known } => {
                write!(f, "{name} is not known, and changes nothing; there are {}", known.join(", "))
            }
            Notice::ReservesScaled { path, half } => write!(
                f,
                "the reserves on the longest path add up to {}, which is more than half of shutdown_timeout ({}): \
                 all reserves are scaled down to fit",
                Human(*path),
                Human(*half),
            ),
            Notice::DelayCapped { asked, given } => write!(
                f,
                "drain_delay is {}, but shutdown_timeout leaves room for only {}: the delay is shortened to that",
                Human(*asked),
                Human(*given),
            ),
            _ => Ok(()),
        }
    }
}
