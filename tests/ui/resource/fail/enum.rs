use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
enum Store {
    Disk,
}

impl Resource for Store {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Store::Disk)
    }
}

fn main() {}
