//! Models of what several threads of the library share. The library's own files are included here, and compiled with
//! loom's atomics; loom runs each model in every order of its threads, and with every value that a load may see.
#![cfg(test)]

mod counting;
mod queueing;
mod shard;
mod standard;
mod telling;

#[path = "../../lifecycle-runtime/src/driver/counter.rs"]
mod counter;
#[path = "../../lifecycle-runtime/src/driver/places.rs"]
mod places;
#[path = "../../lifecycle-runtime/src/driver/queue.rs"]
mod queue;
#[path = "../../lifecycle-runtime/src/driver/untold.rs"]
mod untold;

/// What the included files take from the rest of the library.
mod process {
    use loom::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

mod model {
    pub(crate) type TaskName = std::sync::Arc<str>;

    pub(crate) mod graph {
        pub(crate) type Id = usize;
    }
}

mod engine {
    pub(crate) mod event {
        pub(crate) type TaskId = u64;

        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum TaskKind {
            Supervised,
        }
    }

    pub(crate) mod notice {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Cut {
            pub(crate) in_flight: usize,
            pub(crate) excused: usize,
        }
    }
}
