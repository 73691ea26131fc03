//! A scheduled job. Every few seconds it settles what was charged, and enqueues receipts again that have been owed for
//! too long, because a queue may lose them and a worker may fail.

use std::sync::Arc;
use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, Stopping, resource};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::database::Database;
use crate::queue::Queue;
use crate::settings::Settings;

/// How long to wait for a database that does not answer, before giving up for now.
const PATIENCE: Duration = Duration::from_secs(10);

#[resource(after = [Database, Queue, Settings])]
pub(crate) struct Settlement;

impl Resource for Settlement {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let (database, queue, settings) = (cx.get::<Database>(), cx.get::<Queue>(), cx.get::<Settings>());
        cx.spawn("settle", move |stopping| run(database, queue, settings, stopping));
        Ok(Self)
    }
}

/// At the turn, the current settlement is finished and no other is started. If one fails, the next one makes up for it.
async fn run(
    database: Arc<Database>,
    queue: Arc<Queue>,
    settings: Arc<Settings>,
    stopping: Stopping,
) -> Result {
    while !stopping.is_stopping() {
        let every = settings.live().settle_every;
        if let Err(error) = in_time(settle(&database)).await {
            warn!("settlement failed, and is tried again in {every:?}: {error}");
        }
        // An interruption here loses nothing: receipts that were not enqueued become due again later.
        if let Some(Err(error)) = stopping.run_until(in_time(remind(&database, &queue))).await {
            warn!("receipts could not be enqueued again, which is tried in {every:?}: {error}");
        }
        stopping.run_until(sleep(every)).await;
    }
    Ok(())
}

async fn in_time(work: impl Future<Output = Result>) -> Result {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err("it took too long".into()))
}

async fn settle(database: &Database) -> Result {
    let settled = database.settle().await?;
    if settled > 0 {
        info!("{settled} payments settled");
    }
    Ok(())
}

async fn remind(database: &Database, queue: &Queue) -> Result {
    queue.adopt_orphans().await?;
    let due = database.claim_due_receipts().await?;
    if !due.is_empty() {
        info!("{} receipts are overdue and enqueued again", due.len());
    }
    for payment in due {
        queue.push(&payment).await?;
    }
    Ok(())
}
