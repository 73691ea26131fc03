//! How an application is configured.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::config::{Config, Options, StartupTimeout, lack};
use super::environment::Environment;
use super::plan;
use crate::black_box::{BlackBox, TERMINATION_LOG};
use crate::control::endpoint::Endpoints;
use crate::control::last_mile::LastMile;
use crate::control::{Control, Handling, control_from_its_runtime, control_time};
use crate::declare::declared::Declared;
use crate::declare::node::{DEFAULT_RESERVE, Node};
use crate::declare::roots::{self, Planned, Resources, Selection};
#[cfg(feature = "testing")]
use crate::driver::kit::Kit;
use crate::driver::{Driver, Instance, Keeper, Parts, Record, Timing};
use crate::engine::Engine;
use crate::engine::notice::Notice;
use crate::engine::settings::{BodyKind, Ending, Settings};
use crate::handles::app::App;
use crate::model::Name;
use crate::model::failure::{Cause, Failure, Operation};
use crate::model::platform;
use crate::model::reload::Hangup;
use crate::model::report::Report;
use crate::picture::plan::Plan;
#[cfg(feature = "probe")]
use crate::probe::Probe;
use crate::process::watchdog::Watchdog;
use crate::process::{procfs, stderr};

impl App {
    /// Starts the configuration of an application, for programs that have their own `main`, and for tests.
    ///
    /// Unless [`Builder::package`] or [`Builder::resources`] selects some, the application consists of every resource that
    /// is linked into the program, those of other packages included.
    ///
    /// ```no_run
    /// #[tokio::main]
    /// async fn main() -> lifecycle::Report {
    ///     let app = match lifecycle::App::builder().handle_signals().start().await {
    ///         Ok(app) => app,
    ///         Err(report) => return report,
    ///     };
    ///     // Whatever the application did before; its resources are there.
    ///     app.run().await
    /// }
    /// ```
    ///
    /// At its end, `#[tokio::main]` waits without limit for blocking work, such as a read of stdin, whatever the report
    /// says. `#[lifecycle::main]` does not (rule D10). With a runtime of your own, `shutdown_background` does the same:
    /// see [`adoption`](crate::adoption#a-program-that-makes-its-own-runtime).
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Configures an application. Created by [`App::builder`].
///
/// It only records the settings; [`start`](Self::start) and [`run`](Self::run) resolve them with the environment, and
/// begin. `#[lifecycle::main]` uses one for you: use the attribute unless the program has its own `main`.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `start` or `run`"]
pub struct Builder {
    options: Options,
    selection: Option<Selection>,
    supplied: Vec<(&'static Node, Instance)>,
    control: Option<io::Result<Control>>,
    #[cfg(feature = "testing")]
    has_virtual_time: bool,
    #[cfg(feature = "testing")]
    kit: Option<Arc<dyn Kit>>,
    #[cfg(feature = "testing")]
    synthetic: Option<Vec<Vec<usize>>>,
}

impl Builder {
    /// Catches the signals that ask a process to end (rule D1), beginning with this call.
    ///
    /// Without it, signals are left alone: call [`App::shutdown`] and [`App::insist`] yourself. After the application
    /// has ended, or if the builder is dropped, a signal ends the process again.
    ///
    /// An application that handles the signals says on stderr what it does, if there is neither a subscriber of
    /// `tracing` nor a logger of `log` (rule E2). One that does not is silent then, except about trouble at its end.
    pub fn handle_signals(mut self) -> Self {
        self.control.get_or_insert_with(|| Control::start(Handling::Ours));
        self
    }

    /// Limits the whole stop, from the request to the end. The default is 25 s, or 0.8 of the platform's grace period
    /// if that is less (rule D2).
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.options.shutdown_timeout = Some(timeout);
        self
    }

    /// Limits the whole start, or not, with `None`. The default is 60 s.
    pub fn startup_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.startup_timeout = Some(StartupTimeout::new(timeout.into()));
        self
    }

