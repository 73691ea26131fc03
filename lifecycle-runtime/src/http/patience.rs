//! How long a peer may take nothing of what is written to it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// What a connection waits for when it writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// That the peer takes something more.
    Bytes,
    /// That the peer has taken everything, as far as can be known.
    Rest,
}

/// The patience with the peer of one connection.
pub(super) struct Patience {
    limit: Option<Duration>,
    /// What is waited for, since the timer was set.
    waiting: Option<Writing>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, waiting: None, timer: None }
    }

    /// The peer has got on. To flush what is empty is no progress if bytes are waited for.
    pub(super) fn renew(&mut self, done: Writing) {
        if done == Writing::Bytes || self.waiting == Some(done) {
            self.waiting = None;
        }
    }

    /// Ready when the peer has taken nothing for too long.
    pub(super) fn poll_end(&mut self, waiting: Writing, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        if self.waiting.is_none() {
            self.waiting = Some(waiting);
            let now = Instant::now();
            let Some(end) = now.checked_add(limit) else { return Poll::Pending };
            timer.as_mut().reset(end);
        }
        timer.as_mut().poll(cx)
    }
}
