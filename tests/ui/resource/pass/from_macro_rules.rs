use lifecycle::{Acquire, Resource, Result, resource};

macro_rules! declare {
    ($vis:vis $name:ident after $($path:path),* ; $timeout:literal ; $more:ty) => {
        #[resource(after = [$($path,)* $more], acquire_timeout = $timeout)]
        $vis struct $name;

        impl Resource for $name {
            async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
                $(let _handle = cx.get::<$path>();)*
                let _handle = cx.get::<$more>();
                Ok($name)
            }
        }
    };
}

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[resource]
struct Cache;

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Cache)
    }
}

declare!(pub Jobs after crate::Db ; "10s" ; Cache);

fn main() {}
