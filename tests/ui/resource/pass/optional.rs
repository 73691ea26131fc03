use std::sync::Arc;

use lifecycle::{Acquire, Resource, Result, resource};

#[resource(optional)]
struct Cache;

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Cache)
    }
}

#[resource(skippable)]
struct Mirror;

impl Resource for Mirror {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err(lifecycle::Skip.into())
    }
}

#[resource(after = [Cache, Mirror])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _cache: Option<Arc<Cache>> = cx.get::<Cache>();
        let _mirror: Option<Arc<Mirror>> = cx.get::<Mirror>();
        Ok(Http)
    }
}

fn main() {}
