//! The examination: the files one after the other, with what they share.

use std::time::Duration;

use lifecycle::private::program::in_words;

use super::command;
use super::facts::{Facts, Origin, Platform};
use super::findings::{Findings, Place};
use super::image::Image;
use super::program::{Answer, Answers, Program};
use super::rules::{CHILDREN, GRACE_TOO_SHORT, GRACE_UNUSED, REFUSED, SHELL, UNKNOWN_VARIABLE};
use super::source::Source;
use super::span::spelled;
use super::variables::Variables;
use super::words::base;

pub(super) struct Doctor<'a> {
    program: &'a Program,
    answers: Answers,
    pub(super) sources: &'a [Source],
    /// The names that were given for what runs the program.
    pub(super) given: &'a [String],
    /// Variables that were given.
    given_variables: Variables,
    pub(super) children: bool,
    pub(super) findings: Findings,
    /// The image that containers run, if one Dockerfile is among the files.
    pub(super) image: Option<Image>,
    /// What was deployed, for balancers that know nothing of it.
    pub(super) deployed: Vec<Facts>,
}

impl<'a> Doctor<'a> {
    pub(super) fn new(
        program: &'a Program,
        sources: &'a [Source],
        given: &'a [String],
        env: &[(String, String)],
        children: bool,
        findings: Findings,
    ) -> Self {
        let mut given_variables = Variables::default();
        for (name, value) in env {
            given_variables.set(name, Some(value.clone()), None);
        }
        let answers = Answers::default();
        Self {
            program,
            answers,
            sources,
            given,
            given_variables,
            children,
            findings,
            image: None,
            deployed: Vec::new(),
        }
    }

    /// What goes wrong says in which file.
    pub(super) fn in_file<T>(
        &mut self,
        file: usize,
        examine: impl Fn(&mut Self, usize) -> Result<T, String>,
    ) -> Result<T, String> {
        examine(self, file).map_err(|what| format!("{}: {what}", self.sources[file].name))
    }

    pub(super) fn program(&self) -> &'a str {
        self.program.name()
    }

    /// Asks the application. `None` if it refuses the variables, which is a finding.
    pub(super) fn facts(
        &mut self,
        platform: Platform,
        variables: &mut Variables,
        place: Place,
    ) -> Result<Option<Facts>, String> {
        *variables = self.given_variables.upon(variables);
        if self.given_variables != Variables::default() {
            variables.elsewhere = None;
        }
        let facts = match self.answers.ask(self.program, platform, variables)? {
            Answer::Facts(facts) => facts,
            Answer::Refused(why) => {
                let named = variables.names().find(|name| why.contains(*name)).map(str::to_owned);
                let place = named.and_then(|name| variables.place(&name)).unwrap_or(place);
                self.findings.add(&REFUSED, place, why);
                return Ok(None);
            }
        };
        let names: Vec<&str> = variables.names().collect();
        for name in names {
            if let Some(warning) = facts.warnings.iter().find(|it| it.split(' ').next() == Some(name)) {
                self.findings.add(&UNKNOWN_VARIABLE, variables.place(name).unwrap_or(place), warning.clone());
            }
        }
        Ok(Some(facts))
    }

    /// Holds a grace period against the stop. `hook` is what is waited before the signal.
    pub(super) fn grace(&mut self, grace: &Grace<'_>, facts: &Facts, variables: &Variables) {
        let Grace { setting, period, place, hook } = *grace;
        // What the first one says counts, whatever the second one does.
        let deciding = match variables.get("LIFECYCLE_SHUTDOWN_TIMEOUT") {
            Some(_) => &[][..],
            None => &["LIFECYCLE_SHUTDOWN_TIMEOUT", "LIFECYCLE_GRACE_PERIOD"],
        };
        if let Some(unknown) = deciding.iter().find(|name| variables.may_have(name)) {
            self.not_known(unknown, variables, place);
            return;
        }
        let (needed, timeout) = (hook + facts.needed(), in_words(facts.shutdown_timeout));
        let after =
            if hook.is_zero() { String::new() } else { format!(" after a hook of {}", in_words(hook)) };
        if period < needed {
            let what = format!(
                "{setting} is {}, and the stop may take {timeout}{after}, and the watchdog a moment more: {} in all",
                in_words(period),
                in_words(needed)
            );
            let setting = setting.trim_end_matches(" (the default)");
            let seconds = needed.as_millis().div_ceil(1_000);
            let enough = match setting {
                "kill_timeout" => format!("{} ms", needed.as_millis()),
                _ => format!("{seconds} s"),
            };
            let left = spelled(period.saturating_sub(hook) * 4 / 5);
            let mend = match period > hook {
                true => format!("{setting}: at least {enough}; or LIFECYCLE_SHUTDOWN_TIMEOUT={left}"),
                false => format!("{setting}: at least {enough}"),
            };
            self.findings.add_with(&GRACE_TOO_SHORT, place, what, mend);
        }
    }

    /// Holds a long grace period against a stop that does not know of it.
    pub(super) fn grace_is_used(&mut self, grace: &Grace<'_>, facts: &Facts, variables: &Variables) {
        let Grace { setting, period, place, hook } = *grace;
        let is_told = variables.get("LIFECYCLE_GRACE_PERIOD").is_some()
            || ["LIFECYCLE_SHUTDOWN_TIMEOUT", "LIFECYCLE_GRACE_PERIOD"]
                .iter()
                .any(|name| variables.may_have(name));
        let left = period.saturating_sub(hook);
        if is_told || facts.origin != Origin::Default || left <= facts.shutdown_timeout * 2 {
            return;
        }
        let what = format!(
            "{setting} leaves {}, and the stop is over after {} at the latest",
            in_words(left),
            in_words(facts.shutdown_timeout)
        );
        let mend = format!("LIFECYCLE_SHUTDOWN_TIMEOUT={}", spelled(left * 4 / 5));
        self.findings.add_with(&GRACE_UNUSED, place, what, mend);
    }

    pub(super) fn not_known(&mut self, name: &str, variables: &Variables, place: Place) {
        let place = variables.place(name).or(variables.elsewhere).unwrap_or(place);
        self.findings.note(
            place,
            format!("{name} is not known here, and what depends on it is not checked (--env sets it)"),
        );
    }

    /// Whether a shell keeps signals from the program.
    pub(super) fn shell(&mut self, words: &[String], place: Place) {
        if let Some(what) = command::keeps_signals(words, self.program()) {
            self.findings.add(&SHELL, place, what);
        }
    }

    /// Whether a small init sends signals to more than the program.
    pub(super) fn init(&mut self, words: &[String], place: Place) {
        let Some(first) = words.first().filter(|_| self.children) else { return };
        let options: Vec<&str> =
            words[1..].iter().map(String::as_str).take_while(|it| it.starts_with('-')).collect();
        let to_all = match base(first) {
            "dumb-init" => !options.iter().any(|it| ["--single-child", "-c"].contains(it)),
            "tini" => options.contains(&"-g"),
            _ => false,
        };
        if to_all {
            self.findings.add(
                &CHILDREN,
                place,
                format!("`{first}` sends signals to the whole process group"),
            );
        }
    }
}

/// The time between asking a process to stop and killing it.
#[derive(Clone, Copy)]
pub(super) struct Grace<'a> {
    pub(super) setting: &'a str,
    pub(super) period: Duration,
    pub(super) place: Place,
    pub(super) hook: Duration,
}
