//! Says when so many tasks are over, at the same cost for all that are compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

#[derive(Clone)]
pub(crate) struct Latch(Arc<Shared>);

struct Shared {
    left: AtomicUsize,
    is_over: Notify,
}

impl Latch {
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Shared { left: AtomicUsize::new(count), is_over: Notify::new() }))
    }

    /// One more is over.
    pub(crate) fn count_down(&self) {
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.is_over.notify_one();
        }
    }

    pub(crate) async fn wait(&self) {
        self.0.is_over.notified().await;
    }
}
