//! Programs to read, run and copy from. Each runs from the root of the repository with `cargo run --example NAME`.
//!
//! | example | what it shows |
//! |---|---|
//! | `hello` | the smallest application: one resource, one task |
//! | `go_equivalent` | database, worker, HTTP server: the program that articles on graceful shutdown write in Go |
//! | `existing_app` | an application that has its own `#[tokio::main]` and takes the framework in |
//! | `grpc` | gRPC with tonic: streams that end with a status, and a health service that knows of the stop |
//! | `in_flight` | an axum application that keeps its own `axum::serve`, counts requests, and sheds load with 429 |
//! | `payments` | a service as it is deployed: PostgreSQL, a job queue in Redis, a WebSocket feed, a probe, a registry, files |
//! | `tls` | HTTPS with `tokio-rustls`, by a listener of one's own |
//! | `websocket` | WebSockets that say goodbye (1001) when the server stops |
//!
//! `test-graceful-shutdown.sh`, beside them, tests that a server, any server, finishes what is under way when it is stopped.

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
