//! It is a flag, and there once at most.

use lifecycle::{Acquire, Reload, Resource, Result, resource};

#[resource(reload = true)]
struct Tls;

impl Resource for Tls {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }

    async fn reload(&self, _: &Reload) -> Result {
        Ok(())
    }
}

#[resource(reload, reload)]
struct Filter;

impl Resource for Filter {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }

    async fn reload(&self, _: &Reload) -> Result {
        Ok(())
    }
}

fn main() {}
