//! A crate that depends on the runtime under another name: it has no `::lifecycle`.

use engine::{Acquire, Report, Resource, Result, resource};

pub use engine as runtime;

/// A resource whose expansion must find the runtime.
#[resource(crate = engine)]
#[derive(Debug)]
pub struct Db {
    _private: (),
}

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { _private: () })
    }
}

/// The same, with everything that an expansion can hold.
#[resource(
    after = Db,
    name = "cache",
    acquire_timeout = "10s",
    drain_timeout = "0s",
    reserve = "2s",
    optional,
    crate = ::engine
)]
#[derive(Debug)]
pub struct Cache {
    _private: (),
}

impl Resource for Cache {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _db = cx.get::<Db>();
        Ok(Self { _private: () })
    }
}

/// An entry point whose expansion must find the runtime.
pub fn start() -> Report {
    entry()
}

#[engine::main(resources = [Db, Cache], crate = engine)]
async fn entry() {}
