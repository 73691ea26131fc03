use lifecycle::{Acquire, Resource, Result, resource};

struct Db;

impl Resource for Db {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn("ticks", |stopping| stopping);
        Ok(Db)
    }
}

#[resource(after = Db)]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _db = cx.get::<Db>();
        Ok(Http)
    }
}

fn main() {}
