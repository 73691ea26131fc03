use lifecycle::{Acquire, Resource, Result, resource};

#[resource(after = Db)]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

fn main() {}
