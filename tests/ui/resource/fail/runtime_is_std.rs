use lifecycle::{Acquire, Resource, Result, resource};

#[resource(crate = std)]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
