//! Rule S1 where the process lacks threads or descriptors: it says so and exits with 1, or it runs and stops as ever.
//! Whatever it has, it does not hang, and never says that the configuration is wrong.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getuid};

use crate::machine;
use crate::program::{Process, Program};
use crate::scratch::Scratch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It said what it lacks.
    Refused,
    /// It ran, and stopped at SIGTERM.
    Ran,
}

/// Sends SIGTERM to a program that runs, and says how it ended.
fn end_of(process: Process, limit: u32) -> End {
    let has_ended = process.wait_for_line_or_end("serving");
    if !has_ended {
        process.signal(Signal::TERM);
    }
    let exit = process.wait_for_exit();
    let stderr = exit.stderr();
    match exit.code() {
        Some(0) => {
            assert!(exit.stdout().contains("released service: SIGTERM received"), "limit {limit}");
            End::Ran
        }
        Some(1) => {
            assert!(
                stderr.contains("lifecycle: the application did not start: "),
                "limit {limit}: {stderr:?}"
            );
            End::Refused
        }
        code => panic!("limit {limit}: exit code {code:?}: {stderr}"),
    }
}

/// With every limit the process is refused or runs; from some limit on, it runs.
fn refused_and_then_runs(ends: &[End]) {
    let refused = ends.iter().take_while(|end| **end == End::Refused).count();
    assert!(refused > 0, "nothing was short: {ends:?}");
    assert!(refused < ends.len(), "it never ran: {ends:?}");
    assert!(ends[refused..].iter().all(|end| *end == End::Ran), "{ends:?}");
}

/// The program as a user who has no other process, and may have only so many threads.
fn with_threads(program: &PathBuf, limit: u32) -> Program {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let limit = format!("--nproc={limit}");
    if getuid().is_root() {
        // Within what a container knows.
        let user = 20_000 + std::process::id() % 400 * 100 + NEXT.fetch_add(1, Ordering::Relaxed);
        let user = [format!("--reuid={user}"), format!("--regid={user}")];
        Program::new("setpriv").args(user).args(["--clear-groups", "prlimit", &limit]).arg(program)
    } else {
        // In a namespace of users, what they had before does not count.
        Program::new("unshare").args(["--user", "prlimit", &limit]).arg(program)
    }
}

fn runs_or_says_what_threads_it_lacks(flavor: &str) {
    let _machine = machine::shared();
    // Where the user can read it, whoever that is.
    let scratch = Scratch::new();
    let program = scratch.path().join("short");
    fs::copy(env!("CARGO_BIN_EXE_short"), &program).expect("there is room");
    let ends: Vec<End> = (1..=12)
        .map(|limit| end_of(with_threads(&program, limit).env("FLAVOR", flavor).spawn(), limit))
        .collect();
    refused_and_then_runs(&ends);
}

#[test]
fn s1_with_too_few_threads_for_several_workers_it_says_so_and_exits_1() {
    runs_or_says_what_threads_it_lacks("multi_thread");
}

#[test]
fn s1_with_too_few_threads_beside_one_it_says_so_and_exits_1() {
    runs_or_says_what_threads_it_lacks("current_thread");
}

#[test]
fn s1_with_too_few_descriptors_it_says_so_and_exits_1() {
    let _machine = machine::shared();
    let program = |limit: u32| {
        let limit = format!("--nofile={limit}");
        Program::new("prlimit").arg(&limit).arg(env!("CARGO_BIN_EXE_short")).env("FLAVOR", "multi_thread")
    };
    // With three, the program itself cannot be loaded.
    let ends: Vec<End> = (4..=32).map(|limit| end_of(program(limit).spawn(), limit)).collect();
    refused_and_then_runs(&ends);
}
