//! The configuration: what the code and the environment ask for, and what follows from that.

use std::env::VarError;
use std::path::{PathBuf, absolute};
use std::time::Duration;

use super::environment::Environment;
use super::timeline::Timeline;
use crate::engine::notice::Notice;
use crate::engine::settings::Delay;
use crate::model::duration::{DurationError, parse};
use crate::model::failure::{Cause, Failure, Operation};
use crate::model::planned_probe::PlannedProbe;
use crate::model::platform::{Grace, Origin, Platform, is_kubernetes};
use crate::model::reload::Hangup;
use crate::picture::forms::PlanFormat;
#[cfg(feature = "probe")]
use crate::probe::Probe;

const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);
const DEFAULT_STARTUP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it takes Kubernetes to take a pod out of its endpoints, with some to spare (rule D4).
const KUBERNETES_DELAY: Duration = Duration::from_secs(5);

/// The options set in code. `None` means "not set".
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) startup_timeout: Option<StartupTimeout>,
    pub(crate) drain_delay: Option<Duration>,
    pub(crate) hangup: Option<Hangup>,
    #[cfg(feature = "probe")]
    pub(crate) probe: Option<Probe>,
}

/// How long the start may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartupTimeout {
    Unlimited,
    Limit(Duration),
}

impl StartupTimeout {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        limit.map_or(Self::Unlimited, Self::Limit)
    }

    fn limit(self) -> Option<Duration> {
        match self {
            Self::Unlimited => None,
            Self::Limit(limit) => Some(limit),
        }
    }
}

/// The effective configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) shutdown_timeout: Duration,
    pub(crate) timeout_origin: Origin,
    pub(crate) startup_timeout: Option<Duration>,
    pub(crate) drain_delay: Delay,
    pub(super) hangup: Option<Hangup>,
    /// What was accepted, and is probably not meant (rule S7).
    pub(crate) warnings: Vec<Notice>,
    #[cfg(feature = "probe")]
    pub(crate) probe: Option<Probe>,
    /// The plan is shown in this form, and nothing is started.
    pub(super) plan: Option<PlanFormat>,
    pub(super) timeline: Option<Timeline>,
    /// Where the process keeps where it is. A relative path counts from the working directory of now.
    pub(super) black_box: Option<PathBuf>,
    pub(super) is_in_kubernetes: bool,
}

impl Config {
    #[cfg(feature = "probe")]
    pub(super) fn planned_probe(&self) -> Option<PlannedProbe> {
        self.probe.map(Probe::planned)
    }

    #[cfg(not(feature = "probe"))]
    #[expect(clippy::unused_self, reason = "there is a probe with the feature")]
    pub(super) fn planned_probe(&self) -> Option<PlannedProbe> {
        None
    }
}

/// What of a grace period is for the application: it leaves some to the watchdog, and to a slow machine.
fn fitting(grace: Grace) -> Duration {
    grace.period.saturating_mul(4) / 5
}

