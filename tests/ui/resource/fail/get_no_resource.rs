use lifecycle::{Acquire, Resource, Result, resource};

struct Config;

#[resource]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _config = cx.get::<Config>();
        Ok(Http)
    }
}

fn main() {}
