//! The typical program of articles on graceful shutdown in Go: a database, a job worker that needs it, and an HTTP
//! server that needs both.
//!
//! ```go
//! func main() {                                                        // here
//!     db := openDatabase()                                             // #[resource] struct Db
//!     worker := startWorker(db)                                        // #[resource(after = Db)] struct Worker
//!     server := &http.Server{Addr: ":8080", Handler: routes(db)}       // #[resource(after = [Db, Worker])] struct Http
//!     go func() {
//!         if err := server.ListenAndServe(); err != http.ErrServerClosed { log.Fatal(err) }
//!     }()
//!     ctx, stop := signal.NotifyContext(context.Background(), SIGINT, SIGTERM)
//!     <-ctx.Done()                                                     // #[lifecycle::main]
//!     stop()
//!     ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
//!     defer cancel()                                                   // shutdown_timeout = "30s"
//!     server.Shutdown(ctx)                                             // the turn of Http: its task ends
//!     worker.Stop()                                                    // the turn of Worker: its task ends
//!     db.Close()                                                       // Db::release
//! }
//! ```
//!
//! In Go, the order is in the reader's head. If the port is taken, `log.Fatal` skips every cleanup. If the worker
//! hangs, the database is never closed. What a second Ctrl-C does is left to chance. Here, the order is in `after`, and
//! the library does the rest.
//!
//! Run it with `cargo run --example go_equivalent`, request <http://127.0.0.1:8080/slow?ms=5000>, and press Ctrl-C.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PORT` | the port to listen on; with 0 the system picks a free one, and the log says which | 8080 |
//! | `DATABASE_URL` | an SQLite database, such as `sqlite://payments.db` | a temporary file, removed at the end |
//! | `PAYMENT_MS` | how long it takes to charge a payment | 0 |
//! | `RECEIPT_MS` | how long it takes to write a receipt | 0 |

use std::io::{IsTerminal, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, process};

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use lifecycle::{Acquire, BoxError, Misconfigured, Release, Resource, Result, Stopping, resource};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing::info;

// ---- the log: everything else comes after it

#[resource(foundation)]
struct Log;

impl Resource for Log {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let log = tracing_subscriber::fmt().with_target(false).log_internal_errors(false);
        // No colour codes in a file. At a terminal, `NO_COLOR` turns them off.
        let log = if stdout().is_terminal() { log } else { log.with_ansi(false) };
        log.init();
        Ok(Self)
    }
}

// ---- the database: acquired first, released last

#[resource]
struct Db {
    /// SQLite allows one writer at a time. Writers wait here, in order, and not in the database.
    writer: SqlitePool,
    readers: SqlitePool,
    temporary: Option<PathBuf>,
}

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let (url, temporary) = match env::var("DATABASE_URL") {
            Ok(url) => (url, None),
            Err(_) => {
                let path = env::temp_dir().join(format!("go_equivalent-{}.db", process::id()));
                (format!("sqlite://{}", path.display()), Some(path))
            }
        };
        let options = url
            .parse::<SqliteConnectOptions>()
            .map_err(|error| format!("DATABASE_URL={url:?} is no SQLite database: {error}"))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5));
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        for table in [
            "CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, amount_cents INTEGER NOT NULL)",
            "CREATE TABLE IF NOT EXISTS receipts (id TEXT PRIMARY KEY, written BOOLEAN NOT NULL DEFAULT FALSE)",
        ] {
            sqlx::query(table).execute(&writer).await?;
        }
        let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        info!("database open");
        Ok(Self { writer, readers, temporary })
    }

    async fn release(&self, _: &Release) -> Result {
        // Nothing uses it any more: the server and the worker are gone. Open transactions were committed, or rolled
        // back when they were dropped.
        self.readers.close().await;
        self.writer.close().await;
        if let Some(path) = &self.temporary {
            fs::remove_file(path)?;
        }
        info!("database closed");
        Ok(())
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    id: String,
    amount_cents: i64,
}

#[derive(Serialize)]
struct Totals {
    count: i64,
    total_cents: i64,
    receipts: i64,
}

impl Db {
    /// Charges a payment and enqueues its receipt, both or neither. Returns whether it was charged now. A payment that
    /// was charged before is not charged again; it is returned as it was.
    async fn charge(&self, payment: Payment, takes: Duration) -> Result<(bool, Payment)> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let charged: Option<i64> = sqlx::query_scalar("SELECT amount_cents FROM payments WHERE id = ?")
            .bind(&payment.id)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(amount_cents) = charged {
            return Ok((false, Payment { amount_cents, ..payment }));
        }
        sqlx::query("INSERT INTO payments (id, amount_cents) VALUES (?, ?)")
            .bind(&payment.id)
            .bind(payment.amount_cents)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO receipts (id) VALUES (?)")
            .bind(&payment.id)
            .execute(&mut *transaction)
            .await?;
        tokio::time::sleep(takes).await;
        transaction.commit().await?;
        Ok((true, payment))
    }

    async fn totals(&self) -> Result<Totals> {
        let (count, total_cents, receipts) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM payments), (SELECT COALESCE(SUM(amount_cents), 0) FROM payments), \
             (SELECT COUNT(*) FROM receipts WHERE written)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(Totals { count, total_cents, receipts })
    }

    async fn next_receipt(&self) -> Result<Option<String>> {
        let query = sqlx::query_scalar("SELECT id FROM receipts WHERE NOT written ORDER BY rowid LIMIT 1");
        Ok(query.fetch_optional(&self.readers).await?)
    }

    async fn receipt_is_written(&self, id: &str) -> Result {
        sqlx::query("UPDATE receipts SET written = TRUE WHERE id = ?").bind(id).execute(&self.writer).await?;
        Ok(())
    }
}

