use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource(after = Db)]
struct Pool<T: Send + Sync + 'static, const N: usize = 4>
where
    T: Clone,
{
    connections: [T; N],
}

impl<T: Clone + Send + Sync + 'static, const N: usize> Resource for Pool<T, N> {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _db = cx.get::<Db>();
        unimplemented!()
    }
}

fn main() {}
