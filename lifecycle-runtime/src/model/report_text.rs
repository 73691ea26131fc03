//! The report as a person reads it: at the end of the log, or on stderr when the start has failed.

use std::fmt;
use std::time::Duration;

use super::duration::Human;
use super::failure::{Failure, Operation};
use super::phase::Reason;
use super::reload::Reloads;
use super::report::{Outcome, Report, ResourceReport};
use super::units::cut_off;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason == Reason::Configuration {
            explain_configuration(self, f)
        } else if let Some(failure) = self.failed_start() {
            explain_failed_start(self, failure, f)
        } else {
            explain_life(self, f)
        }
    }
}

fn explain_configuration(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "lifecycle: nothing was started: the configuration was refused")?;
    for failure in &report.failures {
        writeln!(f, "  {}", failure.cause())?;
    }
    writeln!(f, "  exit code: {}", report.exit_code)
}

fn explain_failed_start(report: &Report, first: &Failure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "lifecycle: the application did not start: {first}")?;
    writeln!(f, "  cause:         {}", first.cause())?;
    writeln!(f, "  needed by:     {}", needed_by(first))?;
    if let Some(resource) = report.resource(first.resource()) {
        writeln!(f, "  comes after:   {}", or_nothing(resource.after.join(", ")))?;
    }
    let (mut completed, mut rolled_back, mut untouched) = (Vec::new(), Vec::new(), Vec::new());
    for resource in &report.resources {
        let name = resource.name;
        if resource.was_acquired {
            completed.push(format!("{name} (in {})", Human(resource.acquire.unwrap_or_default())));
        }
        if resource.drain.is_some() && name != first.resource() {
            rolled_back.push(format!("{name} ({})", how_it_was_rolled_back(resource)));
        }
        if resource.outcome == Outcome::NeverStarted {
            untouched.push(name);
        }
    }
    rolled_back.reverse();
    writeln!(f, "  completed:     {}", or_nothing(completed.join(", ")))?;
    writeln!(f, "  rolled back:   {}", or_nothing(rolled_back.join(", ")))?;
    writeln!(f, "  never started: {}", or_nothing(untouched.join(", ")))?;
    for failure in report.failures.iter().filter(|failure| !std::ptr::eq(*failure, first)) {
        let kind = if failure.is_tolerated() { "tolerated:  " } else { "also failed:" };
        writeln!(f, "  {kind}   {failure}: {}", failure.cause())?;
    }
    writeln!(f, "  exit code:     {}", report.exit_code)
}

fn needed_by(failure: &Failure) -> String {
    match failure.chain() {
        chain if chain.len() < 2 => "the application itself".to_owned(),
        chain => chain.join(" → "),
    }
}

fn how_it_was_rolled_back(resource: &ResourceReport) -> String {
    let took = resource.drain.unwrap_or_default() + resource.release.unwrap_or_default();
    let mut text = match resource.outcome {
        Outcome::Clean => format!("released in {}", Human(took)),
        outcome if resource.release.is_some() => format!("{outcome} after {}", Human(took)),
        outcome => outcome.to_string(),
    };
    if !resource.stuck_tasks.is_empty() {
        text.push_str(", stuck: ");
        text.push_str(&resource.stuck_tasks.join(", "));
    }
    text
}

fn explain_life(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let took = report.stop_took.unwrap_or_default();
    writeln!(
        f,
        "stopped in {} of {}: {}; exit code {}",
        Human(took),
        Human(report.shutdown_timeout),
        report.reason,
        report.exit_code
    )?;
    let width =
        report.resources.iter().map(|resource| resource.name.len()).max().unwrap_or(0).max("resource".len());
    if !report.resources.is_empty() {
        writeln!(f, "  {:width$}  outcome        acquire   drain     release   in flight", "resource")?;
    }
    for resource in &report.resources {
        let ResourceReport { name, outcome, acquire, drain, release, in_flight, in_flight_by_kind, .. } =
            resource;
        let (acquire, drain, release) = (or_dash(*acquire), or_dash(*drain), or_dash(*release));
        write!(f, "  {name:width$}  {outcome:13}  {acquire:8}  {drain:8}  {release:8}  {in_flight}")?;
        if !in_flight_by_kind.are_tasks() {
            write!(f, " ({in_flight_by_kind})")?;
        }
        if resource.cut > 0 {
            let cut = cut_off(&resource.cut_by_kind, resource.excused, &resource.aborted_tasks.join(", "));
            write!(f, ", {cut}")?;
        }
        if !resource.stuck_tasks.is_empty() {
            write!(f, ", stuck: {}", resource.stuck_tasks.join(", "))?;
        }
        writeln!(f)?;
    }
    write_path(f, "started", &report.start_path)?;
    write_path(f, "stopped", &report.stop_path)?;
    let longest = report.resources.iter().filter(|resource| resource.drain.is_some()).max_by_key(|r| r.drain);
    if let Some(ResourceReport { name, drain: Some(drain), .. }) = longest {
        writeln!(f, "  longest drain: {name}, {} of {}", Human(*drain), Human(report.shutdown_timeout))?;
    }
    write_reloads(f, &report.reloads)?;
    for failure in &report.failures {
        let kind = if failure.is_tolerated() { "tolerated" } else { "failed" };
        writeln!(f, "  {kind}: {failure}: {}", failure.cause())?;
        if *failure.operation() == Operation::Acquire && failure.chain().len() > 1 {
            writeln!(f, "    needed by: {}", failure.chain().join(" → "))?;
        }
    }
    Ok(())
}

fn write_reloads(f: &mut fmt::Formatter<'_>, reloads: &Reloads) -> fmt::Result {
    let Reloads { count, failed, last_failed, .. } = reloads;
    if *count > 0 {
        writeln!(f, "  reloads: {count}, of which {failed} failed")?;
    }
    for failure in last_failed.iter().flat_map(|it| &it.failures) {
        writeln!(f, "    the last failure: {failure}: {}", failure.cause())?;
    }
    Ok(())
}

fn write_path(f: &mut fmt::Formatter<'_>, what: &str, path: &[&str]) -> fmt::Result {
    if path.len() > 1 { writeln!(f, "  {what} along: {}", path.join(" → ")) } else { Ok(()) }
}

fn or_dash(took: Option<Duration>) -> String {
    took.map_or("-".to_owned(), |took| Human(took).to_string())
}

fn or_nothing(items: String) -> String {
    if items.is_empty() { "nothing".to_owned() } else { items }
}