impl Options {
    /// The environment overrides the code, so that an operator needs no rebuild. All mistakes are reported at once.
    pub(crate) fn resolve(
        self,
        environment: &Environment,
        platform: Option<Grace>,
    ) -> Result<Config, Vec<Failure>> {
        let env = |variable: &str| environment.var(variable);
        let mut refused = Vec::new();
        let mut read = |variable: &str, hint: &str| match env(variable) {
            Err(VarError::NotPresent) => None,
            Ok(value) => match parse(&value) {
                Ok(duration) => Some(duration),
                Err(error) => {
                    refused.push(refuse(format!("{variable}={value:?}: {error}{hint}")));
                    None
                }
            },
            Err(VarError::NotUnicode(value)) => {
                let expected = DurationError::Form;
                refused.push(refuse(format!("{variable}={value:?} is not valid UTF-8: {expected}")));
                None
            }
        };
        let told_timeout = read("LIFECYCLE_SHUTDOWN_TIMEOUT", "");
        let asked_timeout = told_timeout.or(self.shutdown_timeout);
        let startup_timeout = match env("LIFECYCLE_STARTUP_TIMEOUT") {
            Ok(value) if value == "none" => Some(StartupTimeout::Unlimited),
            Ok(_) | Err(_) => read("LIFECYCLE_STARTUP_TIMEOUT", "; for no limit, write \"none\"")
                .map(StartupTimeout::Limit)
                .or(self.startup_timeout),
        };
        let drain_delay = read("LIFECYCLE_DRAIN_DELAY", "").or(self.drain_delay);
        let is_in_kubernetes = is_kubernetes(|variable| environment.get(variable));
        let default_delay = if is_in_kubernetes { KUBERNETES_DELAY } else { Duration::ZERO };
        let told_grace = read("LIFECYCLE_GRACE_PERIOD", "");
        #[cfg(feature = "probe")]
        let probe = Probe::resolve(self.probe, env("LIFECYCLE_PROBE_ADDR")).unwrap_or_else(|what| {
            refused.push(refuse(what));
            None
        });
        #[cfg(not(feature = "probe"))]
        if env("LIFECYCLE_PROBE_ADDR") != Err(VarError::NotPresent) {
            let what = "LIFECYCLE_PROBE_ADDR is set, but this program is built without the feature `probe` of lifecycle-runtime";
            refused.push(refuse(what.to_owned()));
        }
        let plan = match env("LIFECYCLE_PLAN") {
            Err(VarError::NotPresent) => None,
            value => {
                let known = |value: &String| PlanFormat::named(value);
                let format = value.as_ref().ok().and_then(known);
                if format.is_none() {
                    let value = value.map_or_else(|error| error.to_string(), |value| format!("{value:?}"));
                    let known = PlanFormat::ALL.map(|(name, _)| name).join(", ");
                    refused.push(refuse(format!("LIFECYCLE_PLAN={value}: expected one of {known}")));
                }
                format
            }
        };
        let timeline = environment.get("LIFECYCLE_TIMELINE").map(Timeline::named).transpose();
        let timeline = timeline.unwrap_or_else(|what| {
            refused.push(refuse(what));
            None
        });
        let black_box = environment.get("LIFECYCLE_BLACK_BOX");
        if asked_timeout == Some(Duration::ZERO) {
            let what =
                "`shutdown_timeout` is zero: nothing could be released; leave it out for the default of 25s";
            refused.push(refuse(what.to_owned()));
        }
        if startup_timeout == Some(StartupTimeout::Limit(Duration::ZERO)) {
            let what = "`startup_timeout` is zero: nothing could be acquired; write \"none\" for no limit";
            refused.push(refuse(what.to_owned()));
        }
        if told_grace == Some(Duration::ZERO) {
            let what =
                "LIFECYCLE_GRACE_PERIOD is zero: nothing could be released; leave it out if it is not known";
            refused.push(refuse(what.to_owned()));
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        let grace = told_grace.map(|period| Grace { period, platform: Platform::Told }).or(platform);
        let mut warnings = environment.unknown();
        let (shutdown_timeout, timeout_origin) =
            match (asked_timeout, grace) {
                (Some(timeout), grace) => {
                    let too_short = grace.filter(|grace| timeout >= grace.period);
                    warnings.extend(too_short.map(|Grace { period: grace, platform }| {
                        Notice::GraceTooShort { timeout, grace, platform }
                    }));
                    (timeout, if told_timeout.is_some() { Origin::Environment } else { Origin::Code })
                }
                (None, Some(grace)) if fitting(grace) < DEFAULT_SHUTDOWN_TIMEOUT => {
                    (fitting(grace), Origin::Grace(grace))
                }
                (None, _) => (DEFAULT_SHUTDOWN_TIMEOUT, Origin::Default),
            };
        Ok(Config {
            shutdown_timeout,
            timeout_origin,
            warnings,
            startup_timeout: startup_timeout.map_or(Some(DEFAULT_STARTUP_TIMEOUT), StartupTimeout::limit),
            drain_delay: drain_delay.map_or(Delay::IfServing(default_delay), Delay::Given),
            hangup: self.hangup,
            #[cfg(feature = "probe")]
            probe,
            plan,
            timeline,
            black_box: black_box.map(|path| absolute(&path).unwrap_or(path.into())),
            is_in_kubernetes,
        })
    }
}

/// What the process lacks to be started (rule S1).
pub(crate) fn lack(what: String) -> Failure {
    Failure::new("process", Operation::Prepare, Cause::Error(what.into()))
}

pub(crate) fn refuse(what: String) -> Failure {
    Failure::new("configuration", Operation::Configure, Cause::Error(what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::environment::KNOWN;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn resolve(options: Options, env: &[(&str, &str)]) -> Result<Config, String> {
        let join =
            |failures: Vec<Failure>| failures.iter().map(Failure::cause).collect::<Vec<_>>().join("\n");
        options.resolve(&environment(env), None).map_err(join)
    }

    #[test]
    fn the_default_fits_the_grace_period_and_an_explicit_value_that_does_not_is_warned_of() {
        let grace = |millis| Some(Grace { period: Duration::from_millis(millis), platform: Platform::Pm2 });
        let none = environment(&[]);
        let default = |millis| Options::default().resolve(&none, grace(millis)).unwrap();
        assert_eq!(default(1_600).shutdown_timeout, Duration::from_millis(1_280));
        assert_eq!(default(30_000).shutdown_timeout, Duration::from_secs(24));
        assert_eq!(default(60_000).shutdown_timeout, Duration::from_secs(25));
        assert!(default(1_600).warnings.is_empty());
        let said = Options { shutdown_timeout: Some(Duration::from_secs(30)), ..Options::default() };
        let warnings = said.resolve(&none, grace(30_000)).unwrap().warnings;
        assert!(matches!(warnings[..], [Notice::GraceTooShort { .. }]), "{warnings:?}");
        assert!(said.resolve(&none, grace(31_000)).unwrap().warnings.is_empty());
    }

    #[test]
    fn it_is_known_where_the_shutdown_timeout_comes_from() {
        let grace = |seconds| Grace { period: Duration::from_secs(seconds), platform: Platform::Container };
        let said = Options { shutdown_timeout: Some(Duration::from_secs(5)), ..Options::default() };
        let check = |options: Options, env: &[_], platform, expected| {
            let config = options.resolve(&environment(env), platform).unwrap();
            assert_eq!(config.timeout_origin, expected);
        };
        check(Options::default(), &[], None, Origin::Default);
        check(Options::default(), &[], Some(grace(10)), Origin::Grace(grace(10)));
        check(Options::default(), &[], Some(grace(60)), Origin::Default);
        check(said, &[], Some(grace(10)), Origin::Code);
        check(said, &[("LIFECYCLE_SHUTDOWN_TIMEOUT", "4s")], Some(grace(10)), Origin::Environment);
        let told = Grace { period: Duration::from_secs(20), platform: Platform::Told };
        check(Options::default(), &[("LIFECYCLE_GRACE_PERIOD", "20s")], Some(grace(10)), Origin::Grace(told));
    }

    #[test]
    fn every_variable_may_be_empty_and_is_unset_then() {
        let empty = KNOWN.map(|name| (name, ""));
        let config = resolve(Options::default(), &empty).unwrap();
        assert_eq!(config.shutdown_timeout, Duration::from_secs(25));
        assert_eq!(config.startup_timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.drain_delay, Delay::IfServing(Duration::ZERO));
        let blank = KNOWN.map(|name| (name, " "));
        assert!(resolve(Options::default(), &blank).is_ok());
    }

    /// The grammar is that of attributes; the table of its tests is beside it.
    #[test]
    fn durations_are_written_as_in_attributes() {
        let timeout = |value| {
            let config = resolve(Options::default(), &[("LIFECYCLE_SHUTDOWN_TIMEOUT", value)]);
            config.map(|config| config.shutdown_timeout)
        };
        assert_eq!(timeout("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(timeout("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(timeout("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(timeout("  250ms\n"), Ok(Duration::from_millis(250)));
        assert!(timeout("1,5s").is_err());
        let none = resolve(Options::default(), &[("LIFECYCLE_STARTUP_TIMEOUT", " none ")]).unwrap();
        assert_eq!(none.startup_timeout, None);
    }

    #[test]
    fn an_unknown_variable_is_warned_of_and_refuses_nothing() {
        let config = resolve(Options::default(), &[("LIFECYCLE_SHUTDOWN_TIMOUT", "5s")]).unwrap();
        assert_eq!(config.shutdown_timeout, Duration::from_secs(25));
        assert!(matches!(config.warnings[..], [Notice::UnknownVariable { .. }]), "{:?}", config.warnings);
    }

    #[test]
    fn what_is_told_about_the_grace_period_wins_over_what_is_known_of_the_platform() {
        let config = resolve(Options::default(), &[("LIFECYCLE_GRACE_PERIOD", "10s")]).unwrap();
        assert_eq!(config.shutdown_timeout, Duration::from_secs(8));
        let refused = resolve(Options::default(), &[("LIFECYCLE_GRACE_PERIOD", "0s")]).unwrap_err();
        assert!(refused.contains("LIFECYCLE_GRACE_PERIOD is zero"), "{refused}");
    }

    #[test]
    fn the_environment_wins_over_the_code_and_the_code_over_the_defaults() {
        let config = resolve(Options::default(), &[]).unwrap();
        assert_eq!(config.shutdown_timeout, Duration::from_secs(25));
        assert_eq!(config.startup_timeout, Some(Duration::from_secs(60)));
        let said = Options { shutdown_timeout: Some(Duration::from_secs(30)), ..Options::default() };
        assert_eq!(resolve(said, &[]).unwrap().shutdown_timeout, Duration::from_secs(30));
        let env = [("LIFECYCLE_SHUTDOWN_TIMEOUT", "5s"), ("LIFECYCLE_STARTUP_TIMEOUT", "none")];
        let config = resolve(said, &env).unwrap();
        assert_eq!(config.shutdown_timeout, Duration::from_secs(5));
        assert_eq!(config.startup_timeout, None);
    }

    #[test]
    fn in_kubernetes_what_serves_has_a_delay_unless_another_was_given() {
        let delay = |options, env: &[(&str, &str)]| resolve(options, env).unwrap().drain_delay;
        let kubernetes = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        let given = |millis| Delay::Given(Duration::from_millis(millis));
        assert_eq!(delay(Options::default(), &[]), Delay::IfServing(Duration::ZERO));
        assert_eq!(delay(Options::default(), &[kubernetes]), Delay::IfServing(Duration::from_secs(5)));
        let said = Options { drain_delay: Some(Duration::ZERO), ..Options::default() };
        assert_eq!(delay(said, &[kubernetes]), given(0));
        assert_eq!(delay(said, &[kubernetes, ("LIFECYCLE_DRAIN_DELAY", "250ms")]), given(250));
    }

    #[test]
    fn everything_malformed_is_told_at_once_with_name_value_and_form() {
        let env = [("LIFECYCLE_SHUTDOWN_TIMEOUT", "30"), ("LIFECYCLE_STARTUP_TIMEOUT", "never")];
        assert_eq!(
            resolve(Options::default(), &env).unwrap_err(),
            "LIFECYCLE_SHUTDOWN_TIMEOUT=\"30\": expected a duration such as \"250ms\", \"1.5s\" or \"1m 30s\"; \
             write the unit: \"30s\"\n\
             LIFECYCLE_STARTUP_TIMEOUT=\"never\": expected a duration such as \"250ms\", \"1.5s\" or \"1m 30s\"; \
             for no limit, write \"none\""
        );
    }

    #[test]
    fn a_plan_is_asked_for_in_one_of_five_forms() {
        let plan =
            |value| resolve(Options::default(), &[("LIFECYCLE_PLAN", value)]).map(|config| config.plan);
        assert_eq!(plan("svg"), Ok(Some(PlanFormat::Svg)));
        assert_eq!(
            plan("png").unwrap_err(),
            "LIFECYCLE_PLAN=\"png\": expected one of text, dot, mermaid, json, svg"
        );
    }

    #[test]
    fn zero_is_refused() {
        let refused = resolve(Options::default(), &[("LIFECYCLE_SHUTDOWN_TIMEOUT", "0s")]).unwrap_err();
        assert!(refused.contains("`shutdown_timeout` is zero"), "{refused}");
    }
}
