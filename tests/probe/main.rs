//! The features `probe` and `systemd`, on real processes: raw sockets ask the probe, and a datagram socket plays
//! systemd. A real browser shows the page.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a line, an answer or an end, and a wait that takes
//! too long fails loudly, with everything that the process has printed.

#![cfg(unix)]

mod browser;
mod client;
mod process;

mod address;
mod answers;
mod bounds;
mod checks;
mod kubernetes;
mod page;
mod pages;
mod prestop;
mod status;
#[cfg(target_os = "linux")]
mod systemd;
