use lifecycle::{Acquire, Resource, Result, resource};

#[resource(optional, skippable)]
struct Cache;

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Cache)
    }
}

fn main() {}
