//! A scheduled job: every few seconds, what was charged is settled, and receipts that are owed for too long are
//! enqueued again, since a queue may forget.

use std::sync::Arc;
use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, Stopping, resource};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::database::Database;
use crate::queue::Queue;
use crate::settings::Settings;

/// A receipt that has not been written after this time may be forgotten.
const OVERDUE: Duration = Duration::from_secs(10);

/// With so many jobs in the queue, what is overdue is most likely one of them: to enqueue it again would give workers
/// that are late still more to do.
const BACKLOG: usize = 100;

#[resource(after = [Database, Queue, Settings])]
pub(crate) struct Settlement;

impl Resource for Settlement {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let every = cx.get::<Settings>().settle_every;
        let (database, queue) = (cx.get::<Database>(), cx.get::<Queue>());
        cx.spawn("settle", move |stopping| run(database, queue, every, stopping));
        Ok(Self)
    }
}

/// A settlement that has begun is finished; the next one is not begun. If the database is away, the next one will do.
async fn run(database: Arc<Database>, queue: Arc<Queue>, every: Duration, stopping: Stopping) -> Result {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopping.run_until(ticks.tick()).await.is_some() {
        if let Err(error) = settle(&database, &queue).await {
            warn!("settlement failed, and is tried again in {every:?}: {error}");
        }
    }
    Ok(())
}

async fn settle(database: &Database, queue: &Queue) -> Result {
    let settled = database.settle().await?;
    if settled > 0 {
        info!("{settled} payments settled");
    }
    let overdue = database.receipts_owed_for(OVERDUE).await?;
    if overdue.is_empty() {
        return Ok(());
    }
    let waiting = queue.waiting().await?;
    if waiting >= BACKLOG {
        info!("{} receipts or more are overdue, and {waiting} jobs wait for a worker", overdue.len());
        return Ok(());
    }
    info!("{} receipts are overdue and enqueued again", overdue.len());
    for payment in overdue {
        queue.push(&payment).await?;
    }
    Ok(())
}
