//! What the rules of `lifecycle doctor` are for: with what the wrong file of a pair says, a release or a request is lost;
//! with what the right one says, it is not. The values come from the files in `tests/doctor`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::http::{Connection, Response};
use crate::machine;
use crate::pairs::{pair, value};
use crate::program::{Process, Program, wait_until};
use crate::scratch::Scratch;

const DEPLOYED: &str = env!("CARGO_BIN_EXE_deployed");

fn deployed() -> Process {
    serving(Program::new(DEPLOYED))
}

fn serving(program: Program) -> Process {
    let process = program.spawn();
    process.wait_for_line("serving as process");
    process
}

/// The supervisor of a pair of ecosystem files: SIGINT, and SIGKILL after `kill_timeout`.
#[test]
fn a_grace_period_that_is_too_short_loses_a_release() {
    let _machine = machine::shared();
    let [wrong, right] = pair("grace-too-short", "config.js");
    let play = |file: &str| {
        let millis =
            value(file, "kill_timeout:").map_or(1_600, |it| it.trim_matches(',').parse().expect("a number"));
        let budget = value(file, "LIFECYCLE_SHUTDOWN_TIMEOUT: \"").expect("it is there");
        let budget = budget.split('"').next().expect("it ends");
        // It takes longer than the short period, and less than the budget.
        let program = Program::new(DEPLOYED).env("LIFECYCLE_SHUTDOWN_TIMEOUT", budget).env("WORK_MS", "3500");
        let process = serving(program);
        process.signal(Signal::INT);
        process.wait_or_kill(Duration::from_millis(millis))
    };
    let wrong = play(&wrong);
    assert_eq!(wrong.killed_by(), Some(Signal::KILL.as_raw()));
    assert!(!wrong.stdout().contains("released"), "{}", wrong.stdout());
    let right = play(&right);
    assert_eq!(right.code(), Some(0), "{}", right.stderr());
    right.assert_in_order(&["worked", "released"]);
}

/// The command of a pair of manifests, with programs of these names.
#[test]
fn a_shell_keeps_the_signal_and_exec_passes_it_on() {
    let _machine = machine::shared();
    let [wrong, right] = pair("shell", "yaml");
    let scratch = Scratch::new();
    symlink(DEPLOYED, scratch.path().join("shop")).expect("it can be made");
    symlink("/bin/true", scratch.path().join("migrate")).expect("it can be made");
    let path = format!("{}:{}", scratch.path().display(), std::env::var("PATH").unwrap_or_default());
    let play = |file: &str| {
        let script = value(file, "command: [sh, -c, \"").expect("it is there");
        let script = script.trim_end_matches("\"]");
        // dash, where sh is something else: bash becomes the last command by itself.
        serving(Program::new("dash").args(["-c", script]).env("PATH", &path))
    };
    let wrong = play(&wrong);
    let line = wrong.wait_for_line("serving as process").text;
    let own =
        line.rsplit(' ').next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)).expect("it has a number");
    assert_ne!(own, wrong.pid(), "the shell is in between");
    wrong.signal(Signal::TERM);
    let stat = format!("/proc/{}/stat", wrong.pid().as_raw_pid());
    wait_until("the shell ends", || {
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z') || rest.is_empty())
    });
    assert!(
        fs::exists(format!("/proc/{}", own.as_raw_pid())).expect("it is known"),
        "it was not asked to stop"
    );
    // What the platform does in the end.
    kill_process(own, Signal::KILL).expect("it is there");
    let wrong = wrong.wait_for_exit();
    assert!(!wrong.stdout().contains("released"), "{}", wrong.stdout());

    let right = play(&right);
    right.signal(Signal::TERM);
    let right = right.wait_for_exit();
    assert_eq!(right.code(), Some(0), "{}", right.stderr());
    right.assert_in_order(&["worked", "released"]);
}

#[test]
fn a_stop_signal_that_kills_loses_a_release() {
    let _machine = machine::shared();
    let [wrong, right] = pair("stop-signal", "Dockerfile");
    let play = |file: &str| {
        let process = deployed();
        let signal = value(file, "STOPSIGNAL SIG").expect("it is there");
        let pid = process.pid().as_raw_pid().to_string();
        let status = Command::new("kill").args(["-s", &signal, &pid]).status().expect("there is kill");
        assert!(status.success());
        process.wait_for_exit()
    };
    let wrong = play(&wrong);
    assert!(!wrong.stdout().contains("released"), "{}", wrong.stdout());
    let right = play(&right);
    right.assert_in_order(&["worked", "released"]);
}

