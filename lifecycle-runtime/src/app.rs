//! The application: how it is configured, started, asked to stop and waited for.

use std::any::TypeId;
use std::env;
use std::fmt;
use std::future::Future;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::BoxError;
use crate::body::{Guard, Output, live};
use crate::config::{Config, Options, refuse};
use crate::control::{self, Control, Handling, Until};
use crate::discover::{self, Resources};
use crate::driver::{Driver, Timing};
use crate::endpoints::Endpoints;
use crate::engine::command::Notice;
use crate::engine::event::{BodyEnd, Event};
use crate::engine::{BodyKind, Engine, Settings};
use crate::error::{Cause, Failure};
use crate::node::{DEFAULT_RESERVE, Instance, Node};
use crate::phase::Phase;
use crate::platform;
use crate::private::{Declared, Handle as _};
#[cfg(feature = "probe")]
use crate::probe::Probe;
use crate::report::Report;
use crate::signals::Signals;
use crate::stderr;
use crate::stopping::Stopping;
use crate::watchdog::Watchdog;

/// A handle to an application.
///
/// The body of `#[lifecycle::main]` may take one, [`Builder::start`] gives one, and [`Acquire::app`] gives one to a
/// resource. Clone it freely.
///
/// An application that was started with [`Builder::start`] belongs to the handle that `start` gave and to its
/// clones: when the last of them is dropped before the end, nobody is left to wait for it. It then shuts down at
/// once, in a hurry, and warns.
///
/// [`Acquire::app`]: crate::Acquire::app
#[derive(Clone)]
pub struct App {
    driver: Arc<Driver>,
    role: Role,
}

/// What a handle is to the application.
#[derive(Clone)]
enum Role {
    /// It belongs to this handle and its clones.
    Owner(Arc<Owner>),
    /// The body of `main`: a notice that it asks for is its own.
    Body,
    /// A resource, or whoever it gave the handle to.
    Visitor,
}

impl App {
    /// Configures an application in a program that has its own `main`.
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
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The resource `R`: `Arc<R>`, or `Option<Arc<R>>` if `R` is declared `optional`.
    ///
    /// # Panics
    ///
    /// If `R` is not there: it is not part of this application (see [`Builder::resources`]), has not been acquired
    /// yet, or has been released. [`try_get`](Self::try_get) does not panic.
    #[must_use]
    #[track_caller]
    pub fn get<R: Declared>(&self) -> R::Handle {
        let instance = self.try_get::<R>();
        let is_missing = instance.is_none() && !R::node().declaration.optional;
        assert!(
            !is_missing,
            "the resource `{}` is not there: it is not part of this application, not acquired yet, or released",
            R::node().declaration.name
        );
        R::Handle::new(instance)
    }

    /// The resource `R`, if it is there.
    #[must_use]
    pub fn try_get<R: Declared>(&self) -> Option<Arc<R>> {
        let place = self.driver.place(TypeId::of::<R>())?;
        self.driver.hand_out(place)?.downcast().ok()
    }

    /// Asks the application to shut down, and says why (rule R4). Only the first request counts; it returns at once.
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.driver.send(Event::Shutdown(reason.into()));
    }

    /// Says that the application has failed, in a part that is not supervised: it shuts down, the error is in the report,
    /// and the exit code is 1.
    ///
    /// For what runs outside of resources and of the body: a server of the application's own, say. It returns at once.
    pub fn fail(&self, error: impl Into<BoxError>) {
        self.driver.send(Event::Failed(Cause::Error(error.into())));
    }

    /// Does what a second Ctrl-C does: the delay and the draining end now, and no more time is left than the
    /// releases have set aside (rule D8). If the application was not stopping, it does now.
    pub fn insist(&self) {
        self.driver.send(Event::Insist);
    }

    /// The phase that the application is in, now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.driver.phase().borrow()
    }

    /// The phase, to be watched.
    #[must_use]
    pub fn watch_phase(&self) -> watch::Receiver<Phase> {
        self.driver.phase()
    }

    /// The notice of the turn of `main`, which comes before that of every resource. A body that asked for it, or for
    /// [`draining`](Self::draining), is waited for at its turn; one that did not is dropped (rule R5).
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.listen();
        Stopping::new(&self.driver.main_cell().stopping)
    }

    /// The earlier notice: shutdown has begun.
    #[must_use]
    pub fn draining(&self) -> Stopping {
        self.listen();
        self.driver.draining()
    }

    /// Waits for the end of an application that was started with [`Builder::start`], and tells what happened.
    ///
    /// The application lives until a signal arrives, something asks for shutdown, something fails, or the last
    /// supervised task has ended. On any other handle, this waits likewise, but owes the application nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handle: see [`App`].
    pub async fn run(self) -> Report {
        if let Role::Owner(owner) = &self.role {
            owner.end_body();
        }
        let report = end(&self.driver).await;
        self.driver.disarm();
        report
    }

    /// Delivers a signal, as if the process had received it.
    #[cfg(feature = "testing")]
    pub fn deliver(&self, signal: crate::Signal) {
        self.driver.send(Event::Signal(signal));
    }

    pub(crate) fn body(driver: &Arc<Driver>) -> Self {
        Self { driver: Arc::clone(driver), role: Role::Body }
    }

    pub(crate) fn visitor(driver: &Arc<Driver>) -> Self {
        Self { driver: Arc::clone(driver), role: Role::Visitor }
    }

    fn listen(&self) {
        match self.role {
            Role::Owner(_) | Role::Body => self.driver.body_listens(),
            Role::Visitor => {}
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("phase", &self.phase()).finish_non_exhaustive()
    }
}

