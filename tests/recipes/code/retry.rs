use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use lifecycle::{Acquire, Resource, Result, resource};

use super::{Pool, Settings};

/// The database may come up later than the service. `acquire_timeout` is the limit; a signal ends the wait at once.
#[resource(after = Settings, acquire_timeout = "20s")]
pub struct Db {
    pub pool: Pool,
}

impl Resource for Db {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let settings = cx.get::<Settings>();
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(2))
            .with_jitter()
            .without_max_times();
        let pool = (|| Pool::connect(&settings.database))
            .retry(waits)
            .notify(|error, wait| tracing::warn!("{error}; the next attempt is in {wait:?}"))
            .await?;
        Ok(Self { pool })
    }
}
