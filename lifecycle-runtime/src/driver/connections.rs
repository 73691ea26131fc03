//! How many connections the servers of a resource have.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The connections of one resource. They are only shown, so that any ordering is fine.
#[derive(Default)]
pub(crate) struct Connections {
    open: AtomicUsize,
    /// Zero while nothing serves.
    max: AtomicUsize,
}

/// How many connections a resource has, and may have.
#[cfg(feature = "probe")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connected {
    pub(crate) open: usize,
    /// `None` if there is no maximum.
    pub(crate) max: Option<usize>,
}

impl Connections {
    /// A server begins, which may have so many connections.
    #[cfg(feature = "http")]
    pub(crate) fn serve(&self, max: Option<usize>) {
        let add = |before: usize| Some(before.saturating_add(max.unwrap_or(usize::MAX)));
        let _ = self.max.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    #[cfg(feature = "http")]
    pub(crate) fn enter(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "http")]
    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Nothing if the resource has no server.
    #[cfg(feature = "probe")]
    pub(crate) fn now(&self) -> Option<Connected> {
        let max = self.max.load(Ordering::Relaxed);
        let open = self.open.load(Ordering::Relaxed);
        (max > 0).then(|| Connected { open, max: Some(max).filter(|max| *max < usize::MAX) })
    }
}
