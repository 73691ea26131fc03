//! What the streams of an HTTP/2 connection do, as far as that limits how long the connection lasts.

use std::task::{Context, Waker};

/// The streams of one connection, which the ledger keeps.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Streams whose task has not ended: a handler works, its response is sent, or a tunnel is open.
    pub(super) open: usize,
    /// Those of them that go on only when the client has taken something.
    held_up: usize,
    /// Pieces of responses that the client has not taken.
    pub(super) pieces: usize,
    /// Counts what happens.
    steps: u64,
    /// Who limits the connection.
    waker: Option<Waker>,
}

/// What a connection of HTTP/2 is at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// There are no streams.
    Idle,
    /// A handler works for a stream.
    Works,
    /// Nothing goes on before the client takes something.
    HeldUp,
}

/// What the response of one stream waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// That its handler goes on.
    Handler,
    /// That the client takes some of what there is.
    Client,
    /// That the client takes the last piece.
    ItsEnd,
}

impl Streams {
    /// A response waits for something else.
    pub(super) fn change(&mut self, before: WaitsFor, after: WaitsFor) {
        self.count(before, |count| count - 1);
        self.count(after, |count| count + 1);
    }

    fn count(&mut self, waits: WaitsFor, change: fn(usize) -> usize) {
        match waits {
            WaitsFor::Handler => {}
            WaitsFor::Client => self.held_up = change(self.held_up),
            WaitsFor::ItsEnd => self.pieces = change(self.pieces),
        }
    }

    /// What the connection is at, and after how many steps. The task that asks is woken when that may have changed, and a
    /// limit begins. What a handler does has no limit.
    pub(super) fn ask(&mut self, cx: &Context<'_>) -> (Pace, u64) {
        // A task has one waker.
        self.waker.get_or_insert_with(|| cx.waker().clone());
        (self.pace(), self.steps)
    }

    /// Something happened. Returns the waker of who limits the connection if a limit begins with it.
    pub(super) fn step(&mut self, before: Pace) -> Option<Waker> {
        self.steps += 1;
        let pace = self.pace();
        let is_limit = pace != before && pace != Pace::Works;
        if is_limit { self.waker.take() } else { None }
    }

    pub(super) fn pace(&self) -> Pace {
        match self.held_up + self.pieces {
            0 if self.open == 0 => Pace::Idle,
            0 => Pace::Works,
            _ if self.open > self.held_up => Pace::Works,
            _ => Pace::HeldUp,
        }
    }
}
