//! Real processes: the examples and small fixtures, driven by real signals over real sockets, judged by what they
//! answer, print and exit with.
//!
//! Nothing here sleeps in order to synchronise. A test waits for a line, an answer, a refusal or an end, and a wait
//! that takes too long fails loudly, with everything that the process has printed.

#![cfg(unix)]

use lifecycle_tests::harness::{cargo, examples, http, machine, namespace, pairs, program, scratch};

mod black_box;
mod black_box_killed;
mod blocked_log;
mod clean_shutdown;
mod command_line;
mod configuration;
mod crowded;
mod doctor;
mod doctor_input;
mod doctor_kubelet;
mod doctor_played;
mod doctor_probes;
mod embedding;
mod end;
mod endurance;
mod errors;
mod escalation;
mod existing_app;
mod exit_codes;
mod failed_start;
mod failures;
mod frozen;
mod hello;
mod idle_grace;
mod kit;
mod log_lines;
mod metrics;
mod migrating;
mod not_main;
mod panic_abort;
mod payments;
mod pictures;
mod pid_1;
mod reader_gone;
mod reload;
mod restarts;
mod roots;
mod shortage;
mod shutdown_script;
mod signal_during_start;
mod signals;
mod stuck;
mod taken;
mod unheard;
mod unix_socket;
mod waiting;
mod words;
mod workers;
