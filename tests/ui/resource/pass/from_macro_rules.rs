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

macro_rules! with_attributes {
    ($(#[$attribute:meta])* $name:ident) => {
        #[resource]
        $(#[$attribute])*
        struct $name;
    };
}

with_attributes! {
    /// There is no such struct.
    #[cfg(any())]
    Absent
}

macro_rules! item {
    ($item:item) => {
        #[resource]
        $item
    };
}

item!(
    struct Http;
);

impl Resource for Http {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Http)
    }
}

fn main() {}
