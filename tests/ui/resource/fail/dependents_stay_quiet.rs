use lifecycle::{Acquire, Resource, Result, resource};

#[resource(reserve = "2")]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource]
enum Cache {
    Empty,
}

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Cache::Empty)
    }
}

#[resource(after = [Db, Cache])]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _handles = (cx.get::<Db>(), cx.get::<Cache>());
        Ok(Jobs)
    }
}

fn main() {}
