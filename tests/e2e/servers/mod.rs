//! Real servers, each started by the test that needs it: on a free port, in a directory of its own, gone with it.

pub(crate) mod cgroup;
pub(crate) mod dns;
pub(crate) mod docker;
pub(crate) mod envoy;
pub(crate) mod haproxy;
pub(crate) mod nginx;
pub(crate) mod payers;
pub(crate) mod pm2;
pub(crate) mod podman;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod registry;
pub(crate) mod rootfs;
pub(crate) mod swarm;
pub(crate) mod switch;
pub(crate) mod systemd;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::wait_until;

/// Starts a program, or says which package has it.
#[track_caller]
pub(crate) fn spawn(command: &mut Command, package: &str) -> Child {
    let program = command.get_program().to_owned();
    command.spawn().unwrap_or_else(|error| {
        let hint =
            if error.kind() == ErrorKind::NotFound { "; it comes with the package " } else { ", package " };
        panic!("cannot run {}: {error}{hint}`{package}`", program.display())
    })
}

/// A port that nobody listens on, and nobody else is given: it is not of those that the system gives by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let of_this_process = std::process::id() % 100 * 120;
    loop {
        let port = 20_000 + (of_this_process + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let port = u16::try_from(port).expect("it is less than 32000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A server's process, and all that it has started: killed when this is dropped.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Sends a signal to the server alone.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }

    /// Sends a signal to the server and to its children.
    pub(crate) fn signal_all(&self, signal: Signal) {
        // Who is stopped has no more children.
        self.signal(if signal == Signal::CONT { Signal::CONT } else { Signal::STOP });
        for child in self.children() {
            let _ = kill_process(child, signal);
        }
        self.signal(signal);
    }

    /// The processes that it has started, and that are there now.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let pid = self.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw).collect()
    }

    /// Waits for the end of the server.
    #[track_caller]
    pub(crate) fn wait(&mut self) {
        wait_until("the end of a server", || self.has_ended());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal_all(Signal::KILL);
        let _ = self.0.wait();
    }
}

/// A command that runs a program that comes with the package, for a user that is not root.
fn as_user(user: &str, program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", program]);
    command
}

/// Where Debian and Ubuntu put what is not for every user.
fn search_path() -> String {
    let path = env::var("PATH").unwrap_or_default();
    let mut places: Vec<String> = vec![path, "/usr/sbin".to_owned()];
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(versions.map(|version| version.path().join("bin").display().to_string()));
    places.join(":")
}
