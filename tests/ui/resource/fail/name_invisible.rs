use lifecycle::{Acquire, Resource, Result, resource};

#[resource(name = "jo\u{200b}bs")]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
