//! The platform that runs the process, and the grace period it gives (rule D2).

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::Duration;

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
    Kubernetes,
    Ecs,
    Container,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Told => "LIFECYCLE_GRACE_PERIOD",
            Self::Pm2 => "PM2 (kill_timeout)",
            Self::Kubernetes => "Kubernetes (terminationGracePeriodSeconds, if it is the default)",
            Self::Ecs => "ECS (stopTimeout, if it is the default)",
            Self::Container => "this container's engine (`docker stop`)",
        })
    }
}

/// The grace period, as far as the process can know it. `LIFECYCLE_GRACE_PERIOD` comes first: see [`Platform::Told`].
pub(crate) fn grace(env: impl Fn(&str) -> Option<OsString>, exists: impl Fn(&Path) -> bool) -> Option<Grace> {
    let is_set = |variable: &str| env(variable).is_some();
    let (platform, millis) = if is_set("pm_id") {
        // PM2 passes an application's settings as variables, in milliseconds, and its own default in another one. It
        // treats zero as unset.
        let is_given = |millis: &u64| *millis > 0;
        let millis = |variable: &str| env(variable)?.to_str()?.parse().ok().filter(is_given);
        (Platform::Pm2, millis("kill_timeout").or_else(|| millis("PM2_KILL_TIMEOUT")).unwrap_or(1_600))
    } else if is_kubernetes(&env) {
        (Platform::Kubernetes, 30_000)
    } else if is_set("ECS_CONTAINER_METADATA_URI_V4") || is_set("ECS_CONTAINER_METADATA_URI") {
        (Platform::Ecs, 30_000)
    } else if exists(Path::new("/.dockerenv")) || exists(Path::new("/run/.containerenv")) {
        (Platform::Container, 10_000)
    } else {
        return None;
    };
    Some(Grace { period: Duration::from_millis(millis), platform })
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
        assert_eq!(grace(env, exists), expected);
    }

    #[test]
    fn each_platform_is_known_by_its_marks() {
        check(&[], &[], None);
        check(&[("pm_id", "0")], &[], Some((Platform::Pm2, 1_600)));
        check(&[("pm_id", "0"), ("kill_timeout", "5000")], &[], Some((Platform::Pm2, 5_000)));
        check(&[("pm_id", "0"), ("kill_timeout", "soon")], &[], Some((Platform::Pm2, 1_600)));
        check(&[("kill_timeout", "5000")], &[], None);
        check(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], &[], Some((Platform::Kubernetes, 30_000)));
        check(&[("ECS_CONTAINER_METADATA_URI_V4", "http://…")], &[], Some((Platform::Ecs, 30_000)));
        check(&[("ECS_CONTAINER_METADATA_URI", "http://…")], &[], Some((Platform::Ecs, 30_000)));
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
    fn the_nearest_supervisor_counts() {
        let kubernetes = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        check(&[kubernetes], &["/.dockerenv"], Some((Platform::Kubernetes, 30_000)));
        check(&[kubernetes, ("pm_id", "0")], &["/.dockerenv"], Some((Platform::Pm2, 1_600)));
    }
}