/// Whoever should wait for the end of an application. Its drop before that is told to the engine.
pub(crate) struct Owner {
    driver: Arc<Driver>,
    /// The body of `main`, where that is the application around us.
    host: Mutex<Option<Guard>>,
}

impl Owner {
    pub(crate) fn new(driver: &Arc<Driver>, host: Option<Guard>) -> Self {
        Self { driver: Arc::clone(driver), host: Mutex::new(host) }
    }

    fn end_body(&self) {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut host) = host {
            host.end(BodyEnd::Done);
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !self.driver.ended().is_cancelled() {
            self.driver.send(Event::OwnerDropped);
        }
    }
}

/// Configures an application. Made by [`App::builder`].
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `start` or `run`"]
pub struct Builder {
    options: Options,
    roots: Option<Vec<&'static Node>>,
    supplied: Vec<(&'static Node, Instance)>,
    control: Option<io::Result<Control>>,
    #[cfg(feature = "testing")]
    has_virtual_time: bool,
    #[cfg(feature = "testing")]
    pub(crate) synthetic: Option<Vec<Vec<usize>>>,
}

impl Builder {
    /// Catches the signals that end a process (rule D1), from this very call on. Without it, signals are left alone:
    /// call [`App::shutdown`] and [`App::insist`] yourself.
    ///
    /// When the application has ended, or the builder is dropped, a signal ends the process again.
    pub fn handle_signals(mut self) -> Self {
        self.control.get_or_insert_with(|| Control::start(Handling::Ours));
        self
    }

    /// The time from the request to stop until everything has ended; the default is 25s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.options.shutdown_timeout = Some(timeout);
        self
    }

