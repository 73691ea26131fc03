use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
union Bits {
    signed: i32,
    unsigned: u32,
}

impl Resource for Bits {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Bits { unsigned: 0 })
    }
}

fn main() {}
