//! The shard of a thread, as the model sets it: the same in every run.

use std::cell::Cell;

pub(crate) const SHARDS: usize = 2;

loom::thread_local!(static MINE: Cell<usize> = Cell::new(0));

pub(crate) fn mine() -> usize {
    MINE.with(Cell::get)
}

pub(crate) fn set_mine(shard: usize) {
    MINE.with(|mine| mine.set(shard));
}
