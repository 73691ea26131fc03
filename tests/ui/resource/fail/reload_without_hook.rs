//! It says that it reloads, and there is nothing to call.

use lifecycle::{Acquire, Resource, Result, resource};

#[resource(reload)]
struct Tls;

impl Resource for Tls {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }
}

fn main() {}
