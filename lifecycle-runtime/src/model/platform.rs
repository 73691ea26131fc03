//! The platform that runs the process, the grace period it gives, and the budget that follows (rule D2).

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::duration::Human;

/// The grace period: the time between asking a process to stop and killing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grace {
    pub(crate) period: Duration,
    pub(crate) platform: Platform,
}

/// What asks the process to stop, and kills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    /// `LIFECYCLE_GRACE_PERIOD` says so.
    Told,
    Pm2,
    Supervisord,
    Kubernetes,
    Ecs,
    ContainerApps,
    CloudRun,
    Nomad,
    Fly,
    Railway,
    CloudFoundry,
    Heroku,
    Render,
    Container,
}

/// The variables that platforms set in the processes that they run, and the grace period in seconds unless it was
/// changed. Kubernetes comes first: others run on it, such as Knative, which sets the variables of Cloud Run.
const MARKS: [(&str, Platform, u64); 14] = [
    ("KUBERNETES_SERVICE_HOST", Platform::Kubernetes, 30),
    ("ECS_CONTAINER_METADATA_URI_V4", Platform::Ecs, 30),
    ("ECS_CONTAINER_METADATA_URI", Platform::Ecs, 30),
    ("CONTAINER_APP_NAME", Platform::ContainerApps, 30),
    ("K_SERVICE", Platform::CloudRun, 10),
    ("CLOUD_RUN_JOB", Platform::CloudRun, 10),
    ("NOMAD_ALLOC_ID", Platform::Nomad, 5),
    ("FLY_MACHINE_ID", Platform::Fly, 5),
    ("FLY_APP_NAME", Platform::Fly, 5),
    ("RAILWAY_DEPLOYMENT_ID", Platform::Railway, 3),
    ("RAILWAY_REPLICA_ID", Platform::Railway, 3),
    ("VCAP_APPLICATION", Platform::CloudFoundry, 10),
    ("DYNO", Platform::Heroku, 30),
    ("RENDER_SERVICE_ID", Platform::Render, 30),
];

/// The files that container engines put into every container, and how long `docker stop` waits.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
const CONTAINER_SECONDS: u64 = 10;

impl Platform {
    fn name(self) -> &'static str {
        match self {
            Self::Told => "LIFECYCLE_GRACE_PERIOD",
            Self::Pm2 => "PM2",
            Self::Supervisord => "supervisord",
            Self::Kubernetes => "Kubernetes",
            Self::Ecs => "ECS",
            Self::ContainerApps => "Azure Container Apps",
            Self::CloudRun => "Cloud Run",
            Self::Nomad => "Nomad",
            Self::Fly => "Fly",
            Self::Railway => "Railway",
            Self::CloudFoundry => "Cloud Foundry",
            Self::Heroku => "Heroku",
            Self::Render => "Render",
            Self::Container => "a container",
        }
    }
}

/// The platform with the setting that decides, for a warning that it kills.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unread = match self {
            Self::Told => return f.write_str("the platform (LIFECYCLE_GRACE_PERIOD)"),
            Self::Pm2 => return f.write_str("PM2 (kill_timeout)"),
            Self::Railway => return f.write_str("Railway (RAILWAY_DEPLOYMENT_DRAINING_SECONDS)"),
            Self::Container => return f.write_str("this container's engine (`docker stop`)"),
            Self::CloudRun | Self::CloudFoundry | Self::Heroku => {
                return f.write_str(self.name());
            }
            Self::Supervisord => "stopwaitsecs",
            Self::Kubernetes | Self::ContainerApps => "terminationGracePeriodSeconds",
            Self::Ecs => "stopTimeout",
            Self::Nomad | Self::Fly => "kill_timeout",
            Self::Render => "maxShutdownDelaySeconds",
        };
        write!(f, "{} ({unread}, if it is the default)", self.name())
    }
}

/// Where `shutdown_timeout` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    /// The attribute or the builder.
    Code,
    /// `LIFECYCLE_SHUTDOWN_TIMEOUT`.
    Environment,
    /// 0.8 of it.
    Grace(Grace),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::Code => f.write_str("shutdown_timeout"),
            Self::Environment => f.write_str("LIFECYCLE_SHUTDOWN_TIMEOUT"),
            Self::Grace(Grace { period, platform }) => {
                let name = platform.name();
                let s = if name.ends_with('s') { "" } else { "s" };
                write!(f, "0.8 of {name}'{s} {}", Human(*period))
            }
        }
    }
}

