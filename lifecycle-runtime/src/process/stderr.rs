//! Text that should reach stderr if it can, and must not block anything if it cannot.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{lock, thread};

/// How long anything waits for words to be written: a log or a pipe that blocks must not keep the process.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// Writes `text`. An stderr that is closed is not an error.
pub(crate) fn write(text: String) {
    write_last(Box::new(move |_| text));
}

/// Writes `text` on this thread, which may be blocked by that for ever. An stderr that is closed is not an error.
pub(crate) fn write_here(text: &str) {
    // In one piece, so that nothing comes between. `eprintln!` panics where stderr is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Finds words. It may hand over the exit code of the process first.
pub(crate) type Words = Box<dyn FnOnce(&dyn Fn(u8)) -> String + Send>;

/// Finds words and writes them, on a thread that is left behind if that takes longer than [`PATIENCE`]. The exit code
/// that `words` hand over is returned even if they then hang.
///
/// If no thread is available, this one finds them, and writes as much as can be written without blocking.
pub(crate) fn write_last(words: Words) -> Option<u8> {
    let (at_work, is_done) = thread::work();
    // A thread that is refused would take the words with it.
    let words: Arc<Mutex<Option<Words>>> = Arc::new(Mutex::new(Some(words)));
    let code = Arc::new(Mutex::new(None));
    let speaker = {
        let (words, code) = (Arc::clone(&words), Arc::clone(&code));
        move || {
            speak(&words, &code, &write_here);
            drop(at_work);
        }
    };
    let until = Instant::now() + PATIENCE;
    if thread::start("lifecycle-stderr", speaker).is_err() {
        speak(&words, &code, &|text| write_without_blocking(text.as_bytes(), until));
    }
    is_done.wait(until.saturating_duration_since(Instant::now()));
    *lock(&code)
}

/// Finds the words and writes them, unless somebody else does.
fn speak(words: &Mutex<Option<Words>>, code: &Mutex<Option<u8>>, write: &dyn Fn(&str)) {
    let words = lock(words).take();
    if let Some(words) = words {
        write(&words(&|found| *lock(code) = Some(found)));
    }
}

/// Writes what stderr takes until then, without the lock of the standard library, which somebody may hold who is blocked.
#[cfg(unix)]
fn write_without_blocking(mut text: &[u8], until: Instant) {
    use std::os::fd::AsFd;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::unistd::write;

    /// A pipe that is ready takes at least that much.
    const PIPE_BUF: usize = 4096;

    let stderr = io::stderr();
    while !text.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let is_ready = poll(&mut [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)], left);
        let written = is_ready.and_then(|ready| match ready {
            0 => Err(Errno::ETIMEDOUT),
            _ => write(&stderr, &text[..text.len().min(PIPE_BUF)]),
        });
        match written {
            Ok(written) => text = &text[written..],
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => return,
        }
    }
}

/// There is always a thread, or nothing can be said.
#[cfg(not(unix))]
fn write_without_blocking(_: &[u8], _: Instant) {}
