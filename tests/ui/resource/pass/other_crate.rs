use lifecycle::{Acquire, Resource, Result, resource};

use remote::Db;

#[resource(after = remote::Tracing, foundation)]
struct Telemetry;

impl Resource for Telemetry {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Telemetry)
    }
}

#[resource(after = [Db, ::remote::Tracing, Telemetry])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _handles = (cx.get::<remote::Db>(), cx.get::<remote::Tracing>());
        Ok(Http)
    }
}

fn main() {}
