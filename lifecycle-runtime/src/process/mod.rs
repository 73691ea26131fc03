//! The process we run in: its signals, its stderr, its `/proc`, and its end when nothing else ends it.

pub(crate) mod file;
pub(crate) mod frozen;
pub(crate) mod headroom;
pub(crate) mod held;
pub(crate) mod oom;
pub(crate) mod procfs;
pub(crate) mod signals;
pub(crate) mod stderr;
pub(crate) mod thread;
pub(crate) mod watchdog;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Runtime;

/// Runs a future to its end. What does that is a lot of code: it is made once, not for each kind of future.
pub(crate) fn block_on(runtime: &Runtime, future: Pin<&mut dyn Future<Output = ()>>) {
    runtime.block_on(future);
}

/// Takes a lock of ours. A panic elsewhere is no reason to end badly here: what is behind these locks is whole between
/// any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
