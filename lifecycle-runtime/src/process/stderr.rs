//! Text that should reach stderr if it can, and must not block anything if it cannot.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything waits for words to be written: a log or a pipe that blocks must not keep the process.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// Writes `text`. An stderr that is closed is not an error.
pub(crate) fn write(text: String) {
    write_last::<()>(move |_| text);
}

/// Writes `text` on this thread, which may be blocked by that for ever. An stderr that is closed is not an error.
pub(crate) fn write_here(text: &str) {
    // In one piece, so that nothing comes between. `eprintln!` panics where stderr is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Finds words and writes them, on a thread that is left behind if that takes longer than [`PATIENCE`]. `words` may
/// hand over a value first, which is returned even if it then hangs.
pub(crate) fn write_last<T: Send + 'static>(
    words: impl FnOnce(&dyn Fn(T)) -> String + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    let speaker = move || {
        let text = words(&|value| {
            // Nobody may be left to take it.
            let _ = sender.send(value);
        });
        write_here(&text);
    };
    thread::Builder::new().name("lifecycle-stderr".to_owned()).spawn(speaker).ok()?;
    let until = Instant::now() + PATIENCE;
    let mut value = None;
    // The value comes first; then either the sender is dropped, since everything is written, or time is up.
    while let Ok(handed_over) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        value = Some(handed_over);
    }
    value
}
