//! Programs to read, run and copy from. Each runs from the root of the repository with `cargo run --example NAME`.
//!
//! | example | what it shows |
//! |---|---|
//! | `hello` | the smallest application: one resource, one task |
//! | `go_equivalent` | database, worker, HTTP server: the typical program of articles on graceful shutdown in Go |
//! | `existing_app` | an existing application that adopts the framework in a few lines, and keeps its server and its tasks |
//! | `grpc` | gRPC with tonic: streams that end with a status, and a health service that announces the stop |
//! | `in_flight` | an axum application that keeps `axum::serve`, counts its requests, and sheds load with 429 |
//! | `payments` | a complete service: PostgreSQL, a job queue in Redis, a WebSocket feed, a probe, a registry, files |
//! | `tls` | HTTPS with `tokio-rustls` and a custom listener |
//! | `websocket` | WebSockets that say goodbye (1001) when the server stops |
//!
//! Shorter answers to single questions are on the page `recipes` of the documentation.
//!
//! The script `test-graceful-shutdown.sh` tests whether a server, any server, finishes the requests under way when it
//! is stopped.

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
