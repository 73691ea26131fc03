//! The threads of the library, and when one is done.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use super::lock;

/// Starts a thread that nobody joins.
///
/// # Errors
///
/// If the process cannot have one more; `work` is dropped then.
pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start_boxed(name, Box::new(work))
}

/// What starts a thread is a lot of code: it is made once, not for each kind of work.
fn start_boxed(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Somebody is at work: the drop of the last clone says that it is done.
#[derive(Clone)]
pub(crate) struct AtWork {
    _last: Arc<Last>,
}

/// Waits until work is done.
pub(crate) struct IsDone(Arc<Shared>);

struct Last(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_done: Mutex<bool>,
    news: Condvar,
}

/// Work, and who waits for it.
pub(crate) fn work() -> (AtWork, IsDone) {
    let shared = Arc::<Shared>::default();
    (AtWork { _last: Arc::new(Last(Arc::clone(&shared))) }, IsDone(shared))
}

impl Drop for Last {
    fn drop(&mut self) {
        *lock(&self.0.is_done) = true;
        self.0.news.notify_all();
    }
}

impl IsDone {
    /// Waits for the end of the work, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) {
        let is_done = lock(&self.0.is_done);
        let waited = self.0.news.wait_timeout_while(is_done, at_most, |is_done| !*is_done);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_when_nobody_is_at_it_any_more() {
        let (at_work, is_done) = work();
        let other = at_work.clone();
        drop(at_work);
        is_done.wait(Duration::ZERO);
        assert!(!*lock(&is_done.0.is_done));
        start("test", move || drop(other)).unwrap();
        is_done.wait(Duration::MAX);
        assert!(*lock(&is_done.0.is_done));
    }
}
