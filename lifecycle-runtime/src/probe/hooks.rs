//! The preStop hooks that wait for an answer. The process may end a moment after the drain delay does, and they are
//! answered before it: a hook without an answer has failed.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

/// Those that wait share the lock.
#[derive(Clone, Default)]
pub(super) struct Hooks(Arc<RwLock<()>>);

/// A hook waits until this is dropped.
pub(super) struct Hook {
    /// `None` once the application has ended: there is nothing to wait for then.
    _waits: Option<OwnedRwLockReadGuard<()>>,
}

impl Hooks {
    pub(super) fn begin(&self) -> Hook {
        Hook { _waits: Arc::clone(&self.0).try_read_owned().ok() }
    }

    pub(super) async fn all_answered(&self) {
        let _ = self.0.write().await;
    }
}
