//! The HTTP probe: `/livez`, `/readyz`, `/servingz`, `/startupz`, `/status` and `/prestop`, answered by the control
//! thread.

mod accept;
mod answer;
mod checks;
mod hooks;
mod json;
mod page;
mod pages;
mod room;
mod server;

use std::env::VarError;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use crate::model::planned_probe::PlannedProbe;

pub(crate) use self::server::ProbeServer;

const DEFAULT_STUCK_AFTER: Duration = Duration::from_secs(30);
const DEFAULT_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Where and how an application answers probes (feature `probe`).
///
/// Pass it to [`Builder::probe`](crate::Builder::probe), which also takes a plain address. In `#[lifecycle::main]`,
/// write `probe = "0.0.0.0:8081"`. The environment variable `LIFECYCLE_PROBE_ADDR` overrides the address.
///
/// A thread of the library gives the answers, from before the first acquisition until the end of the process, even
/// while every thread of the application is blocked:
///
/// | path | 200 | 503 |
/// |---|---|---|
/// | `/livez` | as long as a restart would not help | while the application is running and its runtime has not responded for 30 s ([`stuck_after`](Self::stuck_after)) |
/// | `/readyz` | in [`Phase::Running`](crate::Phase::Running), if every [`check`](crate::Resource::check) passes | otherwise: from the first moment of the stop, before draining begins |
/// | `/servingz` | as long as traffic is served: the same in `Running`, from `/prestop` on too, and then until the drain delay is over, without checks | otherwise |
/// | `/startupz` | once `Running` was reached | before |
/// | `/status` | always; a page for a browser, JSON for all others, see below | never; 403 if the client is on another machine or asks for a host name, unless [`status_for_all`](Self::status_for_all) is set |
/// | `/prestop` | after the drain delay, if [`prestop`](Self::prestop) is set | if more than 64 wait; 404 if it is not set |
///
/// A resource can add pages of its own, such as `/metrics`: see [`Acquire::page`](crate::Acquire::page).
///
/// `/readyz` is for load balancers that check by themselves. `/servingz` is for the kubelet: see
/// [`kubernetes`](crate::kubernetes).
///
/// The checks run concurrently on the application's runtime. One run serves all requests within a second.
///
/// GET, HEAD and OPTIONS are answered (GET alone at `/prestop`), with one request per connection, and never from a
/// cache. OPTIONS has the status code of GET, and no body; `OPTIONS /`, the default check of HAProxy, is `OPTIONS
/// /readyz`. A request head may take 8 KiB and 2 s, a whole request 5 s. There are at most 64 connections. When there
/// are more, the oldest that has not sent a complete request is closed; when all of them have, the oldest of those that
/// wait for checks or at `/prestop` is answered with 503. So neither slow clients nor checks that hang keep a probe out.
///
/// # The status
///
/// It contains names and states only, because error texts may hold credentials: see [`show_errors`](Self::show_errors).
///
/// A browser gets a page: the phase, the time left until the deadline, what is in flight, the graph of the resources with
/// their states, what is waited for, and the last lines of the log. It asks for the JSON every second (four times a
/// second during the start and the stop), loads nothing else, and goes on asking when the process is gone, so that the
/// next start shows there. The JSON is for everything else: it comes unless the `Accept` header prefers `text/html`, and
/// for `/status?json` in any case.
///
/// A `Host` header, if there is one, must be an IP address or `localhost`, with or without a port: a web page in a
/// browser on this machine could otherwise read the status under a name of its own (DNS rebinding).
///
/// ```json
/// {
///   "version": "0.1.0",
///   "program": "payments",
///   "pid": 7,
///   "started": "2026-11-21T11:30:00.000Z",
///   "now": "2026-11-21T11:36:01.623Z",
///   "phase": "stopping",
///   "since": "2026-11-21T11:36:01.123Z",
///   "reason": "SIGTERM received",
///   "deadline": "2026-11-21T11:36:26.123Z",
///   "left_ms": 24500,
///   "total_ms": 25000,
///   "delay_left_ms": null,
///   "reload": {
///     "under_way": false,
///     "resource": null,
///     "count": 3,
///     "failed": 1,
///     "last": { "at": "2026-11-21T11:35:00.020Z", "took_ms": 12, "failed": [] },
///     "last_failed": { "at": "2026-11-21T11:34:00.008Z", "took_ms": 7, "failed": ["Db"] }
///   },
///   "main": { "name": "main", "…": "as for a resource" },
///   "resources": [
///     {
///       "name": "Db",
///       "state": "ready",
///       "since": "2026-11-21T11:30:00.250Z",
///       "after": ["Config"],
///       "foundation": false,
///       "acquire_ms": 200,
///       "drain_ms": null,
///       "release_ms": null,
///       "left_ms": 23500,
///       "in_flight": { "requests": 1, "streams": 0, "upgraded": 0, "tasks": 2 },
///       "idle": 20,
///       "connections": { "open": 21, "max": 922 },
///       "tasks": ["refresh"],
///       "outcome": null,
///       "check": { "result": "passed", "at": "2026-11-21T11:36:00.900Z" }
///     }
///   ],
///   "lines": [
///     { "at": "2026-11-21T11:36:01.123Z", "level": "info", "text": "stopping: SIGTERM received; …" }
///   ]
/// }
/// ```
///
/// * `version` is the library's, `program` the file name that the process was started by, `pid` its number, and `started`
///   when the application started. After a restart, `started` is another. `now` is when the status was taken.
/// * `phase` is `starting`, `running`, `draining`, `stopping` or `stopped`, and `since` is when it began (UTC, like all
///   times here).
/// * `reason` is why the application stops: `SIGTERM received` (or another signal), `shutdown requested`, `something
///   failed`, `nothing is left to do` or `the application was dropped`; `null` until it stops. With `show_errors`, the
///   words of the request follow.
/// * `deadline` is when everything must be acquired, or released, `left_ms` how many milliseconds are left until then, and
///   `total_ms` how many there were in all. They are `null` if there is no such limit. `delay_left_ms` is how many
///   milliseconds are left of the drain delay, once a stop or `/prestop` has begun it; otherwise `null`.
/// * `reload` says whether a [reload](crate::reload) is under way, and of which resource; how many have ended, and in how many
///   of them something failed; and of the last one, and of the last one that failed, when it ended, how long it took, and
///   which resources failed: these keep what they had. With `show_errors`, the latter two have a field `errors` with
///   the texts.
/// * `main` is the body of `main`, which has a turn like the resources and comes after all of them (its `after` is empty).
/// * `resources` lists dependencies first. `after` has what a resource comes after, the foundations among it, which are
///   those with `foundation`. `acquire_ms`, `drain_ms` and `release_ms` are how long each took, `null` until it is over.
///   `state` is `waiting` (for its dependencies), `acquiring`, `ready`,
///   `draining` (its tasks finish), `aborting tasks`, `releasing`, `aborting` (its release failed) or `gone`, and
///   `since` is when that began. `left_ms` is how many milliseconds are left until it is cut off, while the application
///   stops and until the resource is gone; otherwise `null`. `outcome` is the result once it is gone: `clean`,
///   `failed`, `panicked`, `timed out`, `aborted`, `cancelled`, `skipped` or `never started`.
/// * `in_flight` counts what the resource would wait for if its turn began now: `requests` whose response is not
///   complete (each stream of an HTTP/2 connection is one), `streams` (endless responses), `upgraded` connections
///   (WebSockets), and `tasks` (guards and checks among them, and the task of `serve_http` that accepts). `idle` counts
///   the connections that are none of these; the turn closes them. Requests and tasks that are cut off make the exit
///   code 124, the others do not (rule E1). See [`Units`](crate::Units). The other `tasks` has the names of its supervised
///   and background tasks.
/// * `connections` says how many connections the servers of the resource (`serve_http`) have, and how many they may have
///   (`max_connections`): while these are equal, further clients wait. `max` is `null` if there is no maximum, and
///   `connections` is `null` if nothing serves.
/// * `check` is the result of its last check (`passed`, `failed`, `panicked`, `timed out`), and when it ended; `null`
///   if there was no check yet. With `show_errors` it has a third field, `error`: a text, or `null`.
/// * `lines` has the last 50 lines that the library had to say, the oldest first, whether or not a log took them: when,
///   how important (`debug`, `info`, `warning` or `error`), and at most 500 characters. The report at the end is not one
///   of them. Where a line would have the text of an error, a panic or a request to stop, it says that the text is not
///   shown, unless `show_errors` is set.
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

