use lifecycle::{Acquire, Resource, Result, resource};

#[resource(supplied)]
struct Arguments;

impl Resource for Arguments {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Arguments)
    }
}

fn main() {}
