use lifecycle::{Acquire, Resource, Result, resource};

#[resource(after = Cache)]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource(after = Db)]
struct Cache;

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Cache)
    }
}

fn main() {}
