use lifecycle::{Acquire, Resource, Result, resource};

#[resource(reserve = "1m, 30s")]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
