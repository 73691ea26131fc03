//! What a process prints, line by line as it comes, and when it ends.

use std::fmt::Write;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::driver::lock;

/// What a longer limit stands for.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// An output stream of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// A line that a process has printed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Line {
    /// Where it was printed.
    pub stream: Stream,
    /// The line, without what ends it.
    pub text: String,
    /// When it was read.
    pub at: Instant,
}

/// What a process has done so far, for all that wait for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Output(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) lines: Vec<Line>,
    /// How many of its streams are still open.
    open: usize,
    /// When the process ended. Its streams may be open all the same: its children have them too.
    pub(super) ended: Option<Instant>,
}

impl State {
    /// Whether nothing more is printed.
    pub(super) fn is_complete(&self) -> bool {
        self.open == 0
    }

    pub(super) fn line_with(&self, text: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.text.contains(text))
    }
}

impl Output {
    /// Reads a stream to its end.
    pub(super) fn read(&self, stream: Stream, pipe: impl Read + Send + 'static) {
        self.state().open += 1;
        let output = self.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            loop {
                let mut bytes = Vec::new();
                let has_ended = !matches!(pipe.read_until(b'\n', &mut bytes), Ok(1..));
                let at = Instant::now();
                output.change(|state| {
                    if has_ended {
                        state.open -= 1;
                    } else {
                        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                        state.lines.push(Line { stream, text, at });
                    }
                });
                if has_ended {
                    return;
                }
            }
        });
    }

    /// The process has ended.
    pub(super) fn end(&self) {
        let now = Instant::now();
        self.change(|state| state.ended = Some(now));
    }

    /// Waits until `find` finds something. `None` if it does not within `limit`.
    pub(super) fn wait<T>(&self, limit: Duration, mut find: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit.min(LONGEST);
        let mut state = self.state();
        loop {
            if let Some(found) = find(&state) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.0)
    }

    /// The lines of one stream.
    pub(super) fn lines_of(&self, stream: Stream) -> Vec<String> {
        let state = self.state();
        state.lines.iter().filter(|line| line.stream == stream).map(|line| line.text.clone()).collect()
    }

    /// All lines, each behind the time since the first one.
    pub(super) fn text(&self) -> String {
        let state = self.state();
        let first = state.lines.first().map(|line| line.at);
        let mut text = "---- what the process printed:\n".to_owned();
        for Line { stream, text: line, at } in &state.lines {
            let since = at.duration_since(first.unwrap_or(*at));
            let _ = writeln!(text, "{:>6} ms {stream:?}: {line}", since.as_millis());
        }
        text + "----"
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.1.notify_all();
    }
}
