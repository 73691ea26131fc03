//! How long the parts of a connection may take, and how many connections there may be.

use std::time::Duration;

use tokio::sync::Semaphore;

/// How long each part of a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) header_read_timeout: Option<Duration>,
    pub(super) idle_body_timeout: Option<Duration>,
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
            keep_alive_timeout: Some(Duration::from_secs(75)),
            keep_alive_ping: Some(Duration::from_secs(20)),
            idle_grace: None,
            max_connection_age: None,
        }
    }
}

/// What the descriptors allow, with some left for everything else.
pub(super) fn default_max_connections() -> usize {
    descriptors().map_or(Semaphore::MAX_PERMITS, |limit| limit.saturating_sub((limit / 10).max(64)).max(1))
}

#[cfg(unix)]
fn descriptors() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    usize::try_from(limit).ok()
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
}
