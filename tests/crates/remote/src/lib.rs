//! A library that declares resources for others to come after.

use lifecycle::{Acquire, Resource, Result, resource};

/// A foundation in another crate.
#[resource(foundation)]
#[derive(Debug)]
pub struct Tracing {
    _private: (),
}

impl Resource for Tracing {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { _private: () })
    }
}

/// A resource in another crate, which is no foundation.
#[resource(after = Tracing)]
#[derive(Debug)]
pub struct Db {
    _private: (),
}

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { _private: () })
    }
}
