//! What the programs of the package share.

use lifecycle::{Acquire, Resource, Result, resource};

/// The resource that both programs have.
#[resource]
#[derive(Debug)]
pub struct Store {
    _private: (),
}

impl Resource for Store {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        println!("{} for the store", jobs::version());
        Ok(Self { _private: () })
    }
}

/// Sends the log to stdout.
pub fn log() {
    tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false).init();
}
