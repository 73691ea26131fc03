use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

#[resource(after = Db)]
struct Cache;

impl Resource for Cache {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _db = cx.get::<Db>();
        Ok(Cache)
    }
}

#[resource(after = [Db, Cache])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _handles = (cx.get::<Db>(), cx.get::<Cache>());
        Ok(Http)
    }
}

fn main() {}
