//! Against the real thing: servers and supervisors as they are installed.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a state, and a wait that takes too long fails loudly.

#![cfg(target_os = "linux")]

mod rolling;
mod systemd;
