//! `/livez`, `/readyz`, `/startupz`, `/status`, `/prestop`: what a supervisor asks, answered by the control thread.

mod answer;
mod checks;
mod json;
mod server;

use std::env::VarError;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use crate::model::failure::{Cause, Failure, Operation};

pub(crate) use self::server::Listener;

const DEFAULT_STUCK_AFTER: Duration = Duration::from_secs(30);
const DEFAULT_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Where and how an application answers probes. Feature `probe`.
///
/// It is handed to [`Builder::probe`](crate::Builder::probe); an address alone is a probe with all defaults. In
/// `#[lifecycle::main]` it is `probe = "0.0.0.0:8081"`. The environment variable `LIFECYCLE_PROBE_ADDR` wins over the
/// address.
///
/// The answers come from a thread of the library, so that they come from before the first resource is acquired until
/// the process ends, also while every thread of the application is blocked:
///
/// | path | 200 | 503 |
/// |---|---|---|
/// | `/livez` | as long as a restart would not help | while the application runs and its runtime has answered nothing for 30 s ([`stuck_after`](Self::stuck_after)) |
/// | `/readyz` | in [`Phase::Running`](crate::Phase::Running), if every [`check`](crate::Resource::check) passes | otherwise: from the first moment of the stop, before it begins to drain |
/// | `/startupz` | once `Running` was reached | before |
/// | `/status` | always; JSON, below | never; 403 unless the peer is this machine, or [`status_for_all`](Self::status_for_all) |
/// | `/prestop` | after the drain delay, if [`prestop`](Self::prestop) is on | never; 404 if it is not |
///
/// Checks run on the application's runtime, all of them at once, and one run serves whoever asks within a second.
///
/// Only GET and HEAD are answered, one request per connection, and never from a cache. A request head has 8 KiB and
/// 2 s, an answer 5 s in all; there are 64 connections at most, and more of them wait.
///
/// # The status
///
/// Names and states only: error texts can hold credentials ([`show_errors`](Self::show_errors)).
///
/// ```json
/// {
///   "phase": "stopping",
///   "since": "2026-11-21T11:36:01.123Z",
///   "deadline": "2026-11-21T11:36:26.123Z",
///   "left_ms": 24500,
///   "resources": [
///     {
///       "name": "Db",
///       "state": "ready",
///       "since": "2026-11-21T11:30:00.250Z",
///       "in_flight": 3,
///       "outcome": null,
///       "check": { "result": "passed", "at": "2026-11-21T11:36:00.900Z" }
///     }
///   ]
/// }
/// ```
///
/// * `phase`: `starting`, `running`, `draining`, `stopping` or `stopped`; `since` when (UTC, like every time here).
/// * `deadline`, `left_ms`: until when everything has to be acquired, or released, and how many milliseconds that is
///   from now; `null` while there is no such limit.
/// * `resources`: dependencies first. `state` is `waiting` (for what it comes after), `acquiring`, `ready`,
///   `draining` (its tasks finish), `aborting tasks`, `releasing`, `aborting` (its release failed) or `gone`; `since`
///   when. `in_flight` counts its tasks and guards. `outcome` says what became of it, once it is gone: `clean`,
///   `failed`, `panicked`, `timed out`, `aborted`, `cancelled`, `skipped` or `never started`.
/// * `check`: how its last check ended, and when: `passed`, `failed`, `panicked`, `timed out`; `null` if it was never
///   checked. With `show_errors` it has a third field, `error`, which is `null` or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a probe does nothing until it is handed to `Builder::probe`"]
pub struct Probe {
    address: SocketAddr,
    stuck_after: Duration,
    check_timeout: Duration,
    status_for: Audience,
    errors: Errors,
    has_prestop: bool,
}

/// Who may see the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Loopback,
    All,
}

/// What becomes of error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    Hidden,
    Shown,
}

impl Probe {
    /// A probe at an address, such as `([0, 0, 0, 0], 8081)` or a [`SocketAddr`].
    pub fn at(address: impl Into<SocketAddr>) -> Self {
        Self {
            address: address.into(),
            stuck_after: DEFAULT_STUCK_AFTER,
            check_timeout: DEFAULT_CHECK_TIMEOUT,
            status_for: Audience::Loopback,
            errors: Errors::Hidden,
            has_prestop: false,
        }
    }

