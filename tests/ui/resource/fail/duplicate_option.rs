use lifecycle::{Acquire, Resource, Result, resource};

#[resource(name = "jobs", reserve = "2s", name = "workers")]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
