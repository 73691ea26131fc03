//! HAProxy.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use lifecycle_tests::harness::scratch::Scratch;

use super::{Server, free_port, search_path, spawn};
use crate::health_check::HealthCheck;
use crate::program::wait_until;

/// A proxy that asks `/readyz` of each server on its probe's port, and never repeats a request.
pub(crate) struct HaProxy {
    _server: Server,
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

    #[track_caller]
    fn speaking(protocol: &str, check: HealthCheck, servers: &[(SocketAddr, u16)]) -> Self {
        let (port, scratch) = (free_port(), Scratch::new());
        let HealthCheck { interval, failures, successes } = check;
        // What an answer to a check may take has a limit of its own: otherwise that is `inter`, which is too short for
        // a machine that is busy, if it is short. A connection to a machine that is dead hangs for longer than the checks
        // need to notice.
        let mut config = format!(
            "global\n  stats socket {socket} mode 600 level admin\n\
             defaults\n  mode http\n  retries 0\n  timeout connect 15s\n  timeout client 30s\n  \
             timeout server 30s\n  timeout check 5s\n\
             frontend web\n  bind 127.0.0.1:{port}\n  default_backend payments\n\
             backend payments\n  option httpchk GET /readyz\n  http-check expect status 200\n  \
             default-server inter {inter}ms fall {failures} rise {successes}\n",
            socket = scratch.path().join("stats").display(),
            inter = interval.as_millis(),
        );
        for (place, (server, probe)) in servers.iter().enumerate() {
            config += &format!("  server s{place} {server} check port {probe} {protocol}\n");
        }
        let file = scratch.path().join("haproxy.cfg");
        fs::write(&file, config).expect("there is room for a file");
        let log = File::create(scratch.path().join("log")).expect("there is room for a file");
        let mut command = Command::new("haproxy");
        command.env("PATH", search_path()).arg("-db").arg("-f").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let haproxy = Self { _server: Server::new(spawn(&mut command, "haproxy")), port, scratch };
        (0..servers.len()).for_each(|place| haproxy.wait_until_up(place));
        haproxy
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
        let what = format!("HAProxy says that s{place} is down");
        wait_until(&what, || self.status(place).is_ok_and(|status| status.as_deref() == Some("DOWN")));
    }

    /// Gives up what was sent to a server that will not answer any more.
    #[track_caller]
    pub(crate) fn give_up(&self, place: usize) {
        let answer = self.ask(&format!("shutdown sessions server payments/s{place}"));
        assert!(answer.is_ok(), "HAProxy does not hear: {answer:?}");
    }

    fn status(&self, place: usize) -> io::Result<Option<String>> {
        let stat = self.ask("show stat")?;
        let server = format!("payments,s{place},");
        let line = stat.lines().find(|line| line.starts_with(&server));
        Ok(line.and_then(|line| line.split(',').nth(17)).map(str::to_owned))
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
