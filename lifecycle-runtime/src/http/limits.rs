//! How long the parts of a connection may take, and how many connections there may be.

use std::time::Duration;

#[cfg(unix)]
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use tokio::sync::Semaphore;

/// A connection that was accepted just before the turn has this long for its first byte: its client has sent, or is
/// about to send, a request that is to be served. One that has been silent for longer is idle.
pub(super) const FIRST_BYTE: Duration = Duration::from_secs(1);

/// How long each part of a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) header_read_timeout: Option<Duration>,
    pub(super) idle_body_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) keep_alive_timeout: Option<Duration>,
    pub(super) keep_alive_ping: Option<Duration>,
    /// If not set, [`IDLE_GRACE`], and none if a person at the terminal waits for the end.
    pub(super) idle_grace: Option<Duration>,
    pub(super) max_connection_age: Option<Duration>,
}

pub(super) const IDLE_GRACE: Duration = Duration::from_millis(250);

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read_timeout: Some(Duration::from_secs(10)),
            idle_body_timeout: Some(Duration::from_secs(30)),
            write_timeout: Some(Duration::from_secs(30)),
            keep_alive_timeout: Some(Duration::from_secs(75)),
            keep_alive_ping: Some(Duration::from_secs(20)),
            idle_grace: None,
            max_connection_age: None,
        }
    }
}

/// How many connections the queue of a listener can hold, whatever backlog it was given: one more than `somaxconn` on
/// Linux. Elsewhere it is less than the default of that, which is 4096 since Linux 5.4.
pub(super) fn longest_queue() -> usize {
    let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    limit.and_then(|limit| limit.trim().parse().ok()).unwrap_or(4_096_usize).saturating_add(1)
}

/// What the descriptors allow, with some left for everything else.
pub(super) fn default_max_connections() -> usize {
    descriptors().map_or(Semaphore::MAX_PERMITS, |limit| limit.saturating_sub((limit / 10).max(64)).max(1))
}

#[cfg(unix)]
fn descriptors() -> Option<usize> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    (limit != RLIM_INFINITY).then(|| usize::try_from(limit).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
}
