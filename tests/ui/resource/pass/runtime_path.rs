mod engine {
    pub use renamed::runtime;
}

use engine::runtime::{Acquire, Resource, Result, resource};

#[resource(after = renamed::Cache, crate = engine::runtime)]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _cache = cx.get::<renamed::Cache>();
        Ok(Http)
    }
}

fn main() {}
