use lifecycle::{Acquire, Resource, Result, resource};

struct Db;

#[resource]
impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

fn main() {}
