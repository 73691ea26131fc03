//! Which thread of the process belongs to which virtual clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};

use crate::driver::lock;
use crate::process::procfs;

/// The owner of each thread that has one, by the number that the system gives it.
static OWNERS: LazyLock<Mutex<HashMap<u32, Owner>>> = LazyLock::new(Mutex::default);

/// A virtual clock, as the owner of the threads of its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(u64);

/// The owner of the threads that look after clocks: nothing waits for them.
pub(super) const WATCH: Owner = Owner(0);

impl Owner {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The calling thread belongs to this clock until it is [left](leave).
    pub(super) fn take(self) {
        if let Some(thread) = procfs::own_thread() {
            lock(&OWNERS).insert(thread, self);
        }
    }

    /// Whether a thread runs, would run if it could, or waits for a disk: one of this clock, or one that belongs to none and
    /// may have been started by its application.
    pub(super) fn is_at_work(self) -> bool {
        procfs::is_at_work(|thread| lock(&OWNERS).get(&thread).is_none_or(|owner| *owner == self))
    }
}

/// The calling thread belongs to no clock any more.
pub(super) fn leave() {
    if let Some(thread) = procfs::own_thread() {
        lock(&OWNERS).remove(&thread);
    }
}
