use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource(after = dyn Trait)]
struct Http;

impl Resource for Http {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Http)
    }
}

fn main() {}
