use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource(after: Db)]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _handle = cx.get::<Db>();
        Ok(Http)
    }
}

fn main() {}