#[test]
fn an_exec_stop_that_kills_loses_a_release() {
    let _machine = machine::shared();
    let [wrong, right] = pair("exec-stop-kills", "service");
    let play = |file: &str| {
        let process = deployed();
        let line = value(file, "ExecStop=").expect("it is there");
        let line = line.replace("$MAINPID", &process.pid().as_raw_pid().to_string());
        let mut words = line.split(' ');
        let program = words.next().expect("it names a program");
        assert!(Command::new(program).args(words).status().expect("it runs").success());
        // systemd goes on with a signal of its own, unless it is too late.
        let _ = kill_process(process.pid(), Signal::TERM);
        process.wait_for_exit()
    };
    let wrong = play(&wrong);
    assert!(!wrong.stdout().contains("released"), "{}", wrong.stdout());
    let right = play(&right);
    right.assert_in_order(&["worked", "released"]);
}

/// `KillMode` decides who gets the signal: the process, or its whole group.
#[test]
fn a_child_that_is_signalled_too_ends_first() {
    let _machine = machine::shared();
    let [wrong, right] = pair("children-end-first", "service");
    let play = |file: &str| {
        // The leader of a group of its own.
        let process = serving(Program::new(DEPLOYED).env("CHILD", "1"));
        let pid = process.pid();
        let sent = match value(file, "KillMode=").as_deref() {
            Some("mixed") => kill_process(pid, Signal::TERM),
            _ => kill_process_group(pid, Signal::TERM),
        };
        sent.expect("it is there");
        process.wait_for_exit()
    };
    let wrong = play(&wrong);
    wrong.assert_in_order(&["the child is gone", "worked"]);
    let right = play(&right);
    right.assert_in_order(&["the child answered", "worked"]);
}

/// A supervisor that restarts as a unit says, five times at most.
#[test]
fn a_wrong_configuration_is_tried_once_or_for_ever() {
    let _machine = machine::shared();
    let [wrong, right] = pair("restart-on-78", "service");
    let starts = |file: &str| {
        let prevented = value(file, "RestartPreventExitStatus=").and_then(|code| code.parse().ok());
        for start in 1..5 {
            let program = Program::new(DEPLOYED).env("LIFECYCLE_SHUTDOWN_TIMEOUT", "30");
            let code = program.spawn().wait_for_exit().code();
            assert_eq!(code, Some(78));
            if code == prevented {
                return start;
            }
        }
        5
    };
    assert_eq!(starts(&wrong), 5);
    assert_eq!(starts(&right), 1);
}

fn get(address: SocketAddr, path: &str) -> Response {
    Connection::open(address).and_then(|mut probe| probe.get(path)).expect("it answers")
}

#[test]
fn a_path_that_does_not_exist_is_never_answered() {
    let _machine = machine::shared();
    let process = deployed();
    process.wait_for_line("running:");
    let probe = process.address_after("the probe answers at http://");
    let path = |file: &str, mark: &str| {
        let found = value(file, mark).expect("it is there");
        format!("/{}", found.split(',').next().expect("it ends"))
    };
    let check = |file: &str, mark: &str, expected: u16| {
        let path = path(file, mark);
        assert_eq!(get(probe, &path).status, expected, "{file}: {path}");
    };
    let startup = "startupProbe:\n            httpGet: { path: /";
    let [wrong, right] = pair("probe-unanswered", "yaml");
    check(&wrong, startup, 404);
    check(&right, startup, 200);
    let hook = "preStop: { httpGet: { path: /";
    let [wrong, right] = pair("hook-unanswered", "yaml");
    check(&wrong, hook, 404);
    check(&right, hook, 200);
    assert_eq!(process.signal_until_exit(Signal::TERM).code(), Some(0));
}

#[test]
fn a_probe_on_the_loopback_address_refuses_others() {
    let _machine = machine::shared();
    let [wrong, right] = pair("probe-loopback", "yaml");
    // Another address of this machine stands for that of the pod.
    let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
    let is_reached = |file: &str| {
        let address = value(file, "LIFECYCLE_PROBE_ADDR, value: \"").expect("it is there");
        let host = address.split(':').next().expect("it has a host");
        let process = serving(Program::new(DEPLOYED).env("LIFECYCLE_PROBE_ADDR", format!("{host}:0")));
        let port = process.address_after("the probe answers at http://").port();
        let reached = TcpStream::connect((elsewhere, port)).is_ok();
        assert_eq!(process.signal_until_exit(Signal::TERM).code(), Some(0));
        reached
    };
    assert!(!is_reached(&wrong));
    assert!(is_reached(&right));
}
