//! What the streams of an HTTP/2 connection do, as far as that limits how long the connection lasts.

use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use crate::driver::lock;

/// The streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Streams whose task has not ended: a handler works, its response is sent, or a tunnel is open.
    open: usize,
    /// Those of them that go on only when the client has taken something.
    held_up: usize,
    /// Pieces of responses that the client has not taken.
    pieces: usize,
    /// Counts what happens.
    steps: u64,
    /// Who limits the connection.
    waker: Option<Waker>,
    /// It is not about to ask for the pace by itself.
    is_to_be_woken: bool,
}

/// What a connection of HTTP/2 is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// There are no streams.
    Idle,
    /// A handler works for a stream.
    Works,
    /// Nothing goes on before the client takes something.
    HeldUp,
}

impl Streams {
    /// Who asks for the pace is about to ask again: nobody need be woken until then.
    pub(super) fn will_be_asked(&self) {
        lock(&self.0).is_to_be_woken = false;
    }

    /// What it is at, and after how many steps. Who asks is woken when that may have changed, and a limit begins. What a
    /// handler does has no limit.
    pub(super) fn pace(&self, cx: &Context<'_>) -> (Pace, u64) {
        let mut state = lock(&self.0);
        state.is_to_be_woken = true;
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
        (state.pace(), state.steps)
    }

    /// The task of a stream begins.
    pub(super) fn begin(self: &Arc<Self>) -> Step {
        Step::new(self, |state| &mut state.open)
    }

    /// A response waits until the client takes more of it.
    pub(super) fn hold_up(self: &Arc<Self>) -> Step {
        Step::new(self, |state| &mut state.held_up)
    }

    /// A piece of a response is handed on.
    pub(super) fn piece(self: &Arc<Self>) -> Step {
        Step::new(self, |state| &mut state.pieces)
    }

    fn step(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = lock(&self.0);
            let before = state.pace();
            change(&mut state);
            state.steps += 1;
            let pace = state.pace();
            let is_limit = pace != before && pace != Pace::Works;
            if is_limit && state.is_to_be_woken { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    fn pace(&self) -> Pace {
        match self.held_up + self.pieces {
            0 if self.open == 0 => Pace::Idle,
            0 => Pace::Works,
            _ if self.open > self.held_up => Pace::Works,
            _ => Pace::HeldUp,
        }
    }
}

/// Something of a stream that is counted for as long as it lives.
#[derive(Debug)]
pub(super) struct Step {
    streams: Arc<Streams>,
    counted: fn(&mut State) -> &mut usize,
}

impl Step {
    fn new(streams: &Arc<Streams>, counted: fn(&mut State) -> &mut usize) -> Self {
        streams.step(|state| *counted(state) += 1);
        Self { streams: Arc::clone(streams), counted }
    }

    /// The client has taken a part of it.
    pub(super) fn advance(&self) {
        self.streams.step(|_| ());
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.streams.step(|state| *(self.counted)(state) -= 1);
    }
}
