use lifecycle::{Acquire, Resource, Result, resource};

mod config {
    pub struct Config;
}

#[resource(after = config::Config)]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

fn main() {}
