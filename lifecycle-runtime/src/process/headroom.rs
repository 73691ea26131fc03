//! Whether the process can have the threads and descriptors that it is about to ask for.
//!
//! Tokio panics where one is refused, and if that is a worker other than the first, the thread that builds the runtime
//! hangs while it unwinds. So what a runtime needs is asked for, and given back, just before: a refusal is an error
//! then. Somebody else may take it in between; that is left to tokio's panic, and to the signals, which still count.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{lock, procfs, thread};

/// What a runtime takes, and a little more.
const OF_A_RUNTIME: usize = 8;

/// Checks that `count` more threads are available, all at once.
pub(crate) fn threads(count: usize) -> io::Result<()> {
    let before = procfs::threads();
    let gate = Arc::new(Mutex::new(()));
    let closed = lock(&gate);
    let (at_work, is_done) = thread::work();
    let mut result = Ok(());
    for _ in 0..count {
        let (gate, at_work) = (Arc::clone(&gate), at_work.clone());
        result = thread::start("lifecycle-headroom", move || {
            drop(lock(&gate));
            drop(at_work);
        });
        if result.is_err() {
            break;
        }
    }
    drop((closed, at_work));
    is_done.wait(Duration::MAX);
    procfs::wait_for_threads_to_go(before);
    result
}

/// Checks that there are descriptors for one runtime with I/O, and for the pipe that tokio makes for signals.
pub(crate) fn descriptors_of_a_runtime() -> io::Result<()> {
    descriptors(OF_A_RUNTIME)
}

/// Checks that `count` more descriptors are available, all at once.
#[cfg(unix)]
fn descriptors(count: usize) -> io::Result<()> {
    use std::os::unix::net::UnixStream;

    let mut pairs = Vec::new();
    for _ in 0..count.div_ceil(2) {
        pairs.push(UnixStream::pair()?);
    }
    Ok(())
}

/// Descriptors are not limited here.
#[cfg(not(unix))]
fn descriptors(_: usize) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_given_back() {
        for _ in 0..1_000 {
            threads(8).unwrap();
            descriptors(64).unwrap();
        }
    }
}