    /// The time for acquiring everything, or `None` for no limit; the default is 60s.
    pub fn startup_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.startup_timeout = Some(timeout.into());
        self
    }

    /// How long to go on serving after the request to stop, so that load balancers notice; the default is 5s in
    /// Kubernetes if something serves requests (`serve_http`, `InFlight`), and not at all elsewhere. It is part of `shutdown_timeout`, and does not apply to a Ctrl-C at a terminal (rule D4).
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.options.drain_delay = Some(delay);
        self
    }

    /// Answers `/livez`, `/readyz`, `/startupz` and `/status` at an address, from before the first resource is
    /// acquired until the end: see [`Probe`], which also has the options. `LIFECYCLE_PROBE_ADDR` wins over the address
    /// said here, and switches the probe on where nothing is said.
    ///
    /// A port of 0 lets the system choose one; the log says which. If the address cannot be had, nothing is started,
    /// and the process exits with 1. Under virtual time there is no probe.
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

    /// Answers probes at an address: in programs that are built with the feature `probe`. In this one, a call does not
    /// compile, and the error says so.
    #[cfg(not(feature = "probe"))]
    #[expect(clippy::needless_pass_by_value, reason = "it is called as with the feature, and compiles never")]
    pub fn probe(self, probe: impl crate::endpoints::NeedsFeatureProbe) -> Self {
        let _ = probe;
        self
    }

    /// The application is these resources and what they need, instead of everything that is declared in the program.
    /// Called again, it adds.
    pub fn resources<R: Resources>(mut self) -> Self {
        R::nodes(self.roots.get_or_insert_default());
        self
    }

    /// Uses an instance that is already there, or a fake, in place of acquiring one. What `R` itself comes after is
    /// not acquired for its sake; it is released like the rest.
    pub fn supply<R: Declared>(mut self, instance: R) -> Self {
        self.supplied.push((R::node(), Arc::new(instance)));
        self
    }

    /// Takes the time from the runtime's clock, which a test can pause, instead of from a thread of its own. Signals
    /// are not caught then; [`App::deliver`] stands in for them.
    #[cfg(feature = "testing")]
    pub fn virtual_time(mut self) -> Self {
        self.has_virtual_time = true;
        self
    }

    /// Acquires the resources, on the runtime that this is called on.
    ///
    /// An application that is asked to stop in the moment in which it has started is handed over all the same: await
    /// [`App::stopping`], or call [`App::run`], as ever.
    ///
    /// # Errors
    ///
    /// The report of a start that failed or was interrupted: everything that was acquired has been released. It is
    /// on stderr already.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the application stops at once and in a hurry; nobody waits for its end.
    pub async fn start(self) -> Result<App, Report> {
        let driver = self.build(BodyKind::Host, Until::TheEnd).map_err(refused)?;
        let host = Guard::new(&driver);
        let app = App { role: Role::Owner(Arc::new(Owner::new(&driver, host))), driver };
        app.driver.send(Event::Start);
        tokio::select! {
            biased;
            () = app.driver.run_main().cancelled() => Ok(app),
            () = app.driver.finished().cancelled() => Err(app.run().await),
        }
    }

    /// Acquires the resources, runs `body` with a handle to the application, and waits for the end: what
    /// `#[lifecycle::main]` does, on the runtime that this is called on.
    ///
    /// The application lives until a signal arrives, something asks for shutdown, something fails, or the body has
    /// returned and no supervised task is alive. In the body, `?` takes any error.
    ///
    /// ```no_run
    /// #[tokio::main]
    /// async fn main() -> lifecycle::Report {
    ///     lifecycle::App::builder()
    ///         .handle_signals()
    ///         .run(work)
    ///         .await
    /// }
    ///
    /// async fn work(app: lifecycle::App) -> lifecycle::Result {
    ///     let answer: i32 = "42".parse()?;
    ///     println!("{answer}");
    ///     app.stopping().await;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the application stops at once and in a hurry; nobody waits for its end.
    pub async fn run<F, Fut>(self, body: F) -> Report
    where
        F: FnOnce(App) -> Fut,
        Fut: Future<Output: Output>,
    {
        self.live(BodyKind::Written, Until::TheEnd, body).await
    }

    pub(crate) async fn live<F, Fut>(self, kind: BodyKind, until: Until, body: F) -> Report
    where
        F: FnOnce(App) -> Fut,
        Fut: Future<Output: Output>,
    {
        match self.build(kind, until) {
            Ok(driver) => {
                live(&driver, kind, body).await;
                let report = end(&driver).await;
                if until == Until::TheEnd {
                    driver.disarm();
                }
                report
            }
            Err(failures) => refused(failures),
        }
    }

    fn build(self, body: BodyKind, until: Until) -> Result<Arc<Driver>, Vec<Failure>> {
        let timing = self.timing();
        let Self {
            options,
            roots,
            supplied,
            control,
            #[cfg(feature = "testing")]
            synthetic,
            ..
        } = self;
        let handles_signals = control.is_some();
        let grace = platform::grace(|variable| env::var(variable), Path::exists);
        let config = options.resolve(|variable| env::var(variable), grace)?;
        let (endpoints, circumstances) = match timing {
            Timing::Thread => Endpoints::open(&config)?,
            Timing::Runtime => Default::default(),
        };
        let main_reserve = if body == BodyKind::Empty { Duration::ZERO } else { DEFAULT_RESERVE };
        let discovered = || discover::plan(roots.unwrap_or_else(discover::declared), supplied, main_reserve);
        #[cfg(feature = "testing")]
        let (plan, sources) =
            synthetic.map_or_else(discovered, |edges| crate::synthetic::plan(edges, main_reserve));
        #[cfg(not(feature = "testing"))]
        let (plan, sources) = discovered();
        let at_terminal = handles_signals && io::stdin().is_terminal();
        let engine = Engine::new(plan, settings(config, body, at_terminal, circumstances));
        let no_thread = |error| vec![refuse(format!("signals and time cannot be had: {error}"))];
        let watchdog = handles_signals.then(Watchdog::start).transpose().map_err(no_thread)?;
        let driver = Driver::new(engine, sources, Handle::current(), timing, watchdog);
        #[cfg(feature = "probe")]
        if endpoints.have_probe() {
            driver.send(Event::Serves);
        }
        match timing {
            Timing::Runtime => {
                let driver = Arc::clone(&driver);
                let control = async move {
                    control::control(&driver, &mut Signals::none()).await;
                    driver.finish();
                };
                Handle::current().spawn(control);
            }
            Timing::Thread => {
                let control =
                    control.unwrap_or_else(|| Control::start(Handling::Theirs)).map_err(no_thread)?;
                control.take(&driver, until, endpoints);
            }
        }
        Ok(driver)
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

fn settings(config: Config, body: BodyKind, at_terminal: bool, circumstances: Vec<Notice>) -> Settings {
    let Config { shutdown_timeout, startup_timeout, drain_delay, warning, .. } = config;
    let mut warnings = circumstances;
    warnings.extend(warning);
    warnings.extend(cfg!(panic = "abort").then_some(Notice::PanicAborts));
    warnings.extend(platform::shell_as_pid_1().map(Notice::ShellAsPid1));
    Settings { shutdown_timeout, startup_timeout, drain_delay, body, at_terminal, warnings }
}

/// The report of an application that was not begun. It is told here: there is no log yet.
fn refused(failures: Vec<Failure>) -> Report {
    let report = Report::refused(failures);
    stderr::write(report.to_string());
    report
}

/// Waits for the end, and tells on stderr what a log may not have told: a failed start in any case, and any trouble
/// where there is no log (rule E2).
async fn end(driver: &Arc<Driver>) -> Report {
    driver.finished().cancelled().await;
    let report = driver.report();
    let has_failed_to_start = !report.has_started() && !report.failures.is_empty();
    let has_no_log = !tracing::dispatcher::has_been_set();
    if has_failed_to_start || (has_no_log && report.has_trouble()) {
        stderr::write(report.to_string());
    }
    report
}
