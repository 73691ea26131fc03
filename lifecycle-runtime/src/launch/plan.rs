//! The plan of an application: made without starting it or while it runs, and shown instead of starting it.

use std::io::{self, Write};
use std::time::Duration;

use super::config::Config;
use crate::declare::roots::Planned;
use crate::driver::Doubt;
use crate::engine::budget::Budget;
use crate::engine::notice::Notice;
use crate::engine::settings::{Delay, Settings};
use crate::handles::app::App;
use crate::model::exit_code;
use crate::model::graph::Graph;
use crate::model::planned_probe::PlannedProbe;
use crate::model::report::Report;
use crate::picture::forms::PlanFormat;
use crate::picture::plan::{Plan, resources};
use crate::process::stderr;

/// Why a resource that is declared `supplied` keeps an application from starting.
pub(super) const NOT_SUPPLIED: &str = "it is declared `supplied`, and no instance was supplied: call `supply` on the builder, \
     which `#[lifecycle::main]` cannot, or do not select the resource";

/// The plan of everything that is declared with `#[resource]` and linked into this program. Nothing is started.
///
/// The limits are the defaults and what the environment says, as for [`App::builder`] without settings. Use
/// [`Builder::plan`](crate::Builder::plan) for a selection of resources or for limits of your own, and [`App::plan`]
/// for an application that runs.
///
/// A resource that is declared `supplied` cannot be started like this, which is one of the plan's
/// [`problems`](Plan::problems) and not an error.
///
/// ```standalone_crate
/// use lifecycle::{Acquire, Resource, Result, resource};
///
/// #[resource]
/// struct Db;
///
/// # impl Resource for Db {
/// #     async fn acquire(_: &Acquire<Self>) -> Result<Self> { Ok(Self) }
/// # }
/// # fn main() -> Result<(), lifecycle::Report> {
/// let plan = lifecycle::plan()?;
/// assert!(plan.resource("Db").is_some());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The report of a configuration that is refused, such as a malformed `LIFECYCLE_SHUTDOWN_TIMEOUT`; it is already on
/// stderr. Its exit code is 78.
#[expect(clippy::result_large_err, reason = "it is made once, and `main` returns it")]
pub fn plan() -> Result<Plan, Report> {
    App::builder().plan()
}

impl App {
    /// The plan of this application, with the limits that hold for it: what code, environment and platform said when it
    /// was started.
    ///
    /// Only [`delays_only_if_serving`](Plan::delays_only_if_serving) may differ from the plan that
    /// [`Builder::plan`](crate::Builder::plan) made before: it is false once something serves requests, because the
    /// drain delay is certain then.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let driver = self.driver();
        let (settings, serves) = driver.settings();
        let Settings {
            shutdown_timeout,
            timeout_origin,
            startup_timeout,
            drain_delay,
            probe,
            left_out,
            warnings,
            ..
        } = settings;
        let drain_delay = match drain_delay {
            Delay::IfServing(delay) if serves => Delay::Given(delay),
            delay => delay,
        };
        let limits = Limits {
            shutdown_timeout,
            timeout_origin: timeout_origin.to_string(),
            startup_timeout,
            drain_delay,
            probe,
            warnings: &warnings,
        };
        Plan { left_out: left_out.iter().map(|left_out| left_out.name).collect(), ..limits.of(driver.plan()) }
    }
}

/// Writes the plan to stdout. Returns the report of an application that was not started.
pub(super) fn show(config: &Config, planned: &Planned, format: PlanFormat) -> Report {
    let plan = of(config, planned);
    let is_written = io::stdout().write_all(plan.to_format(format).as_bytes());
    let is_written = is_written.and_then(|()| io::stdout().flush());
    let is_read = |error: &io::Error| error.kind() != io::ErrorKind::BrokenPipe;
    if let Some(error) = is_written.err().filter(is_read) {
        stderr::write(format!("lifecycle: the plan cannot be written to stdout: {error}\n"));
        return Report::planned(exit_code::FAILED);
    }
    Report::planned(if plan.problems.is_empty() { 0 } else { exit_code::FAILED })
}

/// What would be started, in which order and within which limits.
pub(super) fn of(config: &Config, planned: &Planned) -> Plan {
    let Planned { plan: graph, left_out, not_supplied, .. } = planned;
    let limits = Limits {
        shutdown_timeout: config.shutdown_timeout,
        timeout_origin: config.timeout_origin.to_string(),
        startup_timeout: config.startup_timeout,
        drain_delay: config.drain_delay,
        probe: config.planned_probe(),
        warnings: &config.warnings,
    };
    Plan {
        left_out: left_out.iter().map(|left_out| left_out.name).collect(),
        problems: not_supplied.iter().map(|name| format!("{name}: {NOT_SUPPLIED}")).collect(),
        ..limits.of(graph)
    }
}

/// What a plan says beside the resources.
struct Limits<'a> {
    shutdown_timeout: Duration,
    timeout_origin: String,
    startup_timeout: Option<Duration>,
    drain_delay: Delay,
    probe: Option<PlannedProbe>,
    /// What is not a doubt about the configuration is left out.
    warnings: &'a [Notice],
}

impl Limits<'_> {
    /// The plan of these resources. Nothing is left out of them, and there is no problem.
    fn of(self, graph: &Graph) -> Plan {
        let Self { shutdown_timeout, timeout_origin, startup_timeout, drain_delay, probe, warnings } = self;
        let budget = Budget::new(graph, shutdown_timeout);
        let (asked, delays_only_if_serving) = match drain_delay {
            Delay::Given(delay) => (delay, false),
            Delay::IfServing(delay) => (delay, !delay.is_zero()),
        };
        let drain_delay = budget.cap_delay(asked);
        let scaled =
            budget.scaled_from().map(|path| Notice::ReservesScaled { path, half: budget.timeout() / 2 });
        let capped = (drain_delay < asked && !delays_only_if_serving)
            .then_some(Notice::DelayCapped { asked, given: drain_delay });
        let mut in_words: Vec<String> = Vec::new();
        for notice in warnings.iter().chain(&scaled).chain(&capped) {
            in_words.push(Doubt(notice).to_string());
        }
        in_words.retain(|words| !words.is_empty());
        Plan {
            resources: resources(graph, &|id| budget.reserve(id), &|id| budget.cutoff(id, budget.timeout())),
            startup_timeout,
            shutdown_timeout,
            timeout_origin,
            drain_delay,
            delays_only_if_serving,
            probe,
            features: features(),
            left_out: Vec::new(),
            warnings: in_words,
            problems: Vec::new(),
        }
    }
}

/// The features that this crate is built with, as far as a deployment depends on them.
fn features() -> Vec<&'static str> {
    let mut features = Vec::new();
    for (name, is_enabled) in &[
        ("http", cfg!(feature = "http")),
        ("probe", cfg!(feature = "probe")),
        ("systemd", cfg!(feature = "systemd")),
    ] {
        features.extend(is_enabled.then_some(*name));
    }
    features
}
