use lifecycle::{Acquire, Resource, Result, resource};

#[resource(name = "the queue of all the jobs that are to be done some day, maybe tonight")]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
