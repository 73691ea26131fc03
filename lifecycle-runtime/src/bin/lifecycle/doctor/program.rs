//! The application that is asked for its plan, or the plan that was printed elsewhere.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use serde_json::Value;

use super::facts::{Facts, Platform};
use super::variables::Variables;

/// No more of what a program prints is read.
const MOST: u64 = 16 << 20;

/// The exit code of a configuration that is refused.
const REFUSED: i32 = 78;

pub(super) enum Program {
    /// Asked anew for each deployment, with its variables.
    Binary {
        path: PathBuf,
        arguments: Vec<OsString>,
        patience: Duration,
    },
    Printed(Facts),
}

/// The answer.
#[derive(Clone)]
pub(super) enum Answer {
    Facts(Facts),
    /// With these variables it would not start; and why.
    Refused(String),
}

impl Program {
    /// A plan from a file.
    pub(super) fn printed(file: &Path) -> Result<Self, String> {
        let cannot = |what: String| format!("{}: {what}", file.display());
        let text =
            std::fs::read_to_string(file).map_err(|error| cannot(format!("it cannot be read: {error}")))?;
        let plan = plan_in(&text).ok_or_else(|| {
            cannot(
                "this is not the plan of an application: make one with LIFECYCLE_PLAN=json ./app > plan.json"
                    .to_owned(),
            )
        })?;
        Facts::read(&plan).map(Self::Printed).map_err(cannot)
    }

    /// The name by which deployments are searched for it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Binary { path, .. } => path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
            Self::Printed(_) => "",
        }
    }

    pub(super) fn ask(&self, platform: Platform, variables: &Variables) -> Result<Answer, String> {
        match self {
            Self::Printed(facts) => Ok(Answer::Facts(facts.clone().moved(platform, variables))),
            Self::Binary { path, arguments, patience } => {
                let mut command = Command::new(path);
                command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                // What is set here is not what is set there.
                let here = env::vars_os().map(|(name, _)| name);
                let of_platforms =
                    ["KUBERNETES_SERVICE_HOST", "pm_id", "SUPERVISOR_ENABLED", "NOTIFY_SOCKET"];
                for name in here.filter(|name| name.to_string_lossy().starts_with("LIFECYCLE_")) {
                    command.env_remove(name);
                }
                for name in of_platforms {
                    command.env_remove(name);
                }
                let marks = platform.marks();
                command.envs(marks).envs(variables.known()).env("LIFECYCLE_PLAN", "json");
                run(command, path, *patience)
            }
        }
    }
}

fn run(mut command: Command, path: &Path, patience: Duration) -> Result<Answer, String> {
    let shown = path.display();
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().map_err(|error| format!("`{shown}` cannot be run: {error}"))?;
    let mut group = Group(child);
    let (stdout, stderr) = (reader(group.0.stdout.take()), reader(group.0.stderr.take()));
    let printed = stdout.recv_timeout(patience).map_err(|_| {
        format!(
            "`{shown}` has printed no plan within {} s, and was killed: it does not seem to be built with lifecycle; \
             --plan takes a plan that was printed elsewhere",
            patience.as_secs()
        )
    })?;
    let status = group.0.wait().map_err(|error| format!("`{shown}` cannot be waited for: {error}"))?;
    let said = stderr.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    if let Some(plan) = plan_in(&printed) {
        return Facts::read(&plan)
            .map(Answer::Facts)
            .map_err(|what| format!("the plan of `{shown}`: {what}"));
    }
    if status.code() == Some(REFUSED) {
        let lines: Vec<&str> =
            said.lines().map(str::trim).filter(|line| line.contains("LIFECYCLE_")).collect();
        let why = lines
            .first()
            .or(said.lines().map(str::trim).next().as_ref())
            .map_or("exit code 78", |line| line)
            .to_owned();
        return Ok(Answer::Refused(why));
    }
    let end: Vec<&str> = said.lines().rev().take(5).collect();
    let end: String = end.iter().rev().map(|line| format!("\n  | {line}")).collect();
    Err(format!(
        "`{shown}` has printed no plan ({status}): it does not seem to be built with lifecycle, or it ends before it \
         starts (--argument gives it arguments){end}"
    ))
}

/// The last line that is a plan: a program may print others before.
fn plan_in(text: &str) -> Option<Value> {
    let lines = text.lines().rev().filter(|line| line.starts_with('{'));
    let mut plans = lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|plan: &Value| plan.get("schema").is_some());
    plans
        .next()
        .or_else(|| serde_json::from_str(text).ok().filter(|plan: &Value| plan.get("schema").is_some()))
}

/// A process group that is killed when this is dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Ok(id) = i32::try_from(self.0.id()) {
            let _ =
                nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a stream to its end on a thread of its own, and sends what it gave.
fn reader(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.map(|stream| stream.take(MOST).read_to_end(&mut bytes));
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// Answers that were given before.
#[derive(Default)]
pub(super) struct Answers(HashMap<String, Answer>);

impl Answers {
    pub(super) fn ask(
        &mut self,
        program: &Program,
        platform: Platform,
        variables: &Variables,
    ) -> Result<Answer, String> {
        let mut asked: Vec<(&str, &str)> = variables.known().collect();
        asked.sort_unstable();
        let key = format!("{platform:?} {asked:?}");
        if let Some(answer) = self.0.get(&key) {
            return Ok(answer.clone());
        }
        let answer = program.ask(platform, variables)?;
        self.0.insert(key, answer.clone());
        Ok(answer)
    }
}