// ---- the worker: one job after the other; at its turn it finishes the current one

#[resource(after = Db)]
struct Worker {
    wake: Arc<Notify>,
}

impl Resource for Worker {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let takes = millis("RECEIPT_MS")?;
        let wake = Arc::new(Notify::new());
        let (db, woken) = (cx.get::<Db>(), Arc::clone(&wake));
        cx.spawn("receipts", move |stopping| write_receipts(db, woken, takes, stopping));
        Ok(Self { wake })
    }
}

/// The queue is a table. Even if the process is killed, a promised receipt is written after the next start.
async fn write_receipts(db: Arc<Db>, wake: Arc<Notify>, takes: Duration, stopping: Stopping) -> Result {
    while !stopping.is_stopping() {
        if let Some(id) = db.next_receipt().await? {
            tokio::time::sleep(takes).await;
            db.receipt_is_written(&id).await?;
            info!("receipt for payment {id} written");
        } else {
            stopping.run_until(wake.notified()).await;
        }
    }
    info!("worker stopped");
    Ok(())
}

// ---- the HTTP server: acquired last, stopped first

#[resource(after = [Db, Worker])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let port: u16 = match env::var("PORT") {
            Ok(port) => port
                .parse()
                .map_err(|error| Misconfigured::new(format!("PORT={port:?} is not a port: {error}")))?,
            Err(_) => 8080,
        };
        let service =
            Service { db: cx.get::<Db>(), worker: cx.get::<Worker>(), payment_takes: millis("PAYMENT_MS")? };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("cannot listen on {address}: {error}"))?;
        info!("listening on http://{}", listener.local_addr()?);
        cx.spawn("server", move |stopping| serve(listener, routes(service), stopping));
        Ok(Self)
    }
}

async fn serve(listener: TcpListener, routes: Router, stopping: Stopping) -> Result {
    axum::serve(listener, routes).with_graceful_shutdown(stopping).await?;
    info!("server stopped");
    Ok(())
}

#[derive(Clone)]
struct Service {
    db: Arc<Db>,
    worker: Arc<Worker>,
    payment_takes: Duration,
}

fn routes(service: Service) -> Router {
    Router::new()
        .route("/", get("OK"))
        .route("/slow", get(slow))
        .route("/payments", get(totals).post(pay))
        .with_state(service)
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

async fn slow(Query(Slow { ms }): Query<Slow>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "OK"
}

async fn totals(State(service): State<Service>) -> Result<Json<Totals>, Error> {
    Ok(Json(service.db.totals().await?))
}

/// More than anybody pays, and too little to make the sum of all payments overflow.
const MOST_CENTS: i64 = 100_000_000_000;

async fn pay(
    State(service): State<Service>,
    payment: Result<Json<Payment>, JsonRejection>,
) -> Result<(StatusCode, Json<Payment>), Error> {
    let Json(payment) = payment.map_err(|rejection| Error::BadRequest(rejection.body_text()))?;
    if payment.id.is_empty() || payment.id.len() > 100 {
        return Err(Error::BadRequest("`id` must have 1 to 100 bytes".to_owned()));
    }
    if !(1..=MOST_CENTS).contains(&payment.amount_cents) {
        return Err(Error::BadRequest(format!("`amount_cents` must be from 1 to {MOST_CENTS}")));
    }
    let (is_new, payment) = service.db.charge(payment, service.payment_takes).await?;
    if is_new {
        service.worker.wake.notify_one();
    }
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(payment)))
}

enum Error {
    BadRequest(String),
    Internal(BoxError),
}

impl From<BoxError> for Error {
    fn from(error: BoxError) -> Self {
        Self::Internal(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
            Self::Internal(error) => {
                tracing::error!("{error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn millis(variable: &str) -> Result<Duration> {
    match env::var(variable) {
        Ok(value) => {
            let millis = value.parse().map_err(|error| {
                Misconfigured::new(format!("{variable}={value:?} is not a number of ms: {error}"))
            })?;
            Ok(Duration::from_millis(millis))
        }
        Err(_) => Ok(Duration::ZERO),
    }
}

// ---- that is all: start in order, wait, stop in order

#[lifecycle::main(shutdown_timeout = "30s")]
async fn main() {}