    /// Sets how long the application keeps serving after the request to stop, so that load balancers notice (rule D4).
    ///
    /// The default is 5 s in Kubernetes if something serves requests (`serve_http`, `InFlight`, the probe), and
    /// otherwise 0. The delay is part of `shutdown_timeout`, and is skipped after a Ctrl-C at a terminal.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.options.drain_delay = Some(delay);
        self
    }

    /// Says what SIGHUP does: see [`reload`](crate::reload). By default it reloads if a resource of the application is declared `reload`, and
    /// otherwise stops the application.
    ///
    /// With [`Hangup::Ignore`] the program handles it itself. Its own handler, from `tokio::signal` or `signal-hook`, hears
    /// SIGHUP in any case; without one, SIGHUP changes nothing.
    pub fn hangup(mut self, hangup: Hangup) -> Self {
        self.options.hangup = Some(hangup);
        self
    }

    /// Answers `/livez`, `/readyz`, `/servingz`, `/startupz` and `/status` at an address, from before the first
    /// acquisition until the end.
    ///
    /// [`Probe`] has the options. `LIFECYCLE_PROBE_ADDR` overrides the address, and enables the probe if the code does
    /// not.
    ///
    /// With port 0 the system chooses one, and the log says which. If the address is not available, nothing is started,
    /// and the exit code is 1. Under virtual time there is no probe.
    ///
    /// ```no_run
    /// use lifecycle::{App, Probe};
    ///
    /// # fn builders() {
    /// App::builder().probe(([0, 0, 0, 0], 8081));
    /// App::builder().probe(Probe::at(([127, 0, 0, 1], 8081)).show_errors());
    /// # }
    /// ```
    #[cfg(feature = "probe")]
    pub fn probe(mut self, probe: impl Into<Probe>) -> Self {
        self.options.probe = Some(probe.into());
        self
    }

    /// Answers probes at an address. Needs the feature `probe`, without which a call is a compile error that says so.
    #[cfg(not(feature = "probe"))]
    #[expect(clippy::needless_pass_by_value, reason = "it is called as with the feature, and compiles never")]
    pub fn probe(self, probe: impl NeedsFeatureProbe) -> Self {
        let _ = probe;
        self
    }

    /// Selects resources: the application consists of these and what they need, instead of all that are linked into the
    /// program. Further calls, also of [`package`](Self::package), add to the selection.
    ///
    /// `resources::<()>()` selects none.
    pub fn resources<R: Resources>(mut self) -> Self {
        self.selection.get_or_insert_default().add::<R>();
        self
    }

    /// Selects the resources that a package declares: the application consists of these and what they need, instead of
    /// all that are linked into the program. Further calls, also of [`resources`](Self::resources), add to the selection.
    ///
    /// `#[lifecycle::main]` does this by itself, with its own package. It keeps a program that only calls a function of a
    /// library from starting the library's resources too:
    ///
    /// ```no_run
    /// # fn builder() {
    /// lifecycle::App::builder().package(env!("CARGO_PKG_NAME"));
    /// # }
    /// ```
    ///
    /// All crates of the package count (its library, and the binary that is running) if they are linked. In a program
    /// that is not built with cargo, each crate is a package, with the crate's name.
    pub fn package(mut self, name: &str) -> Self {
        self.selection.get_or_insert_default().add_package(name);
        self
    }

    /// Uses an existing instance of `R`, such as a fake in a test, instead of acquiring one.
    ///
    /// The dependencies of `R` are not acquired on its account. The instance is released like any other resource. One that
    /// is declared `supplied` has to be supplied, or the start fails before anything is acquired: see
    /// [`Supplied`](crate::Supplied).
    pub fn supply<R: Declared + Send + Sync>(mut self, instance: R) -> Self {
        self.supplied.push((R::node(), Arc::new(instance)));
        self
    }

    /// The application has one resource for each entry of `edges`, and no other. It does nothing, and comes after those
    /// at the positions that its entry names. For `tests/bench`.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn synthetic(mut self, edges: Vec<Vec<usize>>) -> Self {
        self.synthetic = Some(edges);
        self
    }

    /// Takes the time from the clock of the runtime, which a test can pause (feature `testing`).
    ///
    /// Otherwise a thread of the library keeps the time. Signals are not caught; use [`App::deliver`] instead.
    #[cfg(feature = "testing")]
    pub fn virtual_time(mut self) -> Self {
        self.has_virtual_time = true;
        self
    }

    /// Has a test kit look on, under virtual time. Nothing is taken from the environment then: a test does not depend on
    /// the machine that it runs on.
    #[cfg(feature = "testing")]
    pub(crate) fn watched_by(self, kit: Arc<dyn Kit>) -> Self {
        Self { kit: Some(kit), ..self.virtual_time() }
    }

    /// What would be started, in which order and within which limits, with the environment as it is. Nothing is acquired,
    /// and no address is taken.
    ///
    /// # Errors
    ///
    /// The report of a configuration that is refused; it is already on stderr.
    #[expect(clippy::result_large_err, reason = "it is made once, and `main` returns it")]
    pub fn plan(mut self) -> Result<Plan, Report> {
        let config = self.config().map_err(refused)?;
        let planned = self.planned(BodyKind::Written);
        Ok(plan::of(&config, &planned))
    }

    /// Makes the application, or the report of why there is none. What was refused is on stderr then.
    #[expect(clippy::result_large_err, reason = "as above")]
    pub(super) fn build(mut self, body: BodyKind, ending: Ending) -> Result<Arc<Driver>, Report> {
        let config = self.config().map_err(refused)?;
        let planned = self.planned(body);
        match config.plan {
            None => self.drive(config, planned, body, ending).map_err(refused),
            Some(format) => Err(plan::show(&config, &planned, format)),
        }
    }

    /// What the application consists of.
    pub(super) fn planned(&mut self, body: BodyKind) -> Planned {
        let main_reserve = if body == BodyKind::Empty { Duration::ZERO } else { DEFAULT_RESERVE };
        #[cfg(feature = "testing")]
        if let Some(edges) = self.synthetic.take() {
            return super::synthetic::plan(edges, main_reserve);
        }
        roots::plan(self.selection.take(), std::mem::take(&mut self.supplied), main_reserve)
    }

    fn drive(
        self,
        config: Config,
        planned: Planned,
        body: BodyKind,
        ending: Ending,
    ) -> Result<Arc<Driver>, Vec<Failure>> {
        let timing = self.timing();
        let control = self.control;
        let handles_signals = control.is_some();
        let Opened { endpoints, keepers, notices: circumstances } = match timing {
            Timing::Thread => open(&config, handles_signals)?,
            Timing::Runtime => Opened::default(),
        };
        let Planned { plan, hooks, supplied, left_out, not_supplied } = planned;
        if !not_supplied.is_empty() {
            return Err(not_supplied.into_iter().map(has_no_instance).collect());
        }
        let probe = config.planned_probe();
        let Config {
            shutdown_timeout,
            timeout_origin,
            startup_timeout,
            drain_delay,
            warnings: doubts,
            timeline,
            hangup,
            ..
        } = config;
        let reloads = plan.resources().any(|id| plan.step(id).reloads);
        let mut warnings = circumstances;
        warnings.extend(doubts);
        warnings.extend(cfg!(panic = "abort").then_some(Notice::PanicAborts));
        warnings.extend(procfs::shell_as_pid_1().map(Notice::ShellAsPid1));
        let settings = Settings {
            shutdown_timeout,
            timeout_origin,
            startup_timeout,
            drain_delay,
            body,
            ending,
            hangup: hangup.unwrap_or(if reloads { Hangup::Reload } else { Hangup::Stop }),
            at_terminal: handles_signals && io::stdin().is_terminal(),
            serves: endpoints.answer(),
            probe,
            left_out,
            warnings,
        };
        let no_thread =
            |error| vec![lack(format!("the threads for signals and time cannot be started: {error}"))];
        let watchdog = handles_signals.then(Watchdog::start).transpose().map_err(no_thread)?;
        let concludes_itself = timing == Timing::Thread && control.is_none() && endpoints.are_none();
        let driver = Driver::new(Parts {
            engine: Engine::new(Arc::new(plan), settings),
            hooks,
            supplied,
            runtime: Handle::current(),
            timing,
            watchdog,
            exit_of_main: (handles_signals && ending == Ending::Application).then_some(LastMile::make),
            concludes_itself,
            record: timeline.map(|file| -> Arc<dyn Record> { Arc::new(file) }),
            keepers,
            #[cfg(feature = "testing")]
            kit: self.kit,
        });
        #[cfg(feature = "probe")]
        if endpoints.answer() {
            driver.keep_lines();
        }
        match timing {
            Timing::Runtime => control_from_its_runtime(&driver),
            Timing::Thread if concludes_itself => control_time(&driver).map_err(no_thread)?,
            Timing::Thread => {
                let control =
                    control.unwrap_or_else(|| Control::start(Handling::Theirs)).map_err(no_thread)?;
                control.take(&driver, endpoints);
            }
        }
        Ok(driver)
    }

    /// The effective configuration, or everything that is wrong with it.
    pub(super) fn config(&self) -> Result<Config, Vec<Failure>> {
        #[cfg(feature = "testing")]
        if self.kit.is_some() {
            return self.options.resolve(&Environment::empty(), None);
        }
        let environment = Environment::of_this_process();
        let platform = platform::grace(|variable| environment.get(variable), procfs::exists);
        self.options.resolve(&environment, platform)
    }

    #[cfg(feature = "testing")]
    fn timing(&self) -> Timing {
        if self.has_virtual_time { Timing::Runtime } else { Timing::Thread }
    }

    #[cfg(not(feature = "testing"))]
    fn timing(&self) -> Timing {
        Timing::Thread
    }
}

