//! HAProxy.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::Signal;

use super::{Server, free_port, search_path, spawn};
use crate::health_check::HealthCheck;
use crate::program::wait_until;

/// A proxy that never repeats a request. Unless it is told otherwise, it asks `/readyz` of each server on its probe's port.
pub(crate) struct HaProxy {
    server: Server,
    port: u16,
    scratch: Scratch,
}

impl HaProxy {
    /// Starts one. `servers` are the ports of each: where it serves, and where it is probed.
    #[track_caller]
    pub(crate) fn start(check: HealthCheck, servers: &[(u16, u16)]) -> Self {
        Self::speaking("", check, &here(servers))
    }

    /// The same, and it speaks HTTP/2 with the servers.
    #[track_caller]
    pub(crate) fn over_http2(check: HealthCheck, servers: &[(u16, u16)]) -> Self {
        Self::speaking("proto h2 check-proto h1", check, &here(servers))
    }

    /// The same, and it ends the connections to a server that is marked down.
    #[track_caller]
    pub(crate) fn cutting(check: HealthCheck, servers: &[(u16, u16)]) -> Self {
        Self::speaking("on-marked-down shutdown-sessions", check, &here(servers))
    }

    /// Starts one in front of servers that are elsewhere, each with the port where it is probed.
    #[track_caller]
    pub(crate) fn in_front_of(check: HealthCheck, servers: &[(SocketAddr, u16)]) -> Self {
        Self::speaking("", check, servers)
    }

    /// Starts one with the `backend` of a configuration.
    #[track_caller]
    pub(crate) fn with(backend: &str) -> Self {
        Self::run("http", backend)
    }

    /// Starts one that hands connections on to a server that speaks something else than HTTP.
    #[track_caller]
    pub(crate) fn of_connections(server: SocketAddr) -> Self {
        let haproxy = Self::run("tcp", &format!("backend other\n  server s0 {server}\n"));
        wait_until("HAProxy listens", || TcpStream::connect(haproxy.address()).is_ok());
        haproxy
    }

    #[track_caller]
    fn speaking(protocol: &str, check: HealthCheck, servers: &[(SocketAddr, u16)]) -> Self {
        let HealthCheck { interval, failures, successes } = check;
        let mut backend = format!(
            "backend payments\n  option httpchk GET /readyz\n  http-check expect status 200\n  \
             default-server inter {inter}ms fall {failures} rise {successes}\n",
            inter = interval.as_millis(),
        );
        for (place, (server, probe)) in servers.iter().enumerate() {
            backend += &format!("  server s{place} {server} check port {probe} {protocol}\n");
        }
        let haproxy = Self::run("http", &backend);
        (0..servers.len()).for_each(|place| haproxy.wait_until_up(place));
        haproxy
    }

    #[track_caller]
    fn run(mode: &str, backend: &str) -> Self {
        let (port, scratch) = (free_port(), Scratch::new());
        let name = backend.split_whitespace().nth(1).expect("it has a name");
        // What an answer to a check may take has a limit of its own: otherwise that is `inter`, which is too short for
        // a machine that is busy, if it is short. A connection to a machine that is dead hangs for longer than the checks
        // need to notice.
        let config = format!(
            "global\n  stats socket {socket} mode 600 level admin\n\
             defaults\n  mode {mode}\n  retries 0\n  timeout connect 15s\n  timeout client 30s\n  \
             timeout server 30s\n  timeout check 5s\n\
             frontend web\n  bind 127.0.0.1:{port}\n  default_backend {name}\n{backend}",
            socket = scratch.path().join("stats").display(),
        );
        let file = scratch.path().join("haproxy.cfg");
        fs::write(&file, config).expect("there is room for a file");
        let log = File::create(scratch.path().join("log")).expect("there is room for a file");
        let mut command = Command::new("haproxy");
        command.env("PATH", search_path()).arg("-db").arg("-f").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { server: Server::new(spawn(&mut command, "haproxy")), port, scratch }
    }

    /// Asks it to end, which it does at once, and waits until it has.
    #[track_caller]
    pub(crate) fn terminate(&mut self) {
        self.server.signal(Signal::TERM);
        self.server.wait();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Waits until HAProxy sends requests to this server.
    #[track_caller]
    pub(crate) fn wait_until_up(&self, place: usize) {
        let what = format!("HAProxy says that s{place} is up");
        // "UP 1/3" is a server whose checks have begun to fail.
        wait_until(&what, || self.status(place).is_ok_and(|status| status.as_deref() == Some("UP")));
    }

    /// Waits until HAProxy sends no more requests to this server.
    #[track_caller]
    pub(crate) fn wait_until_down(&self, place: usize) {
        wait_until(&format!("HAProxy says that s{place} is down"), || self.is_down(place));
    }

    pub(crate) fn is_down(&self, place: usize) -> bool {
        self.status(place).is_ok_and(|status| status.as_deref() == Some("DOWN"))
    }

    /// Gives up what was sent to a server that will not answer any more.
    #[track_caller]
    pub(crate) fn give_up(&self, place: usize) {
        let answer = self.ask(&format!("shutdown sessions server payments/s{place}"));
        assert!(answer.is_ok(), "HAProxy does not hear: {answer:?}");
    }

    /// Waits until a check of this server has ended so, as HAProxy says it.
    #[track_caller]
    pub(crate) fn wait_for_check(&self, place: usize, result: &str) {
        let what = format!("HAProxy says that a check of s{place} is {result}");
        wait_until(&what, || self.column(place, 36).is_ok_and(|check| check.as_deref() == Some(result)));
    }

    fn status(&self, place: usize) -> io::Result<Option<String>> {
        self.column(place, 17)
    }

    /// What the statistics say of a server.
    fn column(&self, place: usize, column: usize) -> io::Result<Option<String>> {
        let stat = self.ask("show stat")?;
        let server = format!(",s{place},");
        let line = stat.lines().find(|line| line.contains(&server));
        Ok(line.and_then(|line| line.split(',').nth(column)).map(str::to_owned))
    }

    fn ask(&self, command: &str) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.scratch.path().join("stats"))?;
        writeln!(socket, "{command}")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// Servers of this machine, by their ports.
fn here(servers: &[(u16, u16)]) -> Vec<(SocketAddr, u16)> {
    servers.iter().map(|&(port, probe)| ((Ipv4Addr::LOCALHOST, port).into(), probe)).collect()
}
