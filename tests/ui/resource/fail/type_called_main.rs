#![allow(non_camel_case_types)]

mod resources {
    use lifecycle::{Acquire, Resource, Result, resource};

    #[resource]
    struct main;

    impl Resource for main {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(main)
        }
    }
}

fn main() {}