/// The report of an application that could not be started. It is written to stderr here, because there is no log yet.
pub(super) fn refused(failures: Vec<Failure>) -> Report {
    let report = Report::refused(failures);
    stderr::write(report.to_string());
    report
}

/// The failure of a resource that is declared `supplied`, and was not.
fn has_no_instance(resource: Name) -> Failure {
    Failure::new(resource, Operation::Acquire, Cause::Error(plan::NOT_SUPPLIED.into()))
}

/// What watches an application.
#[derive(Default)]
struct Opened {
    endpoints: Endpoints,
    /// Those of them that keep where it stands.
    keepers: Vec<Arc<dyn Keeper>>,
    /// What is to be said about them.
    notices: Vec<Notice>,
}

/// Opens what watches the application. The termination log is the process's, and so is written for an application that
/// acts for the process.
fn open(config: &Config, acts_for_process: bool) -> Result<Opened, Vec<Failure>> {
    let mut opened = Opened::default();
    #[cfg(feature = "probe")]
    if let Some(probe) = config.probe {
        let no_address =
            |why: String| vec![Failure::new("probe", Operation::Probe, Cause::Error(why.into()))];
        let listener = crate::probe::ProbeServer::bind(probe).map_err(no_address)?;
        opened.notices.push(Notice::ProbeListens(listener.address()));
        opened.endpoints.0.push(Box::new(listener));
    }
    #[cfg(all(feature = "systemd", target_os = "linux"))]
    match crate::systemd::Manager::find() {
        Ok(Some(manager)) => opened.endpoints.0.push(Box::new(manager)),
        Ok(None) => {}
        Err(why) => opened.notices.push(Notice::NotNotifying(why)),
    }
    let log = Path::new(TERMINATION_LOG);
    let has_log = config.is_in_kubernetes && acts_for_process && procfs::exists(log);
    let log = has_log.then_some(log);
    let asked = config.black_box.as_deref();
    for path in asked.into_iter().chain(log.filter(|_| log != asked)) {
        let black_box = BlackBox::at(path.to_owned());
        opened.keepers.push(black_box.keeper());
        opened.endpoints.0.push(Box::new(black_box));
    }
    Ok(opened)
}

/// What `Builder::probe` takes in a program that is built without the feature: nothing implements it, and the error
/// says what to do.
#[cfg(not(feature = "probe"))]
#[diagnostic::on_unimplemented(
    message = "the feature `probe` of `lifecycle-runtime` is not enabled",
    label = "this needs the feature `probe`",
    note = "enable it in Cargo.toml: `lifecycle-runtime = {{ version = \"…\", features = [\"probe\"] }}`"
)]
pub trait NeedsFeatureProbe {}
