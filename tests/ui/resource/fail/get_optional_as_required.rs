use std::sync::Arc;

use lifecycle::{Acquire, Resource, Result, resource};

#[resource(optional)]
struct Cache;

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Cache)
    }
}

#[resource(after = Cache)]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _cache: Arc<Cache> = cx.get::<Cache>();
        Ok(Http)
    }
}

fn main() {}
