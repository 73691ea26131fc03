use std::rc::Rc;

use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db {
    _shared: Rc<u8>,
}

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db { _shared: Rc::new(1) })
    }
}

#[resource(after = Db)]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _db = cx.get::<Db>();
        Ok(Http)
    }
}

fn main() {}
