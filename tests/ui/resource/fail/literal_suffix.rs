use lifecycle::{Acquire, Resource, Result, resource};

#[resource(name = "jobs"x, reserve = "2s"u8)]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