    /// How long the application's runtime may answer nothing until `/livez` says 503; the default is 30 s. A restart
    /// loses what is in flight: be patient.
    pub fn stuck_after(self, silence: Duration) -> Self {
        Self { stuck_after: silence, ..self }
    }

    /// How long a [`check`](crate::Resource::check) may take until it counts as failed; the default is 2 s.
    pub fn check_timeout(self, timeout: Duration) -> Self {
        Self { check_timeout: timeout, ..self }
    }

    /// Answers `/status` to every peer, and not to this machine alone.
    pub fn status_for_all(self) -> Self {
        Self { status_for: Audience::All, ..self }
    }

    /// Puts the errors of checks into `/status`. They can hold credentials: a connection string, a token.
    pub fn show_errors(self) -> Self {
        Self { errors: Errors::Shown, ..self }
    }

    /// Answers `GET /prestop`, for an `httpGet` preStop hook of Kubernetes: the drain delay begins there, and not with
    /// the SIGTERM that follows.
    ///
    /// `/readyz` says 503 at once, and until the end of the process. The application goes on serving; the answer
    /// comes when the drain delay is over. The stop that is then asked for has no delay any more, or the rest of it if
    /// it comes early. While the application does not run, the answer comes at once.
    ///
    /// It is off by default, since whoever reaches it takes the application out of service. Without a hook, the drain
    /// delay has the same effect after SIGTERM.
    pub fn prestop(self) -> Self {
        Self { has_prestop: true, ..self }
    }

    /// What was said in code, with the address that the environment says.
    pub(crate) fn resolve(
        said: Option<Self>,
        variable: Result<String, VarError>,
    ) -> Result<Option<Self>, String> {
        let value = match variable {
            Err(VarError::NotPresent) => return Ok(said),
            Err(VarError::NotUnicode(value)) => return Err(malformed(&value)),
            Ok(value) => value,
        };
        let address = value.trim().parse::<SocketAddr>().map_err(|_| malformed(&value))?;
        Ok(Some(said.map_or_else(|| Self::at(address), |said| Self { address, ..said })))
    }

    /// Takes the address.
    fn bind(self) -> Result<TcpListener, Failure> {
        let listen = || {
            let listener = TcpListener::bind(self.address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        listen().map_err(|error: std::io::Error| {
            let cause = format!("cannot listen on {}: {error}", self.address);
            Failure::new("probe", Operation::Probe, Cause::Error(cause.into()))
        })
    }
}

fn malformed(value: &dyn std::fmt::Debug) -> String {
    format!(
        "LIFECYCLE_PROBE_ADDR={value:?} is no socket address; it is written like \"0.0.0.0:8081\" or \"[::]:8081\""
    )
}

impl From<SocketAddr> for Probe {
    fn from(address: SocketAddr) -> Self {
        Self::at(address)
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for Probe {
    fn from(address: (I, u16)) -> Self {
        Self::at(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_the_address_and_the_code_the_rest() {
        let said = Probe::at(([127, 0, 0, 1], 1)).prestop();
        let set = |value: &str| Ok(value.to_owned());
        assert_eq!(Probe::resolve(None, Err(VarError::NotPresent)), Ok(None));
        assert_eq!(Probe::resolve(Some(said), Err(VarError::NotPresent)), Ok(Some(said)));
        let elsewhere = Probe::at(([0, 0, 0, 0], 2));
        assert_eq!(Probe::resolve(None, set("0.0.0.0:2")), Ok(Some(elsewhere)));
        assert_eq!(Probe::resolve(Some(said), set(" 0.0.0.0:2 ")), Ok(Some(elsewhere.prestop())));
        let refused = Probe::resolve(None, set("localhost:2")).unwrap_err();
        assert_eq!(
            refused,
            "LIFECYCLE_PROBE_ADDR=\"localhost:2\" is no socket address; \
             it is written like \"0.0.0.0:8081\" or \"[::]:8081\""
        );
    }
}
