//! Against the real thing: servers and supervisors as they are installed.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a state, and a wait that takes too long fails loudly.

#![cfg(target_os = "linux")]

use lifecycle_tests::harness::{http, machine, program, scratch};

mod servers;

mod faults_starting;
mod rolling;
mod systemd;
