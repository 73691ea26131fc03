//! The most recent payments, so that a client that repeats a request is answered without the database.

use std::sync::atomic::{AtomicU64, Ordering};

use lifecycle::{Acquire, Release, Resource, Result, resource};
use tracing::info;

use crate::database::{Database, Payment};

const CAPACITY: usize = 10_000;

#[resource(after = Database)]
pub(crate) struct Cache {
    amounts: quick_cache::sync::Cache<String, i64>,
    hits: AtomicU64,
}

impl Resource for Cache {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let cache = Self { amounts: quick_cache::sync::Cache::new(CAPACITY), hits: AtomicU64::new(0) };
        // Filled from the beginning: clients repeat their requests right after a deployment.
        for payment in cx.get::<Database>().latest_payments(1_000).await? {
            cache.insert(payment);
        }
        Ok(cache)
    }

    async fn release(&self, _: &Release) -> Result {
        // A counter that is read only at the end needs no ordering.
        let hits = self.hits.load(Ordering::Relaxed);
        info!("the cache had {} payments and answered {hits} times", self.amounts.len());
        self.amounts.clear();
        Ok(())
    }
}

impl Cache {
    pub(crate) fn insert(&self, Payment { id, amount_cents }: Payment) {
        self.amounts.insert(id, amount_cents);
    }

    /// The amount charged under this id, if it is cached.
    pub(crate) fn charged(&self, id: &str) -> Option<i64> {
        let amount = self.amounts.get(id)?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(amount)
    }
}
