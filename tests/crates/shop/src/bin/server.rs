//! One of the programs of the package.

use lifecycle::{Acquire, Resource, Result, resource};

#[resource(foundation)]
struct ServerLog;

impl Resource for ServerLog {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        shop::log();
        Ok(Self)
    }
}

#[lifecycle::main]
async fn main() {
    println!("body");
}
