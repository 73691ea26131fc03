//! The hook would never be called.

use lifecycle::{Acquire, Reload, Resource, Result, resource};

#[resource]
struct Tls;

impl Resource for Tls {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }

    async fn reload(&self, _: &Reload) -> Result {
        Ok(())
    }
}

fn main() {}
