#![allow(dead_code)]

use lifecycle::{Acquire, Resource, Result, resource};

/// Documented, and derived.
#[resource]
#[derive(Clone, Debug, Default)]
pub struct Named {
    field: Vec<u8>,
}

#[derive(Default)]
#[resource(after = Named)]
pub(crate) struct Tuple(Vec<u8>, Option<u8>);

#[resource]
#[derive(Default)]
struct Unit;

#[resource]
#[derive(Default)]
struct Where
where
    u8: Copy;

#[resource(after = r#type)]
#[derive(Default)]
#[allow(non_camel_case_types)]
struct r#struct;

#[resource]
#[derive(Default)]
#[allow(non_camel_case_types)]
struct r#type;

#[resource]
#[cfg(any())]
struct Absent;

#[resource]
#[deprecated]
#[derive(Default)]
struct Old;

macro_rules! implement {
    ($($name:ident)*) => {
        $(
            #[allow(deprecated)]
            impl Resource for $name {
                async fn acquire(_: &Acquire<Self>) -> Result<Self> {
                    Ok(Self::default())
                }
            }
        )*
    };
}

implement!(Named Tuple Unit Where r#struct r#type Old);

fn main() {
    #[resource(after = Unit)]
    #[derive(Default)]
    struct Local;

    implement!(Local);
}
