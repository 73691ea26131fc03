//! Load balancers that cannot be had on one machine, played as their documentation describes them.

pub(crate) mod alb;
pub(crate) mod kubernetes;

use tokio::runtime::Runtime;

/// A runtime for one of them: what runs on it ends when it is dropped.
fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("there is room for a thread")
}