/// Which clients may read the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Loopback,
    All,
}

/// Whether the status contains error texts.
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

    /// Sets how long the application's runtime may not respond before `/livez` answers 503. The default is 30 s. A
    /// restart loses what is in flight, so be patient.
    pub fn stuck_after(self, silence: Duration) -> Self {
        Self { stuck_after: silence, ..self }
    }

    /// Limits how long a [`check`](crate::Resource::check) may take; after that it has failed. The default is 2 s.
    pub fn check_timeout(self, timeout: Duration) -> Self {
        Self { check_timeout: timeout, ..self }
    }

    /// Answers `/status` to every client, not only to those on this machine, and under any host name.
    pub fn status_for_all(self) -> Self {
        Self { status_for: Audience::All, ..self }
    }

    /// Includes error texts in `/status`: those of checks, and in the last lines those of failures and panics. They may
    /// hold credentials, such as a connection string or a token.
    pub fn show_errors(self) -> Self {
        Self { errors: Errors::Shown, ..self }
    }

    /// Answers `GET /prestop`, for an `httpGet` preStop hook of Kubernetes: the drain delay then begins with the hook,
    /// and not with the SIGTERM that follows.
    ///
    /// From the request on, `/readyz` answers 503, and the application keeps serving, as `/servingz` says. The response
    /// comes when the drain delay is over. The stop after that has no delay of its own, or only the rest of it if it
    /// comes early, and the process does not end before the response is sent. If the application is not running, the
    /// response comes at once.
    ///
    /// It is off by default, because any client that reaches it can take the application out of service. It is also not
    /// needed: without a hook, the drain delay has the same effect after SIGTERM.
    pub fn prestop(self) -> Self {
        Self { has_prestop: true, ..self }
    }

    /// The probe configured in code, with the address from the environment.
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

    /// What a plan says of it.
    pub(crate) fn planned(self) -> PlannedProbe {
        PlannedProbe { address: self.address, has_prestop: self.has_prestop }
    }

    /// Binds the address.
    fn bind(self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(self.address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
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
