//! What the rules need to know of the application: its times, its probe, and how it is built.

use std::net::SocketAddr;
use std::time::Duration;

use lifecycle::private::program::duration;
use serde_json::Value;

use super::variables::Variables;

/// The plan, as far as the rules depend on it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) shutdown_timeout: Duration,
    pub(super) origin: Origin,
    /// `None` for no limit.
    pub(super) startup_timeout: Option<Duration>,
    /// `None` if it is not known.
    pub(super) drain_delay: Option<Duration>,
    /// It is the default in Kubernetes, for what serves requests.
    is_default_delay: bool,
    pub(super) probe: Option<Probe>,
    pub(super) has_systemd: bool,
    /// Something reloads at SIGHUP, which stops the application otherwise.
    pub(super) reloads: bool,
    pub(super) warnings: Vec<String>,
}

/// Where `shutdown_timeout` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Code,
    Variable,
    /// Neither: the default, or what a grace period leaves.
    Default,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) address: SocketAddr,
    pub(super) has_prestop: bool,
}

/// What runs the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    Kubernetes,
    Container,
    Systemd,
    /// With the time until it kills.
    Pm2(Duration),
    Unknown,
}

impl Platform {
    /// The variables by which the application recognizes it. For the last two nothing may be recognized: this program
    /// may itself run in a container.
    pub(super) fn marks(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Kubernetes => vec![("KUBERNETES_SERVICE_HOST", "10.0.0.1".to_owned())],
            Self::Pm2(kill_timeout) => {
                vec![("pm_id", "0".to_owned()), ("kill_timeout", kill_timeout.as_millis().to_string())]
            }
            Self::Container => vec![("LIFECYCLE_GRACE_PERIOD", "10s".to_owned())],
            Self::Systemd | Self::Unknown => vec![("LIFECYCLE_GRACE_PERIOD", "24h".to_owned())],
        }
    }

    fn grace(self) -> Option<Duration> {
        match self {
            Self::Kubernetes => Some(Duration::from_secs(30)),
            Self::Container => Some(Duration::from_secs(10)),
            Self::Pm2(kill_timeout) => Some(kill_timeout),
            Self::Systemd | Self::Unknown => None,
        }
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(25);
/// What the watchdog may add to a stop.
const WATCHDOG: Duration = Duration::from_secs(1);

impl Facts {
    /// Reads the plan that a program has printed.
    pub(super) fn read(plan: &Value) -> Result<Self, String> {
        let missing =
            |field: &str| format!("`{field}` is missing: this is not what LIFECYCLE_PLAN=json prints");
        if plan["schema"] != 1 {
            return Err(format!("its `schema` is {}, and this program knows 1", plan["schema"]));
        }
        let millis = |field: &str| plan[field].as_f64().filter(|millis| (0.0..1e15).contains(millis));
        let span = |field: &str| millis(field).map(|millis| Duration::from_secs_f64(millis / 1e3));
        let texts = |field: &str| -> Vec<String> {
            let all = plan[field].as_array().into_iter().flatten();
            all.filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let origin = plan["timeout_origin"].as_str().ok_or_else(|| missing("timeout_origin"))?;
        let address = plan["probe"]["address"].as_str().and_then(|address| address.parse().ok());
        if plan.get("probe").is_none() {
            return Err("it has no `probe`: the program is built with an older version of lifecycle-runtime"
                .to_owned());
        }
        Ok(Self {
            shutdown_timeout: span("shutdown_timeout_ms").ok_or_else(|| missing("shutdown_timeout_ms"))?,
            origin: match origin {
                "shutdown_timeout" => Origin::Code,
                "LIFECYCLE_SHUTDOWN_TIMEOUT" => Origin::Variable,
                _ => Origin::Default,
            },
            startup_timeout: span("startup_timeout_ms"),
            drain_delay: Some(span("drain_delay_ms").ok_or_else(|| missing("drain_delay_ms"))?),
            is_default_delay: plan["delays_only_if_serving"] == true,
            probe: address.map(|address| Probe { address, has_prestop: plan["probe"]["prestop"] == true }),
            has_systemd: texts("features").iter().any(|feature| feature == "systemd"),
            reloads: plan["resources"].as_array().into_iter().flatten().any(|it| it["reloads"] == true),
            warnings: texts("warnings"),
        })
    }

    /// The same on another platform, and with other variables, than where the plan was printed: as far as these can
    /// be told without the program.
    pub(super) fn moved(mut self, platform: Platform, variables: &Variables) -> Self {
        let span = |name: &str| duration(variables.get(name)?).ok();
        let fitting = |grace: Duration| DEFAULT_TIMEOUT.min(grace * 4 / 5);
        if let Some(timeout) = span("LIFECYCLE_SHUTDOWN_TIMEOUT") {
            (self.shutdown_timeout, self.origin) = (timeout, Origin::Variable);
        } else if self.origin == Origin::Default {
            let grace = span("LIFECYCLE_GRACE_PERIOD").or(platform.grace());
            self.shutdown_timeout = grace.map_or(DEFAULT_TIMEOUT, fitting);
        }
        self.startup_timeout = match variables.get("LIFECYCLE_STARTUP_TIMEOUT") {
            Some("none") => None,
            _ => span("LIFECYCLE_STARTUP_TIMEOUT").or(self.startup_timeout),
        };
        let in_plan = match platform {
            // A plan without a delay does not say whether the code has asked for none.
            Platform::Kubernetes => self.drain_delay.filter(|delay| !delay.is_zero()),
            _ if self.is_default_delay => Some(Duration::ZERO),
            _ => self.drain_delay,
        };
        self.drain_delay = span("LIFECYCLE_DRAIN_DELAY").or(in_plan);
        if let Some(address) = variables.get("LIFECYCLE_PROBE_ADDR").and_then(|it| it.trim().parse().ok()) {
            let has_prestop = self.probe.is_some_and(|probe| probe.has_prestop);
            self.probe = Some(Probe { address, has_prestop });
        }
        self
    }

    /// How long the process may take, from the signal to its end.
    pub(super) fn needed(&self) -> Duration {
        self.shutdown_timeout + WATCHDOG.min(self.shutdown_timeout / 4)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> Value {
        json!({
            "schema": 1, "startup_timeout_ms": 60000, "shutdown_timeout_ms": 24000, "drain_delay_ms": 5000,
            "delays_only_if_serving": true, "timeout_origin": "0.8 of Kubernetes' 30.0 s", "features": ["probe", "systemd"],
            "probe": { "address": "0.0.0.0:8081", "prestop": true },
        })
    }

    #[test]
    fn a_plan_is_read() {
        let facts = Facts::read(&plan()).unwrap();
        assert_eq!((facts.shutdown_timeout, facts.origin), (Duration::from_secs(24), Origin::Default));
        assert_eq!(facts.needed(), Duration::from_secs(25));
        assert_eq!(facts.drain_delay, Some(Duration::from_secs(5)));
        assert_eq!(facts.probe.map(|probe| (probe.address.port(), probe.has_prestop)), Some((8081, true)));
        assert!(facts.has_systemd);
        assert!(Facts::read(&json!({ "schema": 2 })).unwrap_err().contains("schema"));
        assert!(Facts::read(&json!({ "schema": 1 })).unwrap_err().contains("timeout_origin"));
        assert!(Facts::read(&json!([])).is_err());
    }

    #[test]
    fn a_plan_is_moved_to_another_platform() {
        let facts = Facts::read(&plan()).unwrap();
        let moved = |platform, pairs: &[(&str, &str)]| facts.clone().moved(platform, &Variables::of(pairs));
        let secs = |facts: &Facts| facts.shutdown_timeout.as_secs();
        assert_eq!(secs(&moved(Platform::Container, &[])), 8);
        assert_eq!(secs(&moved(Platform::Systemd, &[])), 25);
        assert_eq!(secs(&moved(Platform::Container, &[("LIFECYCLE_GRACE_PERIOD", "20s")])), 16);
        assert_eq!(secs(&moved(Platform::Container, &[("LIFECYCLE_SHUTDOWN_TIMEOUT", "40s")])), 40);
        assert_eq!(moved(Platform::Container, &[]).drain_delay, Some(Duration::ZERO));
        assert_eq!(moved(Platform::Kubernetes, &[]).drain_delay, Some(Duration::from_secs(5)));
        let probe = moved(Platform::Kubernetes, &[("LIFECYCLE_PROBE_ADDR", "127.0.0.1:1")]).probe.unwrap();
        assert!(probe.address.ip().is_loopback() && probe.has_prestop);
        assert_eq!(
            moved(Platform::Kubernetes, &[("LIFECYCLE_STARTUP_TIMEOUT", "none")]).startup_timeout,
            None
        );
    }
}
