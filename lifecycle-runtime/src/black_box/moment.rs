//! Where an application stood at a moment of the calendar.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::engine::notice::Killing;
use crate::engine::standing::Standing;

pub(super) struct Moment {
    pub(super) standing: Standing,
    /// When that was, counted from the start of the application.
    pub(super) now: Duration,
    /// The same, counted from the beginning of 1970.
    pub(super) at: Duration,
    /// The process is ended now, from outside of the application.
    pub(super) forced: Option<Forced>,
}

/// The end of a process that does not end by itself.
pub(super) struct Forced {
    pub(super) why: Killing,
    /// The exit code, and what had gone wrong.
    pub(super) trouble: Option<String>,
}

impl Moment {
    pub(super) fn new(now: Duration, standing: Standing, forced: Option<Forced>) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { standing, now, at, forced }
    }
}
