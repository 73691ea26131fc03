use lifecycle::{Acquire, Resource, Result, resource};

use remote::Tracing;

#[resource(after = [Tracing, remote::Db], foundation)]
struct Telemetry;

impl Resource for Telemetry {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Telemetry)
    }
}

fn main() {}
