//! Against the real thing: servers and supervisors as they are installed.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a state, and a wait that takes too long fails loudly.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `LIFECYCLE_TEST_ROUNDS` | how often `nothing_lost` ends the service | 200 |

#![cfg(target_os = "linux")]

use lifecycle_tests::harness::{http, machine, program, scratch};

mod servers;

mod disk;
mod payments;

mod faults_starting;
mod faults_stopping;
mod nothing_lost;
mod rolling;
mod systemd;

/// The number that a variable holds, if it is there.
#[track_caller]
fn number_from_environment(variable: &str, default: u64) -> u64 {
    let Ok(value) = std::env::var(variable) else { return default };
    value.parse().unwrap_or_else(|error| panic!("{variable}={value:?} is no number: {error}"))
}
