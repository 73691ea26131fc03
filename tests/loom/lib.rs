//! Models of what several threads of the library share. The library's own files are included here, and compiled with
//! loom's atomics; loom runs each model in every order of its threads, and with every value that a load may see.
#![cfg(test)]

mod counting;
mod queueing;
mod shard;
mod standard;

#[path = "../../lifecycle-runtime/src/driver/counter.rs"]
mod counter;
#[path = "../../lifecycle-runtime/src/driver/queue.rs"]
mod queue;

/// What the included files take from the rest of the library.
mod process {
    use loom::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

mod engine {
    pub(crate) mod notice {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Cut {
            pub(crate) in_flight: usize,
            pub(crate) excused: usize,
        }
    }
}
