//! Reports to systemd with the protocol of `sd_notify(3)`: a few lines of text in a datagram.
//!
//! It does not use the `sd-notify` crate, which opens a blocking socket for each message and does not support abstract
//! addresses: the control thread must not block, and messages must keep their order.

use std::env;
use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdDatagram};
use std::pin::{Pin, pin};
use std::process;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::net::UnixDatagram;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::control::endpoint::{Endpoint, Role, Watched};
use crate::engine::reload::ReloadStatus;
use crate::engine::status::Status;
use crate::model::first_of::first_of;
use crate::model::phase::Phase;
use crate::model::reload::Reloads;

/// How often systemd is told that a start or a stop is in progress.
const INTERVAL: Duration = Duration::from_secs(1);

/// How much time each such message asks for.
const EXTENSION: Duration = Duration::from_secs(5);

/// Without `startup_timeout`, a start in which nothing was acquired for this long makes no progress, and no more time
/// is requested.
const PROGRESS: Duration = Duration::from_secs(60);

/// The service manager that started this process.
pub(crate) struct Manager {
    socket: StdDatagram,
    /// systemd kills the process if it has not heard from it for this long.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that NOTIFY_SOCKET names, if it is set.
    pub(crate) fn find() -> Result<Option<Self>, String> {
        let Some(path) = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        let connect = || {
            let address = address(&path)?;
            let socket = StdDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect_addr(&address)?;
            Ok(socket)
        };
        let socket =
            connect().map_err(|error: io::Error| format!("is {path:?}, which cannot be used: {error}"))?;
        Ok(Some(Self { socket, watchdog: watchdog(|variable| env::var(variable).ok(), process::id()) }))
    }

    /// Tells every phase, that a start or a stop needs more time, and that the application is alive; until it has
    /// ended.
    async fn keep_informed(self, Watched { driver, heartbeat }: Watched) {
        heartbeat.start(&driver);
        let Self { socket, watchdog } = self;
        let Ok(socket) = UnixDatagram::from_std(socket) else { return };
        let half = watchdog.map(|period| period / 2);
        let (mut phase, mut reloads) = (driver.phase(), driver.watch_reloads());
        let mut ticks = every(INTERVAL);
        let mut beats = half.map(every);
        let mut told = Told::default();
        let mut is_beat_due = false;
        loop {
            // The status that is sent next is at least as new as the phase that is marked as seen here.
            let at_end = *phase.borrow_and_update() == Phase::Stopped;
            reloads.mark_unchanged();
            let is_alive = is_beat_due && half.is_some_and(|half| heartbeat.silence() < half);
            for message in told.news(&driver.status(), is_alive, monotonic()) {
                // If systemd is gone, nothing can be sent; its successor may listen at the same address.
                let _ = socket.send(message.as_bytes()).await;
            }
            if at_end {
                return;
            }
            // Both senders are the driver's.
            is_beat_due = first_of(&mut [
                pin!(async {
                    let _ = phase.changed().await;
                    false
                }),
                pin!(async {
                    let _ = reloads.changed().await;
                    false
                }),
                pin!(async {
                    ticks.tick().await;
                    false
                }),
                pin!(async {
                    tick(beats.as_mut()).await;
                    true
                }),
            ])
            .await;
        }
    }
}

impl Endpoint for Manager {
    fn serve(self: Box<Self>, watched: Watched) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.keep_informed(watched))
    }

    fn role(&self) -> Role {
        Role::Tells
    }
}

