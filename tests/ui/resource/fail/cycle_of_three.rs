use lifecycle::{Acquire, Resource, Result, resource};

mod storage {
    use super::*;

    #[resource(after = [crate::web::Http])]
    pub struct Db;

    impl Resource for Db {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(Db)
        }
    }

    #[resource(after = Db)]
    pub struct Cache;

    impl Resource for Cache {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(Cache)
        }
    }
}

mod web {
    use super::*;

    #[resource(after = super::storage::Cache)]
    pub struct Http;

    impl Resource for Http {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(Http)
        }
    }
}

fn main() {}
