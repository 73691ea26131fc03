//! Payments, as they are deployed: PostgreSQL, a job queue in Redis, HTTP with a WebSocket feed, and all that is
//! around them. A deployment in the middle of a payment loses nothing, and charges nobody twice.
//!
//! ```text
//! Telemetry, Settings        foundations: there before everything else, and gone after everything else
//! │
//! ├─ Scratch                 a directory for temporary files; what a kill left behind is swept
//! │  ├─ AuditLog             a file that is flushed and synced
//! │  └─ Database             PostgreSQL, or an SQLite file in Scratch
//! │     ├─ Cache             payments that clients ask for again
//! │     └─ Settlement        a scheduled job (also after Queue)
//! ├─ Queue                   Redis, or a queue in the process
//! ├─ Client                  for calls to other services
//! │
//! ├─ Worker                  writes receipts       after AuditLog, Client, Database, Queue
//! ├─ Http                    serves                after AuditLog, Cache, Database, Queue, Scratch, Worker
//! └─ Registration            in service discovery  after Client, Http
//! ```
//!
//! Where it must not fail, it stands on three things. A payment and the receipt that is owed for it are one
//! transaction. Clients repeat what was not answered, with the same id, and a payment is charged once per id. A receipt
//! that is owed is enqueued again and again until it is written, and is written once. The library adds the order: the
//! server ends before the worker, the worker before the queue, the queue and everything else before the log.
//!
//! Run it with `cargo run --example payments`. It listens on port 8080, and on 8081 for `/readyz` and its siblings;
//! without further ado it makes do with stand-ins, so that it needs no other server. It is for Unix:
//! a directory is locked.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /` | OK |
//! | `POST /payments` | charges `{"id": "…", "amount_cents": 1}`: 201 if that is new, 200 if it was charged before, 409 if by another amount, 400 for bad input; 503 means: ask again, with the same id |
//! | `GET /payments` | totals |
//! | `GET /export` | all payments as CSV, by way of a temporary file |
//! | `GET /feed` | a WebSocket that tells of each payment that this instance charges |
//! | `GET /slow?ms=5000` | takes its time |
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `HOST`, `PORT` | where to listen; port 0 picks a free one. A socket passed on by systemd goes first | 127.0.0.1, 8080 |
//! | `DATABASE_URL` | `postgres://user@host/database`, or `sqlite://payments.db?mode=rwc` | SQLite in a temporary file |
//! | `REDIS_URL` | `redis://host` | a queue in the process |
//! | `AUDIT_LOG` | a file to append to | a temporary file |
//! | `REGISTRY_URL` | service discovery: `PUT` and `DELETE` on `/services/payments/INSTANCE`. It is told `HOST` and `PORT`: one that others reach | none |
//! | `RECEIPTS_URL` | where receipts are posted to, with an `Idempotency-Key` | nowhere |
//! | `SETTLE_MS` | how often payments are settled | 5000 |
//! | `PAYMENT_MS`, `RECEIPT_MS` | how long a payment and a receipt take | 0 |

mod audit_log;
mod cache;
mod client;
mod database;
mod http;
mod queue;
mod registration;
mod scratch;
mod settings;
mod settlement;
mod telemetry;
mod worker;

#[lifecycle::main(probe = "127.0.0.1:8081")]
async fn main() {}