/// The address that NOTIFY_SOCKET spells: a path, or `@` and an abstract name.
pub(crate) fn address(path: &OsStr) -> io::Result<SocketAddr> {
    match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(path),
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// The period of the manager's watchdog, if it has one and means this process.
fn watchdog(env: impl Fn(&str) -> Option<String>, pid: u32) -> Option<Duration> {
    let is_meant = env("WATCHDOG_PID").is_none_or(|meant| meant.parse() == Ok(pid));
    let micros = env("WATCHDOG_USEC").and_then(|micros| micros.parse().ok()).filter(|&micros| micros > 0);
    micros.filter(|_| is_meant).map(Duration::from_micros)
}

/// What systemd knows already.
#[derive(Default)]
struct Told {
    is_ready: bool,
    is_stopping: bool,
    /// How many reloads it has been told of, and whether it knows that the last one has ended.
    reloads: u64,
    is_reloading: bool,
    status: String,
}

impl Told {
    /// The messages that are due, in order. Readiness and the stop are two messages, even if the application is so
    /// short-lived that both are due at once.
    ///
    /// `monotonic` is the time of the system's monotonic clock at which the status is.
    fn news(&mut self, status: &Status, is_alive: bool, monotonic: Duration) -> Vec<String> {
        let mut messages = Vec::new();
        if status.has_started && !std::mem::replace(&mut self.is_ready, true) {
            messages.push("READY=1\n".to_owned());
        }
        messages.extend(self.news_of_reload(status, monotonic));
        let mut message = String::new();
        if status.phase >= Phase::Draining && !std::mem::replace(&mut self.is_stopping, true) {
            message += "STOPPING=1\n";
        }
        let words = words(status);
        if words != self.status {
            message += &format!("STATUS={words}\n");
            self.status = words;
        }
        if let Some(extension) = extension(status) {
            message += &format!("EXTEND_TIMEOUT_USEC={}\n", extension.as_micros());
        }
        if is_alive {
            message += "WATCHDOG=1\n";
        }
        messages.extend((!message.is_empty()).then_some(message));
        messages
    }

    /// A reload is two messages, however short it is: the manager waits for the first, which has to be newer than its
    /// request, and then for the second (§9). A stop is the end of a reload too, and is told by itself.
    fn news_of_reload(&mut self, status: &Status, monotonic: Duration) -> Vec<String> {
        let ReloadStatus { begun, last_began, is_under_way, .. } = status.reload;
        let mut messages = Vec::new();
        if std::mem::replace(&mut self.reloads, begun) != begun {
            let began = monotonic.saturating_sub(status.now.saturating_sub(last_began));
            messages.push(format!("RELOADING=1\nMONOTONIC_USEC={}\n", began.as_micros()));
            self.is_reloading = true;
        }
        if self.is_reloading && !is_under_way {
            self.is_reloading = false;
            messages.extend((status.phase == Phase::Running).then(|| "READY=1\n".to_owned()));
        }
        messages
    }
}

/// The clock that the manager compares the beginning of a reload with.
fn monotonic() -> Duration {
    // It is always there on Linux.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// How much more time the manager is asked for, from now on: never past our own deadline.
fn extension(status: &Status) -> Option<Duration> {
    let until = match status.phase {
        Phase::Starting => status.deadline.unwrap_or(status.last_progress + PROGRESS),
        Phase::Draining | Phase::Stopping => status.deadline?,
        Phase::Running | Phase::Stopped => return None,
    };
    let left = until.saturating_sub(status.now);
    (!left.is_zero()).then_some(left.min(EXTENSION))
}

/// The phase, and which resources are at something: names and states only.
fn words(status: &Status) -> String {
    let busy = status.resources.iter().filter(|resource| resource.activity.is_busy());
    let busy: Vec<String> =
        busy.map(|resource| format!("{} {}", resource.activity, line(resource.name))).collect();
    let phase = status.phase;
    let ReloadStatus { is_under_way, resource, past, .. } = &status.reload;
    if phase == Phase::Running && (*is_under_way || past.is_stale()) {
        return match resource {
            Some(resource) => format!("{phase}: reloading {}", line(resource)),
            None if *is_under_way => format!("{phase}: reloading"),
            None => format!("{phase}: not reloaded: {}", stale(past)),
        };
    }
    if busy.is_empty() { phase.to_string() } else { format!("{phase}: {}", busy.join(", ")) }
}

/// What could not be reloaded the last time.
fn stale(past: &Reloads) -> String {
    let failures = past.last.iter().flat_map(|last| &last.failures);
    failures.map(|failure| line(failure.resource())).collect::<Vec<String>>().join(", ")
}

/// A name chosen in code may hold anything; a line break would begin a new assignment.
fn line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::activity::Activity;
    use crate::engine::status::ResourceStatus;

    /// The monotonic clock.
    const NOW: Duration = Duration::from_secs(100);

    fn status(phase: Phase, now: u64, deadline: Option<u64>) -> Status {
        Status {
            now: Duration::from_secs(now),
            phase,
            phase_since: Duration::ZERO,
            reason: None,
            deadline: deadline.map(Duration::from_secs),
            total: None,
            delay_ends: None,
            has_started: phase >= Phase::Running,
            last_progress: Duration::ZERO,
            reload: ReloadStatus::default(),
            resources: Vec::new(),
            main: ResourceStatus::new("main", Activity::Ready),
        }
    }

    fn check_extension(phase: Phase, now: u64, deadline: Option<u64>, expected: Option<u64>) {
        let extension = extension(&status(phase, now, deadline));
        assert_eq!(extension, expected.map(Duration::from_secs), "{phase} at {now} s of {deadline:?}");
    }

    #[test]
    fn more_time_is_asked_for_up_to_the_deadline() {
        check_extension(Phase::Starting, 1, Some(60), Some(5));
        check_extension(Phase::Starting, 58, Some(60), Some(2));
        check_extension(Phase::Starting, 60, Some(60), None);
        check_extension(Phase::Running, 58, None, None);
        check_extension(Phase::Draining, 10, Some(25), Some(5));
        check_extension(Phase::Stopping, 24, Some(25), Some(1));
        check_extension(Phase::Stopping, 26, Some(25), None);
        check_extension(Phase::Stopped, 24, None, None);
    }

    #[test]
    fn a_start_without_a_limit_has_to_make_progress() {
        check_extension(Phase::Starting, 59, None, Some(1));
        check_extension(Phase::Starting, 60, None, None);
    }

    #[test]
    fn each_thing_is_told_once() {
        let mut told = Told::default();
        let starting = told.news(&status(Phase::Starting, 0, Some(60)), false, NOW);
        assert_eq!(starting, ["STATUS=starting\nEXTEND_TIMEOUT_USEC=5000000\n"]);
        let running = status(Phase::Running, 1, None);
        assert_eq!(told.news(&running, true, NOW), ["READY=1\n", "STATUS=running\nWATCHDOG=1\n"]);
        assert_eq!(told.news(&running, true, NOW), ["WATCHDOG=1\n"]);
        assert!(told.news(&running, false, NOW).is_empty());
        let stopping = told.news(&status(Phase::Stopping, 20, Some(24)), false, NOW);
        assert_eq!(stopping, ["STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=4000000\n"]);
    }

    #[test]
    fn a_reload_is_told_when_it_begins_and_when_it_ends() {
        let mut told = Told::default();
        let running = status(Phase::Running, 10, None);
        told.news(&running, false, NOW);
        let reload = |begun, is_under_way| ReloadStatus {
            begun,
            last_began: Duration::from_secs(8),
            is_under_way,
            resource: is_under_way.then_some("Tls"),
            ..ReloadStatus::default()
        };
        let with = |reload| Status { reload, ..running.clone() };
        let began = "RELOADING=1\nMONOTONIC_USEC=98000000\n";
        let reloading = told.news(&with(reload(1, true)), false, NOW);
        assert_eq!(reloading, [began, "STATUS=running: reloading Tls\n"]);
        assert!(told.news(&with(reload(1, true)), false, NOW).is_empty());
        let ended = told.news(&with(reload(1, false)), false, NOW);
        assert_eq!(ended, ["READY=1\n", "STATUS=running\n"]);
        // One that is over before anybody looks.
        assert_eq!(told.news(&with(reload(2, false)), false, NOW), [began, "READY=1\n"]);
        // One after the other.
        told.news(&with(reload(3, true)), false, NOW);
        assert_eq!(told.news(&with(reload(4, true)), false, NOW), [began]);
        // A stop ends it.
        let stopping = Status { reload: reload(4, false), ..status(Phase::Stopping, 20, Some(24)) };
        let news = told.news(&stopping, false, NOW);
        assert_eq!(news, ["STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=4000000\n"]);
    }

    #[test]
    fn a_short_life_is_ready_before_it_stops() {
        let news = Told::default().news(&status(Phase::Stopped, 1, None), false, NOW);
        assert_eq!(news, ["READY=1\n", "STOPPING=1\nSTATUS=stopped\n"]);
    }

    #[test]
    fn a_start_that_fails_was_never_ready() {
        let failed = Status { has_started: false, ..status(Phase::Stopping, 1, Some(20)) };
        let news = Told::default().news(&failed, false, NOW);
        assert_eq!(news, ["STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=5000000\n"]);
    }

    #[test]
    fn the_status_names_what_is_under_way() {
        let resources = vec![
            ResourceStatus::new("Log", Activity::Ready),
            ResourceStatus::new("Db\nREADY=1", Activity::Acquiring),
            ResourceStatus::new("Http", Activity::Waiting),
        ];
        let starting = Status { resources, ..status(Phase::Starting, 0, None) };
        assert_eq!(words(&starting), "starting: acquiring Db READY=1");
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let check = |pid: Option<&str>, micros: Option<&str>, expected: Option<u64>| {
            let env = |variable: &str| match variable {
                "WATCHDOG_PID" => pid.map(ToOwned::to_owned),
                _ => micros.map(ToOwned::to_owned),
            };
            assert_eq!(watchdog(env, 42), expected.map(Duration::from_micros), "{pid:?} {micros:?}");
        };
        check(None, Some("3000000"), Some(3_000_000));
        check(Some("42"), Some("3000000"), Some(3_000_000));
        check(Some("43"), Some("3000000"), None);
        check(None, Some("0"), None);
        check(None, Some("soon"), None);
        check(None, None, None);
    }
}
