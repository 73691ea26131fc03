use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Lease<'a> {
    name: &'a str,
}

impl Resource for Lease<'static> {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Lease { name: "lease" })
    }
}

fn main() {}