/// The grace period, as far as the process can know it. `LIFECYCLE_GRACE_PERIOD` comes first: see [`Platform::Told`].
///
/// A supervisor of processes is nearer than the platform whose container or machine it runs in. If there are two, one
/// runs in the other, and nothing says which: what is done when the first of them kills is done in time.
pub(crate) fn grace(env: impl Fn(&str) -> Option<OsString>, exists: impl Fn(&Path) -> bool) -> Option<Grace> {
    let supervisor = match (pm2(&env), supervisord(&env)) {
        (Some(one), Some(other)) => Some(if other.period < one.period { other } else { one }),
        (one, other) => one.or(other),
    };
    supervisor.or_else(|| marked(&env)).or_else(|| {
        let is_container = CONTAINER_FILES.iter().any(|file| exists(Path::new(file)));
        is_container.then(|| Grace::seconds(Platform::Container, CONTAINER_SECONDS))
    })
}

impl Grace {
    fn seconds(platform: Platform, seconds: u64) -> Self {
        Self { period: Duration::from_secs(seconds), platform }
    }
}

/// PM2 passes an application's settings as variables, in milliseconds, and its own default in another one.
fn pm2(env: impl Fn(&str) -> Option<OsString>) -> Option<Grace> {
    env("pm_id")?;
    let millis = number(&env, "kill_timeout").or_else(|| number(&env, "PM2_KILL_TIMEOUT")).unwrap_or(1_600);
    Some(Grace { period: Duration::from_millis(millis), platform: Platform::Pm2 })
}

fn supervisord(env: impl Fn(&str) -> Option<OsString>) -> Option<Grace> {
    env("SUPERVISOR_ENABLED")?;
    Some(Grace::seconds(Platform::Supervisord, 10))
}

fn marked(env: impl Fn(&str) -> Option<OsString>) -> Option<Grace> {
    let (_, platform, seconds) = *MARKS.iter().find(|(mark, ..)| env(mark).is_some())?;
    let told = match platform {
        Platform::Railway => number(env, "RAILWAY_DEPLOYMENT_DRAINING_SECONDS"),
        _ => None,
    };
    Some(Grace::seconds(platform, told.unwrap_or(seconds)))
}

/// A setting that is passed on as a number. Zero is as good as none: nothing could be released.
fn number(env: impl Fn(&str) -> Option<OsString>, variable: &str) -> Option<u64> {
    env(variable)?.to_str()?.parse().ok().filter(|number| *number > 0)
}

