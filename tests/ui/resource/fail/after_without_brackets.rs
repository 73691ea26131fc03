use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource]
struct Cache;

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Cache)
    }
}

#[resource(after = Db, Cache)]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {}
