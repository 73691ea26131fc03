//! What the requests of one server have in common.

use std::time::Duration;

use http::Extensions;

use crate::driver::{Seat, SeatToken};
use crate::handles::stopping::Stopping;

/// What every request of a server is given.
#[derive(Debug)]
pub(super) struct Notices {
    pub(super) stopping: Stopping,
    /// What the extensions of every request begin with: see [`extensions`].
    pub(super) extensions: Extensions,
    /// Clients are asked to leave.
    pub(super) leaving: SeatToken,
    pub(super) idle_body_timeout: Option<Duration>,
    /// Handlers run to their end, in tasks of this resource.
    pub(super) finisher: Option<Seat>,
}

/// Extensions with the notice, and with room for what a router adds: to copy a map is cheaper than to let it grow.
pub(super) fn extensions(stopping: Stopping) -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(stopping);
    // A map has room for three things, or for seven.
    extensions.insert(0_u8);
    extensions.insert(0_u16);
    extensions.insert(0_u32);
    extensions.remove::<u8>();
    extensions.remove::<u16>();
    extensions.remove::<u32>();
    extensions
}