/// Whether the process runs in a pod, whatever else there is between.
pub(crate) fn is_kubernetes(env: impl Fn(&str) -> Option<OsString>) -> bool {
    env("KUBERNETES_SERVICE_HOST").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], files: &[&str], expected: Option<(Platform, u64)>) {
        let env = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value.into())
        };
        let exists = |path: &Path| files.iter().any(|file| Path::new(file) == path);
        let expected =
            expected.map(|(platform, millis)| Grace { period: Duration::from_millis(millis), platform });
        assert_eq!(grace(env, exists), expected, "{variables:?} {files:?}");
    }

    #[test]
    fn each_platform_is_known_by_its_marks() {
        check(&[], &[], None);
        check(&[("pm_id", "0")], &[], Some((Platform::Pm2, 1_600)));
        check(&[("pm_id", "0"), ("kill_timeout", "5000")], &[], Some((Platform::Pm2, 5_000)));
        check(&[("pm_id", "0"), ("kill_timeout", "soon")], &[], Some((Platform::Pm2, 1_600)));
        check(&[("kill_timeout", "5000")], &[], None);
        check(&[("SUPERVISOR_ENABLED", "1")], &[], Some((Platform::Supervisord, 10_000)));
        check(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], &[], Some((Platform::Kubernetes, 30_000)));
        check(&[("ECS_CONTAINER_METADATA_URI_V4", "http://…")], &[], Some((Platform::Ecs, 30_000)));
        check(&[("ECS_CONTAINER_METADATA_URI", "http://…")], &[], Some((Platform::Ecs, 30_000)));
        check(&[("CONTAINER_APP_NAME", "shop")], &[], Some((Platform::ContainerApps, 30_000)));
        check(&[("K_SERVICE", "shop")], &[], Some((Platform::CloudRun, 10_000)));
        check(&[("CLOUD_RUN_JOB", "import")], &[], Some((Platform::CloudRun, 10_000)));
        check(&[("NOMAD_ALLOC_ID", "5d0f…")], &[], Some((Platform::Nomad, 5_000)));
        check(&[("FLY_MACHINE_ID", "148e…")], &[], Some((Platform::Fly, 5_000)));
        check(&[("FLY_APP_NAME", "shop")], &[], Some((Platform::Fly, 5_000)));
        check(&[("RAILWAY_DEPLOYMENT_ID", "8a6c…")], &[], Some((Platform::Railway, 3_000)));
        check(&[("RAILWAY_REPLICA_ID", "11c4…")], &[], Some((Platform::Railway, 3_000)));
        check(&[("VCAP_APPLICATION", "{}")], &[], Some((Platform::CloudFoundry, 10_000)));
        check(&[("DYNO", "web.1")], &[], Some((Platform::Heroku, 30_000)));
        check(&[("RENDER_SERVICE_ID", "srv-…")], &[], Some((Platform::Render, 30_000)));
        check(&[], &["/.dockerenv"], Some((Platform::Container, 10_000)));
        check(&[], &["/run/.containerenv"], Some((Platform::Container, 10_000)));
    }

    #[test]
    fn pm2_takes_zero_for_not_given_and_has_a_default_that_can_be_set() {
        let pm2 = ("pm_id", "0");
        let check = |variables: &[_], millis| check(variables, &[], Some((Platform::Pm2, millis)));
        check(&[pm2, ("kill_timeout", "0")], 1_600);
        check(&[pm2, ("PM2_KILL_TIMEOUT", "3000")], 3_000);
        check(&[pm2, ("PM2_KILL_TIMEOUT", "3000"), ("kill_timeout", "0")], 3_000);
        check(&[pm2, ("PM2_KILL_TIMEOUT", "3000"), ("kill_timeout", "5000")], 5_000);
        check(&[pm2, ("PM2_KILL_TIMEOUT", "0")], 1_600);
    }

    #[test]
    fn railway_passes_on_how_long_it_waits() {
        let railway = ("RAILWAY_DEPLOYMENT_ID", "8a6c…");
        let draining = |seconds| ("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", seconds);
        let check = |variables: &[_], millis| check(variables, &[], Some((Platform::Railway, millis)));
        check(&[railway, draining("20")], 20_000);
        check(&[railway, draining("0")], 3_000);
        check(&[railway, draining("long")], 3_000);
    }

    #[test]
    fn the_nearest_supervisor_counts() {
        let kubernetes = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        let (pm2, supervisord) = (("pm_id", "0"), ("SUPERVISOR_ENABLED", "1"));
        check(&[kubernetes], &["/.dockerenv"], Some((Platform::Kubernetes, 30_000)));
        check(&[kubernetes, pm2], &["/.dockerenv"], Some((Platform::Pm2, 1_600)));
        check(&[kubernetes, supervisord], &["/.dockerenv"], Some((Platform::Supervisord, 10_000)));
        check(&[("FLY_MACHINE_ID", "148e…"), supervisord], &[], Some((Platform::Supervisord, 10_000)));
        // Knative runs on Kubernetes, and has the marks of Cloud Run.
        check(&[kubernetes, ("K_SERVICE", "shop")], &[], Some((Platform::Kubernetes, 30_000)));
        // A task of Nomad's driver for Docker.
        check(&[("NOMAD_ALLOC_ID", "5d0f…")], &["/.dockerenv"], Some((Platform::Nomad, 5_000)));
    }

    #[test]
    fn of_two_supervisors_the_one_that_kills_first_counts() {
        let (pm2, supervisord) = (("pm_id", "0"), ("SUPERVISOR_ENABLED", "1"));
        check(&[pm2, supervisord], &[], Some((Platform::Pm2, 1_600)));
        let patient = ("kill_timeout", "20000");
        check(&[pm2, patient, supervisord], &[], Some((Platform::Supervisord, 10_000)));
    }

    #[test]
    fn a_platform_that_kills_is_named_with_the_setting_that_decides() {
        let check = |platform: Platform, expected: &str| assert_eq!(platform.to_string(), expected);
        check(Platform::Told, "the platform (LIFECYCLE_GRACE_PERIOD)");
        check(Platform::CloudRun, "Cloud Run");
        check(Platform::Nomad, "Nomad (kill_timeout, if it is the default)");
        check(Platform::Railway, "Railway (RAILWAY_DEPLOYMENT_DRAINING_SECONDS)");
    }

    #[test]
    fn an_origin_says_whose_time_it_is() {
        let check = |origin: Origin, expected: &str| assert_eq!(origin.to_string(), expected);
        check(Origin::Default, "the default");
        check(Origin::Code, "shutdown_timeout");
        check(Origin::Environment, "LIFECYCLE_SHUTDOWN_TIMEOUT");
        let of = |platform, seconds| Origin::Grace(Grace::seconds(platform, seconds));
        check(of(Platform::Container, 10), "0.8 of a container's 10.0 s");
        check(of(Platform::Kubernetes, 30), "0.8 of Kubernetes' 30.0 s");
        check(of(Platform::Told, 10), "0.8 of LIFECYCLE_GRACE_PERIOD's 10.0 s");
    }
}
