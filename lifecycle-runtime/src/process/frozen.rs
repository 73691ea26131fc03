//! A process that was frozen (SIGSTOP, `docker pause`, a cgroup's freezer) learns it from the clock (rule D13): it finds
//! that far more time has passed than it wanted to sleep.

use std::time::Duration;

/// A thread that needs to know sleeps no longer than this.
pub(crate) const PULSE: Duration = Duration::from_millis(250);

/// A processor that is busy with others can make a thread late, too; not often as late as that, and then more time does
/// no harm.
const LATE: Duration = Duration::from_secs(1);

/// Whether the process was frozen, if it last looked at the clock that long ago.
pub(crate) fn was_frozen(since_last_look: Duration) -> bool {
    since_last_look > PULSE + LATE
}
