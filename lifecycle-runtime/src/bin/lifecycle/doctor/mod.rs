//! `lifecycle doctor`: holds the plan of an application against the files that it is deployed with.

mod case;
mod choice;
mod command;
mod compose;
mod containers;
mod dockerfile;
mod facts;
mod findings;
mod haproxy;
mod health;
mod image;
mod inheritance;
mod kind;
mod kubernetes;
mod kubernetes_pod;
mod kubernetes_probes;
mod node;
mod object;
mod output;
mod pm2;
mod pod;
mod program;
mod rules;
mod script;
mod shell;
mod source;
mod span;
mod stages;
mod systemd;
mod unit;
mod variables;
mod words;
mod wrapper;
mod yaml;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lifecycle::private::program::duration;

use self::case::Doctor;
use self::findings::Findings;
use self::kind::Kind;
use self::program::Program;
use self::source::Source;
use crate::Outcome;
use crate::WRONG;

/// Wrong usage.
const MISUSED: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  lifecycle doctor ./server deployment.yaml
  lifecycle doctor ./server server.service server.service.d/*.conf
  lifecycle doctor ./server Dockerfile start.sh compose.yaml haproxy.cfg
  helm template ./chart | lifecycle doctor ./server -
  LIFECYCLE_PLAN=json ./server > plan.json
  lifecycle doctor --plan plan.json deployment.yaml

A comment allows a rule to be broken, in the line before or at the end of it,
or at the head of the file for all of it:
  # lifecycle: allow RULE because …

Exit codes: 0 nothing was found, 1 something was, 2 wrong usage, 3 something
could not be looked at.";

const USAGE: &str = "lifecycle doctor [OPTIONS] PROGRAM FILE...
       lifecycle doctor [OPTIONS] --plan PLAN FILE...";

/// Holds the plan of an application against the files that it is deployed with,
/// and names what would lose requests.
///
/// It reads Kubernetes manifests, systemd units with their drop-ins, Compose
/// files, Dockerfiles and the scripts that they start, PM2's ecosystem files, and
/// HAProxy's configuration; `-` is stdin. The program is run with LIFECYCLE_PLAN
/// set and the variables of each file: it prints its plan and ends.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Arguments {
    /// The program, unless there is --plan; and the files.
    #[arg(required_unless_present = "rules", value_name = "PROGRAM FILE")]
    words: Vec<String>,
    /// A plan that was printed elsewhere with LIFECYCLE_PLAN=json.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The container, Compose service, unit, PM2 app or HAProxy backend that the
    /// program is; otherwise it is known by its name, or as the only one.
    #[arg(long, value_name = "NAME")]
    container: Vec<String>,
    /// What kind of file the files are.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// A variable that is set elsewhere, such as in a ConfigMap.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The program starts child processes.
    #[arg(long)]
    children: bool,
    /// Allows a rule to be broken everywhere.
    #[arg(long, value_name = "RULE", value_parser = rule)]
    allow: Vec<&'static str>,
    /// An argument for the program.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    argument: Vec<OsString>,
    /// How long the program may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// The form of what is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Prints the rules.
    #[arg(long)]
    rules: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    split
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected NAME=VALUE".to_owned())
}

fn rule(id: &str) -> Result<&'static str, String> {
    rules::named(id)
        .map(|rule| rule.id)
        .ok_or_else(|| "there is no such rule: --rules prints them".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if arguments.rules {
        crate::output::deliver(&output::rules(arguments.format), None)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (program, names) = match (&arguments.plan, arguments.words.split_first()) {
        (Some(plan), _) => (Program::printed(plan)?, &arguments.words[..]),
        (None, Some((path, names))) => {
            let (path, patience) = (path.into(), arguments.timeout);
            (Program::Binary { path, arguments: arguments.argument.clone(), patience }, names)
        }
        (None, None) => return Err("no PROGRAM is given".to_owned()),
    };
    if names.is_empty() {
        crate::output::complain("no FILE is given: which files is the program deployed with?");
        return Ok(ExitCode::from(MISUSED));
    }
    let (sources, findings) = examine(arguments, &program, names)?;
    let text = match arguments.format {
        Format::Text => output::text(&sources, &findings, crate::output::has_colours()),
        Format::Json => output::json(&sources, &findings),
    };
    crate::output::deliver(&text, None)?;
    Ok(if findings.all.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

fn examine(
    arguments: &Arguments,
    program: &Program,
    names: &[String],
) -> Result<(Vec<Source>, Findings), String> {
    let mut findings = Findings::default();
    let mut sources = Vec::new();
    for name in names {
        sources.push(Source::read(name, arguments.kind)?);
    }
    for (file, source) in sources.iter_mut().enumerate() {
        source.read_allowed(file, &mut findings);
    }
    let mut doctor =
        Doctor::new(program, &sources, &arguments.container, &arguments.env, arguments.children, findings);
    examine_all(&mut doctor)?;
    let mut findings = doctor.findings;
    let is_allowed = |rule: &str| arguments.allow.contains(&rule);
    findings
        .all
        .retain(|finding| !is_allowed(finding.rule.id) && !sources[finding.place.file].allows(finding));
    findings.all.sort_by_key(|finding| (finding.place, finding.rule.id));
    Ok((sources, findings))
}

/// Images come first, because containers have their variables; and balancers last, because they know nothing of the
/// variables that were set elsewhere.
fn examine_all(doctor: &mut Doctor<'_>) -> Result<(), String> {
    let of = |wanted: &[Kind]| -> Vec<usize> {
        let all = doctor.sources.iter().enumerate();
        all.filter(|(_, source)| wanted.contains(&source.kind)).map(|(file, _)| file).collect()
    };
    let (images, others) =
        (of(&[Kind::Dockerfile]), of(&[Kind::Kubernetes, Kind::Compose, Kind::Pm2, Kind::Script]));
    let (units, balancers) = (of(&[Kind::Systemd]), of(&[Kind::Haproxy]));
    let is_the_only_one = images.len() == 1;
    for file in images {
        let image = doctor.in_file(file, dockerfile::examine)?;
        doctor.image = image.filter(|_| is_the_only_one);
    }
    for file in others {
        doctor.in_file(file, |doctor, file| match doctor.sources[file].kind {
            Kind::Kubernetes => kubernetes::examine(doctor, file),
            Kind::Compose => compose::examine(doctor, file),
            Kind::Pm2 => pm2::examine(doctor, file),
            _ => {
                script::examine(doctor, file);
                Ok(())
            }
        })?;
    }
    systemd::examine(doctor, &units)?;
    for file in balancers {
        doctor.in_file(file, haproxy::examine)?;
    }
    Ok(())
}
