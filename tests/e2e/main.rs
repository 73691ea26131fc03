//! Against the real thing: servers and supervisors as they are installed.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a state, and a wait that takes too long fails loudly.

#![cfg(target_os = "linux")]

use lifecycle_tests::harness::{examples, http, machine, namespace, program, scratch};

mod servers;

mod docker;
mod faults_starting;
mod load;
mod payments;
mod pm2;
mod rolling;
mod systemd;
mod systemd_payments;
