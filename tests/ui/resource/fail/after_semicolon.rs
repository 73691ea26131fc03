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

#[resource(after = [Db; Cache])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _handle = cx.get::<Db>();
        let _handle = cx.get::<Cache>();
        Ok(Http)
    }
}

fn main() {}
