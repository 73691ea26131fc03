//! What happens once in the life of an application, for those that wait for it.

use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct Milestones {
    /// The process-wide notice: shutdown has begun.
    pub(crate) draining: CancellationToken,
    /// Everything is acquired: the body of `main` may run.
    pub(crate) run_main: CancellationToken,
    /// Every resource has had its turn.
    pub(crate) ended: CancellationToken,
    /// All notices are logged.
    pub(crate) spoken: CancellationToken,
    /// Logging is done or timed out: waiters may go.
    pub(crate) finished: CancellationToken,
    /// The process would have been ended by a signal.
    #[cfg(test)]
    pub(crate) exited: CancellationToken,
}
