//! A complete payment service: PostgreSQL, a job queue in Redis, HTTP with a WebSocket feed, and everything around
//! them. A deployment in the middle of a payment loses nothing, and charges nobody twice.
//!
//! ```text
//! Telemetry, Settings, Metrics   foundations: acquired before everything else, released after everything else
//! │
//! ├─ Scratch                 a directory for temporary files; leftovers of killed processes are removed
//! │  ├─ AuditLog             a file that is flushed every second and synced at the end
//! │  └─ Database             PostgreSQL, or an SQLite file in Scratch
//! │     ├─ Cache             payments that clients ask for again
//! │     └─ Settlement        a scheduled job (also after Queue)
//! ├─ Queue                   Redis, or a queue in memory
//! ├─ Client                  calls other services
//! ├─ Tls                     the certificate, if there is one
//! │
//! ├─ Worker                  writes receipts       after AuditLog, Client, Database, Queue
//! ├─ Http                    serves                after AuditLog, Cache, Database, Queue, Scratch, Tls,
//! │                                                Worker
//! └─ Registration            in service discovery  after Client, Http
//! ```
//!
//! Its correctness rests on three things. A payment and the receipt that is owed for it are one transaction. Clients
//! repeat unanswered requests with the same id, and a payment is charged once per id. An owed receipt is enqueued again
//! until it is written, and is written once. The library adds the order: the server ends before the worker, the worker
//! before the queue, and the queue and everything else before the log.
//!
//! SIGHUP reloads the filter of the log, the settings in a file, and the certificate, while requests are served. What
//! cannot be read stays as it was.
//!
//! Run it with `cargo run --example payments`. It listens on port 8080, and on 8081 for the probe (`/readyz` and the
//! others, and `/metrics` for Prometheus). By default it uses stand-ins and needs no other server. It runs on Unix only, because it locks a directory.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /` | OK |
//! | `POST /payments` | charges `{"id": "…", "amount_cents": 1}`: 201 if that is new, 200 if it was charged before, 409 if it was charged with another amount, 400 for bad input; after a 503, retry with the same id |
//! | `GET /payments` | totals |
//! | `GET /export` | all payments as CSV, through a temporary file |
//! | `GET /feed` | a WebSocket that reports each payment charged by this instance |
//! | `GET /slow?ms=5000` | answers after that time |
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `HOST`, `PORT` | where to listen; port 0 picks a free one. A socket passed by systemd takes precedence | 127.0.0.1, 8080 |
//! | `DATABASE_URL` | `postgres://user@host/database`, or `sqlite://payments.db?mode=rwc` | SQLite in a temporary file |
//! | `REDIS_URL` | `redis://host` | a queue in memory |
//! | `AUDIT_LOG` | a file to append to | a temporary file |
//! | `REGISTRY_URL` | service discovery: `PUT` and `DELETE` on `/services/payments/INSTANCE`. It registers `HOST` and `PORT`, so choose an address that others can reach | none |
//! | `RECEIPTS_URL` | where receipts are posted, with an `Idempotency-Key` | nowhere |
//! | `TLS_CERT`, `TLS_KEY` | PEM files of a certificate with its chain, and of its key: then it serves HTTPS. Read again at a reload | none |
//! | `LOG_FILTER_FILE` | a file with a filter such as `info,sqlx=warn`. Read again at a reload | `info` |
//! | `SETTINGS_FILE` | a file with lines such as `SETTLE_MS=1000`, for this and the next two variables. It wins over the environment, and is read again at a reload | none |
//! | `METRICS_PUSH_URL` | a Pushgateway that metrics are pushed to | none |
//! | `TRACE` | a file for the spans of the start and the stop, for <https://ui.perfetto.dev> | none |
//! | `SETTLE_MS` | how often payments are settled | 5000 |
//! | `PAYMENT_MS`, `RECEIPT_MS` | how long a payment and a receipt take | 0 |

mod audit_log;
mod cache;
mod client;
mod database;
mod http;
mod metrics;
mod queue;
mod registration;
mod scratch;
mod settings;
mod settlement;
mod telemetry;
mod tls;
mod trace;
mod worker;

#[lifecycle::main(probe = "127.0.0.1:8081")]
async fn main() {}
