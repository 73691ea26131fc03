//! Rule D8 in every phase: which signal comes first, which comes second, which comes third.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::machine;
use crate::program::{Process, Program};

/// Longer than the time within which a signal counts as the same one (rule D8).
const APART: Duration = Duration::from_millis(600);

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// An acquisition is in blocking code, and cannot be dropped.
    Starting,
    /// The drain delay.
    Draining,
    /// A task is in blocking code, and cannot be aborted.
    Stopping,
    /// A release does not end.
    Releasing,
}

impl Phase {
    fn spawn(self) -> Process {
        let (hang, line) = match self {
            Self::Starting => ("blocking_acquire", "acquiring stubborn"),
            Self::Draining => ("none", "running: everything"),
            Self::Stopping => ("blocking_task", "running: everything"),
            Self::Releasing => ("release", "running: everything"),
        };
        let program = Program::new(env!("CARGO_BIN_EXE_stuck")).env("HANG", hang).env("FLAVOR", "many");
        let program = match self {
            // Half of what the reserves leave is the most that a delay may have.
            Self::Draining => {
                program.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "12s").env("LIFECYCLE_DRAIN_DELAY", "3s")
            }
            Self::Starting | Self::Stopping | Self::Releasing => {
                program.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "6s")
            }
        };
        let process = program.spawn();
        process.wait_for_line(line);
        process
    }

    /// What says that the first signal has brought it where it is to be.
    fn reached(self) -> &'static str {
        match self {
            Self::Starting | Self::Stopping => "stopping Stubborn: waiting for task",
            Self::Draining => "draining: ",
            Self::Releasing => "releasing stubborn",
        }
    }

    /// The exit code when nobody insists: only in the delay, nothing hangs.
    fn patient_code(self) -> i32 {
        match self {
            Self::Draining => 0,
            Self::Starting | Self::Stopping | Self::Releasing => 124,
        }
    }
}

const PHASES: [Phase; 4] = [Phase::Starting, Phase::Draining, Phase::Stopping, Phase::Releasing];
const INSISTED: &str = "no more waiting for work in flight";
const ASKS: [Signal; 2] = [Signal::TERM, Signal::HUP];
const INSISTS: [Signal; 2] = [Signal::INT, Signal::QUIT];

struct Case {
    phase: Phase,
    signals: Vec<Signal>,
    code: i32,
    /// It ends within this time after the last signal, and the log says this.
    within: Duration,
    says: &'static str,
}

fn run(case: &Case) {
    let Case { phase, signals, code, within, says } = case;
    let process = phase.spawn();
    let mut sent = Instant::now();
    for (place, signal) in signals.iter().enumerate() {
        match place {
            0 => {}
            1 => {
                process.wait_for_line(phase.reached());
                // The time that passes here is the time that the rule is about.
                thread::sleep(APART);
            }
            _ => {
                process.wait_for_line(INSISTED);
                // Again and again: what comes too soon counts as the same signal, and moves nothing.
                process.signal_until(*signal, says);
            }
        }
        sent = Instant::now();
        process.signal(*signal);
    }
    let exit = process.wait_for_exit();
    let what = format!("{phase:?} {signals:?}");
    assert_eq!(exit.code(), Some(*code), "{what}");
    let took = exit.at.duration_since(sent);
    assert!(took < *within, "{what}: it took {took:?}");
    assert!(exit.stderr().contains(says), "{what}: nothing says {says:?}");
}

/// A machine with few cores has time for many processes that wait.
fn run_all(cases: &[Case]) {
    let _machine = machine::shared();
    for cases in cases.chunks(16) {
        thread::scope(|scope| {
            for case in cases {
                scope.spawn(move || run(case));
            }
        });
    }
}

fn number(signal: Signal) -> i32 {
    128 + signal.as_raw()
}

#[test]
fn the_first_signal_asks_whichever_it_is() {
    let firsts = ASKS.into_iter().chain(INSISTS);
    let cases = firsts.flat_map(|first| {
        PHASES.map(|phase| Case {
            phase,
            signals: vec![first],
            code: phase.patient_code(),
            within: Duration::from_secs(7),
            says: if phase.patient_code() == 0 { "exit code 0" } else { "exit code 124" },
        })
    });
    run_all(&cases.collect::<Vec<_>>());
}

#[test]
fn sigterm_and_sighup_repeated_change_nothing_and_are_answered() {
    let cases = ASKS.into_iter().flat_map(|second| {
        PHASES.map(|phase| Case {
            phase,
            signals: vec![Signal::TERM, second],
            code: phase.patient_code(),
            within: Duration::from_secs(7),
            says: "already stopping",
        })
    });
    run_all(&cases.collect::<Vec<_>>());
}

#[test]
fn sigint_and_sigquit_insist_after_any_first_signal() {
    let firsts = ASKS.into_iter().chain(INSISTS);
    let cases = firsts.flat_map(|first| {
        INSISTS.into_iter().flat_map(move |second| {
            PHASES.map(|phase| Case {
                phase,
                signals: vec![first, second],
                code: number(second),
                // The reserves of two resources, 2 s and 1 s.
                within: Duration::from_millis(3_500),
                says: INSISTED,
            })
        })
    });
    run_all(&cases.collect::<Vec<_>>());
}

#[test]
fn an_insisting_signal_more_ends_the_process_at_once() {
    let cases = INSISTS.into_iter().flat_map(|third| {
        [Phase::Starting, Phase::Stopping, Phase::Releasing].map(|phase| Case {
            phase,
            signals: vec![Signal::TERM, Signal::INT, third],
            code: number(third),
            within: Duration::from_secs(1),
            says: "again: ending it now",
        })
    });
    run_all(&cases.collect::<Vec<_>>());
}

#[test]
fn sigterm_after_an_insisting_signal_changes_nothing() {
    let cases = [Phase::Starting, Phase::Stopping, Phase::Releasing].map(|phase| Case {
        phase,
        signals: vec![Signal::TERM, Signal::INT, Signal::TERM],
        code: number(Signal::INT),
        within: Duration::from_millis(3_500),
        says: "already stopping",
    });
    run_all(&cases);
}

/// A terminal and a parent often both deliver: PEERS, uvicorn.
#[test]
fn two_signals_at_once_are_one() {
    let _machine = machine::shared();
    let process = Phase::Draining.spawn();
    // However late this test may be: to the process, both are there at the same time.
    for signal in [Signal::STOP, Signal::TERM, Signal::INT, Signal::CONT] {
        process.signal(signal);
    }
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("released db"));
}
