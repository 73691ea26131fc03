//! Against the real thing: servers and supervisors as they are installed.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a state, and a wait that takes too long fails loudly.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `LIFECYCLE_TEST_ROUNDS` | how often `nothing_lost` ends the service | 200 |
//! | `LIFECYCLE_TEST_ROLLS` | how many instances a long rolling deployment restarts | 20 |
//! | `LIFECYCLE_TEST_SEED` | from which the moments and kinds of these ends follow, to repeat a run | the clock |

#![cfg(target_os = "linux")]

use lifecycle_tests::harness::{examples, http, machine, pairs, path, program, scratch};

mod calls;
mod disk;
mod health_check;
mod http2;
mod load;
mod played;
mod servers;
mod service;

mod deploy;
mod docker;
mod docker_doctor;
mod faults_starting;
mod faults_stopping;
mod haproxy_doctor;
mod nothing_lost;
mod payments;
mod pm2;
mod pm2_doctor;
mod podman;
mod rolling;
mod sidecar_doctor;
mod supervisord;
mod systemd;
mod systemd_doctor;
mod systemd_payments;
