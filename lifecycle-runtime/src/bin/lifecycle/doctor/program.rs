//! The application that is asked for its plan, or the plan that was printed elsewhere.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifecycle::private::program::in_words;
use serde_json::Value;
use tokio::time::timeout;

use super::facts::{Facts, Platform};
use super::source;
use super::variables::Variables;
use crate::group::{self, Group};
use crate::output::{quoted, tail};
use crate::signals;

/// The exit code of a configuration that is refused.
const REFUSED: i32 = 78;

pub(super) enum Program {
    /// Asked once for each deployment, with its variables.
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
        let text = source::text_of(file).map_err(|error| cannot(format!("it cannot be read: {error}")))?;
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
                let command: Vec<OsString> =
                    [path.clone().into()].into_iter().chain(arguments.clone()).collect();
                // What is set here is not what is set there, and an empty value is the same as none.
                let here = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
                let here: Vec<String> = here.filter(|name| name.starts_with("LIFECYCLE_")).collect();
                let emptied = here.iter().map(String::as_str).chain(MARKS).map(|name| (name, ""));
                let marks = platform.marks();
                let marks = marks.iter().map(|(name, value)| (*name, value.as_str()));
                let env: Vec<(&str, &str)> = emptied
                    .chain(marks)
                    .chain(variables.known())
                    .chain([("LIFECYCLE_PLAN", "json")])
                    .collect();
                run(&command, &env, *patience)
            }
        }
    }
}

/// What platforms set, and may be set here.
const MARKS: [&str; 4] = ["KUBERNETES_SERVICE_HOST", "pm_id", "SUPERVISOR_ENABLED", "NOTIFY_SOCKET"];

fn run(command: &[OsString], env: &[(&str, &str)], patience: Duration) -> Result<Answer, String> {
    let shown = command[0].to_string_lossy();
    let work = async {
        let mut group = Group::start(command, env)?;
        let ended = timeout(patience, group.end()).await;
        let printed = group.printed().await;
        Ok::<_, String>((ended, printed))
    };
    let (ended, (stdout, stderr)) = match signals::until_interrupted(work)? {
        Ok(outcome) => outcome?,
        // The application is gone.
        Err(code) => std::process::exit(code.into()),
    };
    let Ok(status) = ended else {
        return Err(format!(
            "`{shown}` did not end within {}, and was killed: it does not seem to be built with lifecycle, or it takes \
             longer (--timeout); --plan takes a plan that was printed elsewhere",
            in_words(patience)
        ));
    };
    let status = status?;
    if let Some(plan) = plan_in(&stdout) {
        return Facts::read(&plan)
            .map(Answer::Facts)
            .map_err(|what| format!("the plan of `{shown}`: {what}"));
    }
    if status.code() == Some(REFUSED) {
        let named = stderr.lines().find(|line| line.contains("LIFECYCLE_"));
        let why = named.or(stderr.lines().next()).unwrap_or("exit code 78").trim().to_owned();
        return Ok(Answer::Refused(why));
    }
    Err(format!(
        "`{shown}` {} and has printed no plan: it does not seem to be built with lifecycle, or it ends before it \
         starts (--argument gives it arguments)\n{}",
        group::in_words(status),
        quoted(&tail(&stderr, 5)).trim_end()
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
