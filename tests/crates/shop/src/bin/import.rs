//! One of the programs of the package.

use lifecycle::{Acquire, Resource, Result, resource};

#[resource(foundation)]
struct ImportLog;

impl Resource for ImportLog {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        shop::log();
        Ok(Self)
    }
}

#[lifecycle::main]
async fn main() {
    println!("body");
}
