//! What happens once in the life of an application, for those that wait for it.

use super::token::Token;

#[derive(Default)]
pub(crate) struct Milestones {
    /// The process-wide notice: shutdown has begun.
    pub(crate) draining: Token,
    /// Clients are asked to use another instance: the drain delay has begun, which a preStop hook does before the
    /// shutdown.
    pub(crate) leaving: Token,
    /// Everything is acquired: the body of `main` may run.
    pub(crate) run_main: Token,
    /// Every resource has had its turn.
    pub(crate) ended: Token,
    /// All notices are logged.
    pub(crate) spoken: Token,
    /// Logging is done or timed out: waiters may go.
    pub(crate) finished: Token,
    /// The process would have been ended by a signal.
    #[cfg(test)]
    pub(crate) exited: Token,
}
