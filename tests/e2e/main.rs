//! Against the real thing: servers and supervisors as they are installed.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a state, and a wait that takes too long fails loudly.
//!
//! `LIFECYCLE_TEST_ROLLS` is how many instances a long rolling deployment restarts: 20, unless it says otherwise.

#![cfg(target_os = "linux")]

use lifecycle_tests::harness::{http, machine, program, scratch};

mod health_check;
mod load;
mod played;
mod servers;

mod faults_starting;
mod rolling;
mod systemd;
