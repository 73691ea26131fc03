use lifecycle::{Acquire, Resource, Result, resource};

#[resource(reserve = "30s 1m")]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
