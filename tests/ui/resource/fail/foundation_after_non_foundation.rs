use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource(after = Db, foundation)]
struct Telemetry;

impl Resource for Telemetry {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Telemetry)
    }
}

fn main() {}
