//! PostgreSQL.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::Signal;

use super::{Server, as_user, free_port, search_path, spawn};
use crate::program::wait_until;

/// A cluster, whose only user needs no password.
pub(crate) struct Postgres {
    server: Option<Server>,
    port: u16,
    scratch: Scratch,
}

impl Postgres {
    /// Starts one, and waits until it answers.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let mut postgres = Self::prepare();
        postgres.boot();
        postgres
    }

    /// Makes one that does not run yet.
    #[track_caller]
    pub(crate) fn prepare() -> Self {
        let scratch = Scratch::new();
        let postgres = Self { server: None, port: free_port(), scratch };
        if rustix::process::geteuid().is_root() {
            let is_given = Command::new("chown").arg("postgres:").arg(postgres.scratch.path()).status();
            assert!(is_given.is_ok_and(|status| status.success()), "no user postgres: package `postgresql`");
        }
        let mut initdb = postgres.command("initdb");
        initdb.arg("-D").arg(postgres.data());
        initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let output = initdb.output().unwrap_or_else(|error| panic!("initdb, package `postgresql`: {error}"));
        assert!(output.status.success(), "initdb, package `postgresql`: {output:?}");
        postgres
    }

    /// Starts the server, and waits until it answers.
    #[track_caller]
    pub(crate) fn boot(&mut self) {
        let log = self.scratch.path().join("log");
        let log = File::options().create(true).append(true).open(log).expect("there is room for a log");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.scratch.path());
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-c",
            "fsync=off",
            "-c",
            "dynamic_shared_memory_type=mmap",
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut server = Server::new(spawn(&mut command, "postgresql"));
        wait_until("PostgreSQL is ready", || {
            assert!(!server.has_ended(), "PostgreSQL has ended: {}", self.log());
            self.try_query("SELECT 1").is_some()
        });
        self.server = Some(server);
    }

    /// Ends it as an administrator would, clients or not, and waits for the end.
    #[track_caller]
    pub(crate) fn shut_down(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.signal(Signal::INT);
            server.wait();
        }
    }

    /// As a power cut does.
    pub(crate) fn kill(&mut self) {
        self.server = None;
        // What it would have removed.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// Nothing moves any more: connections remain, and nothing is answered.
    pub(crate) fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&self, signal: Signal) {
        if let Some(server) = &self.server {
            server.signal_all(signal);
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What `DATABASE_URL` has to be.
    pub(crate) fn url(&self) -> String {
        self.url_by_way_of(self.address())
    }

    /// The same, through a proxy.
    pub(crate) fn url_by_way_of(&self, proxy: SocketAddr) -> String {
        format!("postgres://postgres@{proxy}/postgres")
    }

    /// The rows of a query: lines, with `|` between columns.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> String {
        self.try_query(sql).unwrap_or_else(|| panic!("{sql}: no answer; PostgreSQL says: {}", self.log()))
    }

    fn try_query(&self, sql: &str) -> Option<String> {
        let output = self.psql().args(["-c", sql]).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A client that connects to this server, and does nothing more so far.
    pub(crate) fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command.env("PATH", search_path()).stdin(Stdio::null()).stderr(Stdio::null());
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url()]);
        command
    }

    /// How many clients are connected, psql's own connection not counted.
    #[track_caller]
    pub(crate) fn clients(&self) -> String {
        self.backends("TRUE")
    }

    /// How many of them are in this state.
    #[track_caller]
    pub(crate) fn backends(&self, state: &str) -> String {
        let condition = format!("{state} AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
        self.query(&format!("SELECT COUNT(*) FROM pg_stat_activity WHERE {condition}"))
    }

    /// The configuration of who may connect and how.
    pub(crate) fn hba(&self) -> PathBuf {
        self.data().join("pg_hba.conf")
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = as_user("postgres", program);
        command.env("PATH", search_path()).current_dir(self.scratch.path());
        command
    }
}

/// Another transaction, which keeps everybody away from the payments until it is dropped.
pub(crate) struct Lock(Child);

impl Lock {
    #[track_caller]
    pub(crate) fn take(postgres: &Postgres) -> Self {
        let mut psql = postgres.psql();
        psql.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut lock = Self(spawn(&mut psql, "postgresql-client"));
        let stdin = lock.0.stdin.as_mut().expect("it is a pipe");
        let statements = "BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE; SELECT 'locked';";
        writeln!(stdin, "{statements}").expect("psql reads");
        let mut answer = String::new();
        let stdout = lock.0.stdout.as_mut().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut answer).expect("psql answers");
        assert_eq!(answer.trim(), "locked");
        lock
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
