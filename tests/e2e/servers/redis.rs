//! Redis.

use std::process::{Command, Stdio};

use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::Signal;

use super::{Server, free_port, spawn};
use crate::program::wait_until;

/// A server that keeps everything in memory: what is killed forgets.
pub(crate) struct Redis {
    server: Option<Server>,
    port: u16,
    scratch: Scratch,
}

impl Redis {
    /// Starts one, and waits until it answers.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let mut redis = Self::prepare();
        redis.boot();
        redis
    }

    /// One that does not run yet.
    pub(crate) fn prepare() -> Self {
        Self { server: None, port: free_port(), scratch: Scratch::new() }
    }

    #[track_caller]
    pub(crate) fn boot(&mut self) {
        let mut command = Command::new("redis-server");
        command.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &self.port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(self.scratch.path()).args(["--daemonize", "no"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server::new(spawn(&mut command, "redis-server"));
        wait_until("Redis is ready", || {
            assert!(!server.has_ended(), "Redis has ended");
            self.try_ask(&["PING"]).is_some_and(|answer| answer == "PONG")
        });
        self.server = Some(server);
    }

    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Nothing is answered any more.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(server) = &self.server {
            server.signal_all(signal);
        }
    }

    /// What `REDIS_URL` has to be.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What it answers to a command.
    #[track_caller]
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).unwrap_or_else(|| panic!("{command:?}: no answer"))
    }

    fn try_ask(&self, command: &[&str]) -> Option<String> {
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &self.port.to_string()]).args(command).stdin(Stdio::null()).stderr(Stdio::null());
        let output = cli.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
