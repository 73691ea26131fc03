//! The plan of an application: made without starting it, and shown instead of starting it.

use std::io::{self, Write};

use super::config::Config;
use crate::declare::roots::Planned;
use crate::driver::Doubt;
use crate::engine::budget::Budget;
use crate::engine::notice::Notice;
use crate::engine::settings::Delay;
use crate::model::exit_code;
use crate::model::report::Report;
use crate::picture::forms::PlanFormat;
use crate::picture::plan::{Plan, resources};
use crate::process::stderr;

/// Why a resource that is declared `supplied` keeps an application from starting.
pub(super) const NOT_SUPPLIED: &str = "it is declared `supplied`, and no instance was supplied: call `supply` on the builder, \
     which `#[lifecycle::main]` cannot, or do not select the resource";

/// Writes the plan to stdout. Returns the report of an application that was not started.
pub(super) fn show(config: &Config, planned: &Planned, format: PlanFormat) -> Report {
    let plan = plan(config, planned);
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
pub(super) fn plan(config: &Config, planned: &Planned) -> Plan {
    let Planned { plan: graph, left_out, not_supplied, .. } = planned;
    let budget = Budget::new(graph, config.shutdown_timeout);
    let (asked, delays_only_if_serving) = match config.drain_delay {
        Delay::Given(delay) => (delay, false),
        Delay::IfServing(delay) => (delay, !delay.is_zero()),
    };
    let drain_delay = budget.cap_delay(asked);
    let scaled = budget.scaled_from().map(|path| Notice::ReservesScaled { path, half: budget.timeout() / 2 });
    let capped = (drain_delay < asked && !delays_only_if_serving)
        .then_some(Notice::DelayCapped { asked, given: drain_delay });
    let warnings = config.warnings.iter().cloned().chain(scaled).chain(capped);
    Plan {
        resources: resources(graph, |id| budget.reserve(id), |id| budget.cutoff(id, budget.timeout())),
        startup_timeout: config.startup_timeout,
        shutdown_timeout: config.shutdown_timeout,
        timeout_origin: config.timeout_origin.to_string(),
        drain_delay,
        delays_only_if_serving,
        left_out: left_out.iter().map(|left_out| left_out.name).collect(),
        warnings: warnings.map(|notice| Doubt(&notice).to_string()).collect(),
        problems: not_supplied.iter().map(|name| format!("{name}: {NOT_SUPPLIED}")).collect(),
    }
}
