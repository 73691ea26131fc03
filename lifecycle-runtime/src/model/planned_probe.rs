//! What a plan says of the probe.

use std::fmt;
use std::net::SocketAddr;

/// The probe of an application, in a [`Plan`](crate::Plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedProbe {
    /// Where it answers.
    pub address: SocketAddr,
    /// Whether it answers `/prestop`.
    pub has_prestop: bool,
}

/// `0.0.0.0:8081, with /prestop`.
impl fmt::Display for PlannedProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, has_prestop } = self;
        write!(f, "{address}{}", if *has_prestop { ", with /prestop" } else { "" })
    }
}
