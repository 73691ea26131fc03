use std::sync::Arc;

use lifecycle::{Acquire, Release, Resource, Result, resource};

#[resource(foundation)]
struct Tracing;

impl Resource for Tracing {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Tracing)
    }
}

#[resource(after = Tracing, foundation)]
struct Telemetry(u32);

impl Resource for Telemetry {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _tracing: Arc<Tracing> = cx.get::<Tracing>();
        Ok(Telemetry(1))
    }
}

mod storage {
    pub mod db {
        use lifecycle::{Acquire, Resource, Result, resource};

        #[resource(after = [], acquire_timeout = "10s", drain_timeout = "0s", reserve = "0s")]
        pub struct Db {
            pub url: String,
        }

        impl Resource for Db {
            async fn acquire(_: &Acquire<Self>) -> Result<Self> {
                Ok(Db { url: "sqlite::memory:".parse()? })
            }
        }
    }
}

#[resource(after = [self::storage::db::Db, Telemetry,], name = "job queue", reserve = "1m 30s")]
struct Jobs;

impl Resource for Jobs {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _url = cx.get::<storage::db::Db>().url.clone();
        Ok(Jobs)
    }
}

#[resource(after = [crate::storage::db::Db, Jobs])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _handles = (cx.get::<storage::db::Db>(), cx.get::<Jobs>());
        Ok(Http)
    }

    async fn release(&self, _: &Release) -> Result {
        Ok(())
    }

    fn abort(&self) {}
}

fn main() {}
