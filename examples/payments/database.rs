//! The ledger: PostgreSQL, or SQLite if no database is configured.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{ExponentialBuilder, Retryable};
use lifecycle::{Acquire, Release, Resource, Result, resource};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection, Error};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::scratch::Scratch;
use crate::settings::Settings;

/// After this time, an unwritten receipt counts as lost by the queue.
const RECEIPT_DUE_MS: i64 = 10_000;

#[resource(after = [Settings, Scratch], reserve = "2s")]
pub(crate) struct Database {
    pool: AnyPool,
    settings: Arc<Settings>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) amount_cents: i64,
}

impl From<(String, i64)> for Payment {
    fn from((id, amount_cents): (String, i64)) -> Self {
        Self { id, amount_cents }
    }
}

/// The result of a request to charge a payment.
pub(crate) enum Charge {
    New,
    /// It was charged before, with this amount.
    Before(i64),
}

#[derive(Serialize)]
pub(crate) struct Totals {
    count: i64,
    total_cents: i64,
    receipts: i64,
    settled: i64,
}

impl Resource for Database {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let settings = cx.get::<Settings>();
        let pool = match &settings.database {
            Some(url) => connect(url).await?,
            None => connect(&sqlite(&cx.get::<Scratch>().path().join("payments.db"))).await?,
        };
        let mut migrations = sqlx::migrate!("payments/migrations");
        // A later version may have run before a rollback to this one.
        migrations.set_ignore_missing(true).run(&pool).await?;
        info!("database open");
        Ok(Self { pool, settings })
    }

    async fn release(&self, _: &Release) -> Result {
        // Nothing uses it any more. Open transactions were committed, or rolled back when they were dropped.
        self.pool.close().await;
        info!("database closed");
        Ok(())
    }

    async fn check(&self) -> Result {
        // Busy is not broken: being unready would send all traffic to the other instances, which are just as busy.
        let is_busy =
            self.pool.num_idle() == 0 && self.pool.size() == self.pool.options().get_max_connections();
        if is_busy {
            return Ok(());
        }
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

fn sqlite(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

/// Connects, and waits for a database that is not up yet: after a power cut, everything starts at once. An error that
/// will not go away by waiting, such as a wrong password, is returned at once; `startup_timeout` limits the rest.
async fn connect(url: &str) -> Result<AnyPool> {
    // SQLite allows one writer at a time, and writers had better wait here than in the database.
    let is_sqlite = url.starts_with("sqlite:");
    let options = AnyPoolOptions::new()
        .max_connections(if is_sqlite { 1 } else { 8 })
        .acquire_timeout(Duration::from_secs(if is_sqlite { 30 } else { 3 }));
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times();
    let connect = || async {
        // A pool would only report that it waited for a connection, not why there was none.
        reach(url).await?;
        options.clone().connect(url).await
    };
    connect
        .retry(backoff)
        .when(is_passing)
        .notify(|error, delay| warn!("no database yet, trying again in {delay:.1?}: {error}"))
        .await
        .map_err(|error| format!("cannot connect to the database: {error}").into())
}

/// Connects once, to see whether it is possible.
async fn reach(url: &str) -> Result<(), Error> {
    let connected = timeout(Duration::from_secs(3), AnyConnection::connect(url)).await;
    connected.map_err(|_| io::Error::new(ErrorKind::TimedOut, "it does not answer"))??.close().await
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::PoolTimedOut => true,
        // "The database system is starting up", or shutting down; "too many clients already".
        Error::Database(error) => error.code().is_some_and(|code| code == "57P03" || code == "53300"),
        _ => false,
    }
}

impl Database {
    /// Charges a payment and records that a receipt is owed, both or neither. Each id is charged once.
    pub(crate) async fn charge(&self, payment: &Payment) -> Result<Charge, Error> {
        let mut transaction = self.pool.begin().await?;
        let insert = "INSERT INTO payments (id, amount_cents) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        let inserted = sqlx::query(insert)
            .bind(&payment.id)
            .bind(payment.amount_cents)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if inserted == 0 {
            let charged = sqlx::query_scalar("SELECT amount_cents FROM payments WHERE id = $1")
                .bind(&payment.id)
                .fetch_one(&mut *transaction)
                .await?;
            transaction.commit().await?;
            return Ok(Charge::Before(charged));
        }
        let now = now();
        sqlx::query("INSERT INTO receipts (payment_id, owed_since, due_at) VALUES ($1, $2, $3)")
            .bind(&payment.id)
            .bind(now)
            .bind(now + RECEIPT_DUE_MS)
            .execute(&mut *transaction)
            .await?;
        tokio::time::sleep(self.settings.live().payment_takes).await;
        transaction.commit().await?;
        Ok(Charge::New)
    }

    /// Records that a receipt was written. Returns whether it had not been recorded before.
    pub(crate) async fn receipt_is_written(&self, payment: &str) -> Result<bool, Error> {
        let update = "UPDATE receipts SET written_at = $1 WHERE payment_id = $2 AND written_at IS NULL";
        let updated =
            sqlx::query(update).bind(now()).bind(payment).execute(&self.pool).await?.rows_affected();
        Ok(updated == 1)
    }

    pub(crate) async fn is_receipt_owed(&self, payment: &str) -> Result<bool, Error> {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM receipts WHERE payment_id = $1 AND written_at IS NULL")
                .bind(payment)
                .fetch_one(&self.pool)
                .await?;
        Ok(count == 1)
    }

    /// Some owed receipts that were not written in time. Each is claimed by one instance, and becomes due again when it
    /// has been owed for a quarter longer, so one that can never be written is tried less and less often.
    pub(crate) async fn claim_due_receipts(&self) -> Result<Vec<String>, Error> {
        // PostgreSQL evaluates the outer condition again if another instance was faster.
        let update = "UPDATE receipts SET due_at = $1 + CASE \
                      WHEN ($1 - owed_since) / 4 > $2 THEN ($1 - owed_since) / 4 ELSE $2 END \
                      WHERE written_at IS NULL AND due_at <= $1 AND payment_id IN (SELECT payment_id FROM receipts \
                      WHERE written_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT 1000) RETURNING payment_id";
        sqlx::query_scalar(update).bind(now()).bind(RECEIPT_DUE_MS).fetch_all(&self.pool).await
    }

    /// Settles the payments charged since the last time. Returns how many there were.
    pub(crate) async fn settle(&self) -> Result<u64, Error> {
        let update = "UPDATE payments SET settled_at = $1 WHERE settled_at IS NULL";
        Ok(sqlx::query(update).bind(now()).execute(&self.pool).await?.rows_affected())
    }

    pub(crate) async fn totals(&self) -> Result<Totals, Error> {
        let (count, total_cents, receipts, settled) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM payments), \
             (SELECT CAST(COALESCE(SUM(amount_cents), 0) AS BIGINT) FROM payments), \
             (SELECT COUNT(*) FROM receipts WHERE written_at IS NOT NULL), \
             (SELECT COUNT(*) FROM payments WHERE settled_at IS NOT NULL)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Totals { count, total_cents, receipts, settled })
    }

    /// The payments after this id, in the order of their ids.
    pub(crate) async fn payments_after(&self, id: &str, limit: i64) -> Result<Vec<Payment>, Error> {
        let query = "SELECT id, amount_cents FROM payments WHERE id > $1 ORDER BY id LIMIT $2";
        let payments: Vec<(String, i64)> =
            sqlx::query_as(query).bind(id).bind(limit).fetch_all(&self.pool).await?;
        Ok(payments.into_iter().map(Payment::from).collect())
    }

    /// The most recent payments.
    pub(crate) async fn latest_payments(&self, limit: i64) -> Result<Vec<Payment>, Error> {
        let query = "SELECT id, amount_cents FROM payments JOIN receipts ON payment_id = id \
                     ORDER BY owed_since DESC LIMIT $1";
        let payments: Vec<(String, i64)> = sqlx::query_as(query).bind(limit).fetch_all(&self.pool).await?;
        Ok(payments.into_iter().map(Payment::from).collect())
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
