//! Writes receipts, one after the other. At its turn it finishes the current one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, Stopping, resource};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::audit_log::AuditLog;
use crate::client::Client;
use crate::database::Database;
use crate::queue::Queue;
use crate::settings::Settings;

/// How long to wait for a database that does not answer, before giving up for now.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(500);

#[resource(after = [AuditLog, Client, Database, Queue, Settings], drain_timeout = "15s")]
pub(crate) struct Worker;

impl Resource for Worker {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let receipts = Receipts {
            audit_log: cx.get::<AuditLog>(),
            client: cx.get::<Client>(),
            database: cx.get::<Database>(),
            queue: cx.get::<Queue>(),
            settings: cx.get::<Settings>(),
        };
        cx.spawn("receipts", |stopping| receipts.run(stopping));
        Ok(Self)
    }
}

struct Receipts {
    audit_log: Arc<AuditLog>,
    client: Arc<Client>,
    database: Arc<Database>,
    queue: Arc<Queue>,
    settings: Arc<Settings>,
}

impl Receipts {
    /// Keeps going while the queue or the database is unreachable.
    async fn run(self, stopping: Stopping) -> Result {
        while let Some(next) = stopping.run_until(self.queue.next()).await {
            let result = match next {
                Ok(payment) => self.handle(&payment).await,
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                warn!(error = &*error as &(dyn Error + 'static), "the worker makes a pause");
                stopping.run_until(sleep(PAUSE)).await;
            }
        }
        info!("worker stopped");
        Ok(())
    }

    /// The job leaves the queue in any case: one that fails again and again would block all others. The database knows
    /// what is still owed, and when it is due again.
    async fn handle(&self, payment: &str) -> Result {
        let takes = self.settings.live().receipt_takes;
        let written = timeout(takes + PATIENCE, self.write(payment, takes)).await;
        let written = written.unwrap_or_else(|_| Err("a receipt took too long".into()));
        written.and(self.queue.done(payment).await)
    }

    async fn write(&self, payment: &str, takes: Duration) -> Result {
        if !self.database.is_receipt_owed(payment).await? {
            return Ok(());
        }
        sleep(takes).await;
        self.client.send_receipt(payment).await?;
        if self.database.receipt_is_written(payment).await? {
            self.audit_log.record(&json!({ "receipt": payment }));
        }
        Ok(())
    }
}
