use lifecycle::{Acquire, Resource, Result, Supplied, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource(supplied, after = Db, acquire_timeout = "1s", drain_timeout = "1s", optional)]
struct Arguments;

impl Supplied for Arguments {}

fn main() {}
