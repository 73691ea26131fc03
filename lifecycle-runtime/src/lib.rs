//! Graceful start and stop for tokio services.
//!
//! You declare the resources of a service (a database pool, a worker, an HTTP server) and what each of them comes
//! after. The compiler checks the graph. The runtime acquires the resources in that order; when a signal arrives, it
//! releases them in reverse order under one shared deadline, whatever hangs, panics or fails on the way. At the end, a
//! report says what happened.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use lifecycle::{Acquire, Release, Resource, Result, resource};
//! use tokio::net::TcpListener;
//!
//! #[resource]
//! struct Db;
//!
//! impl Resource for Db {
//!     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
//!         Ok(Self) // connect
//!     }
//!
//!     async fn release(&self, _: &Release) -> Result {
//!         Ok(()) // disconnect; everything that used it has stopped
//!     }
//! }
//!
//! #[resource(after = Db)]
//! struct Http;
//!
//! impl Resource for Http {
//!     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
//!         let listener = TcpListener::bind("127.0.0.1:8080").await?;
//!         let routes: Router = Router::new().route("/", get("OK")).with_state(cx.get::<Db>());
//! #       #[cfg(feature = "http")]
//!         cx.serve_http(listener, routes);
//! #       #[cfg(not(feature = "http"))]
//! #       drop((listener, routes));
//!         Ok(Self)
//!     }
//! }
//!
//! #[lifecycle::main(shutdown_timeout = "30s")]
//! async fn main() {}
//! ```
//!
//! `cx.get::<Db>()` compiles because of `after = Db`, and cannot fail at run time. The body of `main` is empty because
//! the resources are the whole application; it may also contain code.
//!
//! # Getting started
//!
//! The package is `lifecycle-runtime`; in code, the library is called `lifecycle`. The example needs
//!
//! ```sh
//! cargo add lifecycle-runtime --features http
//! cargo add tokio --features net
//! cargo add axum
//! cargo add tracing-subscriber # to see the log
//! ```
//!
//! Log lines are events of [`tracing`](https://docs.rs/tracing) under the target `lifecycle`. Install a subscriber for
//! them, preferably in a [`foundation`](macro@resource#options): a resource that is acquired before, and released after,
//! everything else. Without a subscriber they go to the logger of [`log`](https://docs.rs/log), and without that, in
//! plain lines, to stderr. To silence them, set the level of the target in the subscriber or the logger. They are for
//! people; what programs want to know is in spans and [`metrics`].
//!
//! Resources are acquired before the body of `main` runs. What they need from the arguments, the environment or a file
//! is therefore read in a foundation too, not in `main`: see [`adoption`](adoption#what-every-program-needs).
//!
//! The items that you meet first:
//!
//! * [`#[resource]`](macro@resource) declares a resource. [`Resource`] says how to acquire and release it. [`Acquire`]
//!   gives the acquisition access to other resources and to tasks.
//! * [`#[lifecycle::main]`](macro@main) makes the runtime and runs the application. [`App::builder`] does so in a
//!   program that has its own `main`, and in tests.
//! * [`Stopping`] is the notice that work should come to an end. [`Tasks`] runs and counts tasks that may fail on their
//!   own, such as jobs and connections.
//! * [`Report`] says what happened to each resource, and carries the exit code.
//!
//! # What happens at Ctrl-C
//!
//! 1. The deadline is fixed: 30 s from now in the example, 25 s by default. SIGTERM and SIGQUIT do the same as SIGINT;
//!    so does SIGHUP where nothing is declared [`reload`].
//! 2. `Http` has its turn first, since nothing comes after it. The server accepts the connections that are already
//!    waiting, closes its listener, and finishes the requests under way.
//! 3. `Db` has its turn when `Http` is gone: its `release` runs.
//! 4. The report is logged, and the process exits with 0.
//!
//! A second Ctrl-C stops waiting for work in flight; resources are still released. A third ends the process at once,
//! with exit code 130. If something hangs, it is cut off early enough for the resources beneath it to be released
//! before the deadline, and the exit code is 124. One second after the deadline, the process is gone in any case.
//!
//! # The life of an application
//!
//! An application goes through five [phases](Phase):
//!
//! | phase | what happens |
//! |---|---|
//! | `Starting` | resources are acquired |
//! | `Running` | everything is acquired, the body of `main` runs, and the application is ready for traffic |
//! | `Draining` | a stop was requested; for the drain delay, if there is one, the application keeps serving while load balancers notice |
//! | `Stopping` | resources have their turns, in reverse order |
//! | `Stopped` | every resource has had its turn |
//!
//! It stops when a signal arrives, when something calls [`App::shutdown`], when something fails, or when nothing is
//! left to do: the body of `main` has returned and no supervised task is running. So a server runs until the signal,
//! and a batch job ends by itself.
//!
//! A resource has its *turn* when everything that comes after it is gone: [`Acquire::stopping`] fires, its tasks
//! finish, [`Resource::release`] runs, and the runtime drops its reference. The body of `main` comes after everything,
//! so its turn is the first.
//!
//! What takes too long is *cut off*: tasks are aborted, the future of a release is dropped, and [`Resource::abort`] is
//! called. Each resource has a *reserve* (1 s unless `reserve` says otherwise): time that the turns before it cannot
//! use up. So a resource is cut off earlier than the deadline, by the reserves on the longest path beneath it.
//!
//! # Where to go next
//!
//! * [`adoption`]: how to move an existing service to this crate, step by step: from a `select!` with a signal,
//!   tokio-util, axum, tokio-graceful-shutdown or Go.
//! * [`recipes`]: actix-web, warp, a queue with acknowledgements, retries, periodic jobs, command lines and more, as code
//!   that is tested.
//! * [`timeouts`]: for operators. How long a stop may take on each platform, how long to keep serving for each load
//!   balancer, which exit codes to restart on, and how to test all of it.
//! * [`metrics`]: what an application says of itself to programs: metrics and an alert, traces, and what the log is for.
//! * [`kubernetes`] and [`systemd_units`]: what to write into manifests and unit files.
//! * [`pictures`]: the plan of an application before it starts, and what happened to it, as text, pictures and JSON.
//! * [`program`]: the same from outside, on the command line, and a test of how servers stop.
//! * [`doctor`]: what is wrong with manifests, units, Compose files, Dockerfiles and balancers, for this application.
//! * [`guarantees`]: the rules below in full, each with the tests that check it.
//! * [`reload`]: certificates, log filters and settings that change while requests are served.
//! * The module `testing` (feature `testing`): the test kit, with recipes.
//! * [`comparison`]: what others do, and when something else is the better choice. [`platforms`]: where it runs.
//! * [`glossary`]: the words used here, one or two lines each.
//! * [`architecture`]: the map of the code, for contributors.
//!
//! # What you can rely on
//!
//! The rules in one line each; [`guarantees`] has the full text.
//!
//! [Starting](guarantees#starting):
//!
//! * **S1.** Signals are caught before the first resource is acquired; none is lost, not even as PID 1.
//! * **S2.** A resource is acquired once everything in its `after` is, and concurrently with everything else.
//! * **S3.** `acquire_timeout` limits one acquisition, `startup_timeout` (60 s) the whole start; slow ones are logged.
//! * **S4.** If an acquisition fails, what was acquired is released in reverse, and the process exits with 1.
//! * **S5.** A signal during the start does the same, but is not an error.
//! * **S6.** An `optional` resource may fail, and a `skippable` one be switched off: dependents get `None`.
//! * **S7.** Settings and surroundings that will spoil a stop are warned about at the start.
//!
//! [Running](guarantees#running):
//!
//! * **R1.** A supervised task that fails or panics stops the application with exit code 1, and is named.
//! * **R2.** Tasks and guards of [`Tasks`] are counted, waited for and finally aborted; their failures stop nothing.
//! * **R3.** [`Stopping`] is a state, not an event: it can be cloned, awaited again, and awaited late.
//! * **R4.** Every holder of an [`App`] can request a stop, and give a reason.
//! * **R5.** A body of `main` that asked for a notice is waited for; one that did not is dropped.
//! * **R6.** A server may accept before everything is acquired; the phase `Running` says when everything is.
//!
//! [Reloading](guarantees#reloading):
//!
//! * SIGHUP and [`App::reload`] reload what is declared `reload`, in order, while requests are served.
//! * A reload that fails keeps what the resource had, and ends nothing; a stop wins over a reload.
//!
//! [Stopping](guarantees#stopping):
//!
//! * **D1.** SIGTERM, SIGINT, SIGQUIT and SIGHUP all request the same graceful stop, unless SIGHUP [reloads](reload).
//! * **D2.** There is one deadline, fixed when the stop is requested; by default it fits the platform's grace period.
//! * **D3.** The application stops being ready at that moment, and [`App::draining`] fires.
//! * **D4.** For the drain delay everything keeps running, so that load balancers notice in time.
//! * **D5.** A resource has its turn when everything that comes after it has had its own.
//! * **D6.** Whatever hangs, the resources beneath it have their reserves.
//! * **D7.** `abort` is called where `release` did not complete, and a failure in one turn does not prevent the others.
//! * **D8.** SIGTERM may be repeated without effect; a second SIGINT hurries, and a third ends the process.
//! * **D9.** One second after the deadline the process is gone, even if every thread is stuck.
//! * **D10.** With `#[lifecycle::main]`, blocking work outside the library cannot keep the process alive.
//! * **D11.** Every 5 s of the stop, the log says what is being waited for, and how much time is left.
//! * **D12.** A handle that is still held after its resource was released is reported, with the resource's name.
//! * **D13.** A process that was frozen in the middle of a stop still gives every resource its reserve when it goes on.
//!
//! [Ending](guarantees#ending):
//!
//! * **E1.** Exit codes: 0 success, 1 failure, 124 cut off by the deadline, 128+n signal n, 78 wrong configuration.
//! * **E2.** The [`Report`] covers every resource, and is logged while the log is still there; without a log, stderr
//!   has it.
//! * **E3.** No error is dropped.
//!
//! [Serving](guarantees#serving), with the features `http`, `probe` and `systemd`:
//!
//! * With a drain delay that fits the load balancer, a rolling deployment loses no request.
//! * With a listening socket from systemd, a restart loses no connection.
//! * Under PM2, under supervisord and in containers, the application ends before it would be killed.
//! * Requests under way at the turn get complete responses, and idle connections are closed, but not under the next
//!   request of a client that is using them.
//! * What was sent arrives, whatever the client sends meanwhile: connections linger when they are closed.
//! * Every connection ends, at the cut-off at the latest.
//! * The probe answers from before the first acquisition to the end, even while all other threads are blocked.
//! * systemd hears that the application is ready, is reloading, is stopping, and is alive, only while that is true.
//!
//! # Configuration
//!
//! Environment variables override the settings in code, so that operators need no rebuild. A malformed value stops the
//! process before anything is acquired, with exit code 78; an empty one is the same as none. Durations are written like
//! `250ms`, `1.5s` or `1m 30s`. [`timeouts`](timeouts#the-variables) has the details.
//!
//! | variable | overrides | default |
//! |---|---|---|
//! | `LIFECYCLE_SHUTDOWN_TIMEOUT` | `shutdown_timeout` | 25 s, or 0.8 of the grace period if that is less |
//! | `LIFECYCLE_STARTUP_TIMEOUT` | `startup_timeout` (`none` for no limit) | 60 s |
//! | `LIFECYCLE_DRAIN_DELAY` | `drain_delay` | 5 s in Kubernetes if something serves requests, else 0 |
//! | `LIFECYCLE_PROBE_ADDR` | the address of `probe` (feature `probe`) | no probe |
//! | `LIFECYCLE_WORKER_THREADS` | `worker_threads` of [`#[lifecycle::main]`](macro@main) | tokio decides |
//! | `LIFECYCLE_PLAN` | the plan is printed in this form, and nothing is started | [`pictures`] |
//! | `LIFECYCLE_TIMELINE` | where the timeline is written at the end | [`pictures`] |
//! | `LIFECYCLE_BLACK_BOX` | the file that records the state of the process, in case it is killed | [`pictures`](pictures#the-black-box) |
//! | `LIFECYCLE_GRACE_PERIOD` | the grace period detected from the platform | [D2](guarantees#stopping) |
//!
//! # Features
//!
//! None is enabled by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `http` | `Acquire::serve_http`, a server that answers every request and ends every connection, and `InFlight`, a tower layer for other servers |
//! | `metrics` | phase, work in flight, durations and outcomes for any recorder of the facade `metrics`: see [`metrics`] |
//! | `probe` | `/livez`, `/readyz`, `/servingz`, `/startupz` and `/status` over HTTP, fed by [`Resource::check`], and pages of your own (`Acquire::page`): see `Probe` and `Builder::probe` |
//! | `systemd` | `sd_notify` messages: see [`systemd_units`] |
//! | `cli` | nothing for a library: it builds the program `lifecycle`, which shows plans and timelines, tests how servers stop, and examines deployments: see [`program`] |
//! | `testing` | for tests: fakes, faults, signals and crash points under virtual time, and real processes: see `testing` |
//!
//! # Resources in other crates
//!
//! `#[lifecycle::main]` starts the resources of its own package, and whatever these name in `after`, from any package.
//! With `resources = [Http, Metrics]` it starts these resources and what they need, and with `resources = linked` every
//! resource that is linked into the program. Rust does not link a dependency that no source file mentions: write
//! `use that_crate as _;`.
//!
//! [`App::builder`] has the same three: [`Builder::package`], [`Builder::resources`], and without either of them, every
//! resource that is linked. The first line of the log lists what is started, and what is linked and left out.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc = include_str!("../docs/adoption.md")]
pub mod adoption {}
#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}
#[doc = include_str!("../docs/comparison.md")]
pub mod comparison {}
#[doc = include_str!("../docs/doctor.md")]
pub mod doctor {}
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}
#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}
#[doc = include_str!("../docs/kubernetes.md")]
pub mod kubernetes {}
#[doc = include_str!("../docs/metrics.md")]
pub mod metrics {}
#[doc = include_str!("../docs/pictures.md")]
pub mod pictures {}
#[doc = include_str!("../docs/platforms.md")]
pub mod platforms {}
#[doc = include_str!("../docs/program.md")]
pub mod program {}
#[doc = include_str!("../docs/recipes.md")]
pub mod recipes {}
#[doc = include_str!("../docs/reload.md")]
pub mod reload {}
#[doc = include_str!("../docs/systemd.md")]
pub mod systemd_units {}
#[doc = include_str!("../docs/timeouts.md")]
pub mod timeouts {}

