//! Which of the shards of a counter a thread uses.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More threads than that share shards.
pub(super) const SHARDS: usize = 16;

thread_local!(static MINE: Cell<usize> = const { Cell::new(SHARDS) });

/// The shard of this thread.
#[inline]
pub(super) fn mine() -> usize {
    let mine = MINE.get();
    if mine < SHARDS { mine } else { share_out() }
}

#[cold]
fn share_out() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // Each thread takes a number of its own; any ordering does that.
    let mine = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    MINE.set(mine);
    mine
}
