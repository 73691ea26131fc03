//! Inside a function, `self` is the module around it.

use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

fn main() {
    #[resource(after = self::Db)]
    struct Db;

    impl Resource for Db {
        async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
            let _outer = cx.get::<self::Db>();
            Ok(Db)
        }
    }
}
