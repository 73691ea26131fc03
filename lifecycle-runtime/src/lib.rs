//! Good manners for tokio services: resources start in order, and stop in order, on time, without losing a request.
//!
//! A service declares its resources and what each comes after. The compiler checks the graph. The runtime acquires
//! the resources in that order, keeps the process honest while it runs, and releases them in reverse under one shared
//! deadline, whatever signals, hangs, panics and errors arrive on the way. Afterwards it tells what happened.
//!
//! ```no_run
//! use lifecycle::{Acquire, Release, Resource, Result, Stopping, resource};
//! use tokio::net::TcpListener;
//!
//! #[resource]
//! struct Db;
//!
//! impl Resource for Db {
//!     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
//!         Ok(Db) // connect
//!     }
//!
//!     async fn release(&self, _: &Release) -> Result {
//!         Ok(()) // disconnect: whoever used it is gone
//!     }
//! }
//!
//! #[resource(after = Db)]
//! struct Server;
//!
//! impl Resource for Server {
//!     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
//!         let listener = TcpListener::bind("127.0.0.1:8080").await?;
//!         let db = cx.get::<Db>();
//!         cx.spawn("accept", |stopping| accept(listener, stopping));
//! #       drop(db);
//!         Ok(Server)
//!     }
//! }
//!
//! async fn accept(listener: TcpListener, stopping: Stopping) -> Result {
//!     while let Some(connection) = stopping.run_until(listener.accept()).await {
//!         let (_stream, _peer) = connection?;
//!     }
//!     Ok(())
//! }
//!
//! #[lifecycle::main(shutdown_timeout = "30s")]
//! async fn main() {}
//! ```
//!
//! * [`#[resource]`](macro@resource) declares, [`Resource`] acquires and releases, [`Acquire`] is the way to other
//!   resources and to tasks.
//! * [`#[lifecycle::main]`](macro@main) makes the runtime and runs the application; [`App::builder`] does so in a
//!   program that has a `main` of its own, and in tests.
//! * [`Stopping`] is the notice that work should come to its end; [`Tasks`] counts work whose failure is its own.
//! * [`Report`] tells what happened, and carries the exit code.
//!
//! # The life of an application
//!
//! An application goes through the [phases](Phase) `Starting`, `Running`, `Draining`, `Stopping` and `Stopped`.
//!
//! It lives until a signal arrives, something asks for shutdown ([`App::shutdown`]), something fails, or nothing is
//! left to live for: the body of `main` has returned and no supervised task is alive. Then the deadline is fixed, and
//! each resource has its *turn*, once everything that comes after it has had its own: [`Acquire::stopping`] is given,
//! the tasks of the resource finish, [`Resource::release`] runs, and the runtime's reference is dropped. The body of
//! `main` comes after everything, and has the first turn.
//!
//! What has no time left is *cut off*: tasks are aborted, the future of a release is dropped and
//! [`Resource::abort`] is called. A resource is cut off before the deadline by what is *reserved* for the resources
//! beneath it (`reserve`, one second unless said otherwise), so that one that hangs does not starve the others.
//!
//! # Where to go from here
//!
//! * [`adoption`]: from what you have to this crate, step by step: a `select!` with a signal, tokio-util, axum,
//!   tokio-graceful-shutdown, Go.
//! * [`timeouts`]: for operators. How long a stop may take on each platform, how long to go on serving for each load
//!   balancer, which exit codes to restart, and how to test it.
//!
#![doc = include_str!("../docs/guarantees.md")]
//!
//! # Configuration
//!
//! What is said in code can be overridden by whoever runs the program. A malformed value is an error before anything
//! is acquired, with exit code 78. Durations are written like `250ms`, `30s` or `1m 30s`.
//!
//! | variable | overrides | default |
//! |---|---|---|
//! | `LIFECYCLE_SHUTDOWN_TIMEOUT` | `shutdown_timeout` | 25s, or 0.8 of the grace period if that is less |
//! | `LIFECYCLE_STARTUP_TIMEOUT` | `startup_timeout` (`none` for no limit) | 60s |
//! | `LIFECYCLE_DRAIN_DELAY` | `drain_delay` | 5s in Kubernetes if something serves requests, else 0 |
//! | `LIFECYCLE_PROBE_ADDR` | the address of `probe` (feature `probe`) | no probe |
//! | `LIFECYCLE_GRACE_PERIOD` | what is known of the platform | see D2 |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `http` | `Acquire::serve_http`, and the tower layer `InFlight` for other servers: every request is answered, and every connection ends |
//! | `probe` | `/livez`, `/readyz`, `/startupz` and `/status` over HTTP, fed by [`Resource::check`]: see `Probe` and `Builder::probe` |
//! | `systemd` | tells systemd what the application is at: see below |
//! | `testing` | a clock that obeys `tokio::time::pause` (`Builder::virtual_time`) and signals from nowhere (`App::deliver`) |
//!
//! # In Kubernetes
//!
//! `#[lifecycle::main(probe = "0.0.0.0:8081")]` and these probes are what the defaults need; there is no preStop hook.
//! For the drain delay, 5s by default there, the pod goes on serving after SIGTERM, not ready any more, while its
//! deletion gets around.
//!
//! ```yaml
//! terminationGracePeriodSeconds: 30
//! containers:
//!   - name: payments
//!     startupProbe: { httpGet: { path: /startupz, port: 8081 }, periodSeconds: 1, failureThreshold: 60 }
//!     readinessProbe: { httpGet: { path: /readyz, port: 8081 }, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 1 }
//!     livenessProbe: { httpGet: { path: /livez, port: 8081 }, timeoutSeconds: 3 }
//! ```
//!
//! `examples/kubernetes` in the repository has this as a complete deployment with comments, and the same with a preStop
//! `sleep 10` and with an `httpGet` hook on `/prestop`.
//!
//! # Under systemd
//!
//! With the feature `systemd`, a unit of `Type=notify` is told `READY=1` in `Running`, `STOPPING=1` when the stop
//! begins, and a `STATUS=` with each phase and what is under way (`systemctl status` shows it; names and states only).
//! With `WatchdogSec=`, `WATCHDOG=1` is sent at half of that time for as long as the application's runtime answers, so
//! that a service is restarted whose threads are all stuck. While the application starts (within `startup_timeout`, or
//! without one as long as something is acquired every 60 s) and stops, `EXTEND_TIMEOUT_USEC` asks for time beyond
//! `TimeoutStartSec=` and `TimeoutStopSec=`, never past the application's own limits: these count, and are told in
//! words when they are reached. Without `NOTIFY_SOCKET`, and on other systems than Linux, nothing happens.
//!
//! ```ini
//! [Service]
//! Type=notify
//! ExecStart=/usr/local/bin/payments
//! WatchdogSec=30
//! Restart=on-failure
//! RestartPreventExitStatus=78
//! ```
//!
//! # Resources in other crates
//!
//! Resources are found in every crate that is linked into the program, and whatever they name in `after` is part of
//! the application. A crate in `Cargo.toml` that no source mentions is not linked: mention it (`use that_crate as _;`).
//! The first line of the log lists what was found. `resources = [Http, Metrics]` turns discovery off: the application
//! is then these and what they need.
//!
//! # The map of the code
//!
//! For whoever wants to change it. The engine decides, the driver does, control brings time and signals.
//!
//! * `node`, `private`: what a declaration says, constant, written by the macros; `discover` collects the nodes and
//!   `plan` puts them in order. `budget` is the arithmetic of deadline, reserves and cut-offs.
//! * `engine`: all rules as one state machine, events in, commands out, without tokio, clock or I/O. `start` has rules
//!   S, `stop` has rules D, `summary` has rules E.
//! * `driver`: carries out commands on the application's runtime. Whoever brings an event runs the engine under a short
//!   lock that is never held across anything else; commands are carried out one at a time in the engine's order; what
//!   is to be said waits in a queue of its own, so that a log that blocks keeps no cut-off from happening. Its `hooks` runs
//!   what users implement; `catch` turns panics into values and makes sure that the end of a future is told, however it
//!   ends.
//! * `control`: a thread with a small runtime of its own, for signals (`signals`) and time. `watchdog`: a plain thread
//!   that ends the process when nothing else does.
//! * `endpoints`: what the control thread serves beside that: `probe` answers, `systemd` tells, and `heartbeat` asks
//!   the application's runtime whether it still runs.
//! * `app`, `body`, `run`: the application as a user sees it; `resource`, `tasks`, `stopping`, `inflight`: what a resource
//!   is given to work with. `config` and `platform`: what was asked for, and what the platform gives.
//! * `http` (a feature): `server` accepts, `serve` takes one connection from its accept to its end, `exchange` one request.
//!   `connection` keeps what a connection owes, and so whether it counts when it is cut off; `socket` keeps its I/O, and
//!   takes it away from whoever has it then. `listener` is where connections come from, `in_flight` the layer.
//! * `report`, `explain`, `log`, `error`: what is told, and how.
//! * `adoption`, `timeouts`: documentation, no code.
//! * `simulation` (tests only): random applications and troubles through the engine and the driver.
//!
//! Invariants: the engine alone decides; nothing but the driver acts on its commands; a lock is never held across an
//! await or a call of the user's code; no user's code runs on the control thread; the end of every task, acquisition
//! and release is told by a drop, and so cannot be missed; the count of what is in flight and "nothing can come any
//! more" are one atomic.
//!
//! Deliberately absent: integer phases or priorities beside edges (the two corrupt each other), time-outs per hook that
//! add up past the grace period, restarting of failed tasks (that is a supervisor's work, and systemd and Kubernetes do
//! it), and global state, but for the registry of declarations and the process's signal handlers.