mod black_box;
mod control;
mod declare;
mod driver;
mod engine;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handles;
#[cfg(feature = "http")]
pub mod http;
mod launch;
mod model;
mod picture;
#[doc(hidden)]
pub mod private;
#[cfg(feature = "probe")]
mod probe;
mod process;
#[cfg(test)]
mod simulation;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod systemd;
#[cfg(feature = "testing")]
pub mod testing;

pub use lifecycle_macros::{main, resource};

pub use crate::declare::resource::Resource;
pub use crate::declare::roots::Resources;
pub use crate::declare::supplied::Supplied;
pub use crate::handles::acquire::Acquire;
pub use crate::handles::app::App;
pub use crate::handles::body::{Interrupted, Output};
pub use crate::handles::release::Release;
pub use crate::handles::reload::{Reload, ReloadError, Reloading};
pub use crate::handles::spawner::Spawner;
pub use crate::handles::stopping::Stopping;
pub use crate::handles::tasks::{Guard, TaskOutput, Tasks};
#[cfg(feature = "http")]
pub use crate::http::InFlight;
pub use crate::launch::builder::Builder;
pub use crate::launch::plan::plan;
pub use crate::model::failure::{BoxError, Failure, Operation, Result, Skip};
pub use crate::model::graph::Necessity;
pub use crate::model::misconfigured::Misconfigured;
pub use crate::model::phase::{Phase, Reason};
pub use crate::model::planned_probe::PlannedProbe;
pub use crate::model::reload::{EndedReload, Hangup, ReloadReason, Reloads};

pub use crate::model::report::{Outcome, Report, ResourceReport};
pub use crate::model::signal::Signal;
pub use crate::model::units::Units;
pub use crate::picture::plan::{Plan, PlannedResource};
#[cfg(feature = "probe")]
pub use crate::probe::Probe;