#[doc = include_str!("../docs/adoption.md")]
pub mod adoption {}
mod app;
mod body;
mod budget;
mod catch;
mod config;
mod control;
mod discover;
mod driver;
mod endpoints;
mod engine;
mod error;
mod explain;
#[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
mod heartbeat;
#[cfg(feature = "http")]
pub mod http;
mod inflight;
mod log;
mod never;
mod node;
mod phase;
mod plan;
mod platform;
#[doc(hidden)]
pub mod private;
#[cfg(feature = "probe")]
mod probe;
mod report;
mod resource;
mod run;
mod signals;
#[cfg(test)]
mod simulation;
mod stderr;
mod stopping;
#[cfg(feature = "testing")]
mod synthetic;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod systemd;
mod tasks;
#[doc = include_str!("../docs/timeouts.md")]
pub mod timeouts {}
mod watchdog;

use std::error::Error;
use std::fmt;

pub use lifecycle_macros::{main, resource};

pub use crate::app::{App, Builder};
pub use crate::body::Output;
pub use crate::discover::Resources;
pub use crate::error::{Failure, Operation};
#[cfg(feature = "http")]
pub use crate::http::InFlight;
pub use crate::phase::{Phase, Reason, Signal};
#[cfg(feature = "probe")]
pub use crate::probe::Probe;
pub use crate::report::{Outcome, Report, ResourceReport};
pub use crate::resource::{Acquire, Release, Resource};
pub use crate::stopping::Stopping;
pub use crate::tasks::{Guard, TaskOutput, Tasks};

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A result for which `?` takes any error, `anyhow::Error` included.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// The error by which an `optional` resource says that it is switched off by configuration, which is no failure:
/// `return Err(lifecycle::Skip.into())`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip;

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("switched off by configuration")
    }
}

impl Error for Skip {}
