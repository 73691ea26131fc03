//! A network of this machine's own, with machines on it that are network namespaces.

use std::io::Read;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Pid;

use super::{search_path, spawn};

/// A switch in a namespace of its own, so that no rule of this machine's firewall is asked. The network goes with
/// it.
pub(crate) struct Switch {
    namespace: Child,
    /// This machine's end of its cable.
    port: String,
    /// The first three bytes of all addresses.
    net: [u8; 3],
}

impl Switch {
    /// Starts one, and connects this machine.
    #[track_caller]
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut command = Command::new("unshare");
        let script = "ip link add switch type bridge && ip link set switch up && echo ready && exec cat";
        command.args(["--net", "sh", "-c", script]).env("PATH", search_path());
        let mut namespace = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()), "util-linux");
        let mut ready = [0; 6];
        let output = namespace.stdout.as_mut().expect("its output is a pipe");
        let is_ready = output.read_exact(&mut ready);
        assert!(is_ready.is_ok(), "no network could be made: this test needs root and the package iproute2");
        let (pid, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // Nobody else uses 198.18.0.0/15: it is for tests (RFC 2544).
        let third = u8::try_from((pid + number) % 250).expect("it is less than 250");
        let port = format!("lifec{}-{number}", pid % 10_000_000);
        let switch = Self { namespace, port: port.clone(), net: [198, 18, third] };
        switch.ip(&[
            "link",
            "add",
            "machine",
            "type",
            "veth",
            "peer",
            "name",
            &port,
            "netns",
            &pid.to_string(),
        ]);
        switch.ip(&["link", "set", "machine", "master", "switch", "up"]);
        run(Command::new("ip").args(["address", "add", &switch.range(254), "dev", &port]));
        run(Command::new("ip").args(["link", "set", &port, "up"]));
        switch
    }

    /// Connects the network namespace of a process. Its address.
    #[track_caller]
    pub(crate) fn connect(&self, process: Pid, place: u8) -> Ipv4Addr {
        let (pid, port) = (process.as_raw_pid().to_string(), port(place));
        self.ip(&["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        self.ip(&["link", "set", &port, "master", "switch", "up"]);
        let inside = ["-t", &pid, "-n", "ip"];
        run(Command::new("nsenter").args(inside).args([
            "address",
            "add",
            &self.range(1 + place),
            "dev",
            "eth0",
        ]));
        run(Command::new("nsenter").args(inside).args(["link", "set", "eth0", "up"]));
        self.address(1 + place)
    }

    /// Pulls the plug: nothing that is sent arrives, and nobody is told.
    #[track_caller]
    pub(crate) fn disconnect(&self, place: u8) {
        self.ip(&["link", "set", &port(place), "down"]);
    }

    /// Where this machine is reached.
    pub(crate) fn machine(&self) -> Ipv4Addr {
        self.address(254)
    }

    fn address(&self, host: u8) -> Ipv4Addr {
        let [a, b, c] = self.net;
        Ipv4Addr::new(a, b, c, host)
    }

    fn range(&self, host: u8) -> String {
        format!("{}/24", self.address(host))
    }

    #[track_caller]
    fn ip(&self, arguments: &[&str]) {
        run(Command::new("nsenter")
            .args(["-t", &self.namespace.id().to_string(), "-n", "ip"])
            .args(arguments));
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // Both ends of a cable go with one of them; those of the nodes go with the switch, a moment later.
        let _ = Command::new("ip").args(["link", "delete", &self.port]).env("PATH", search_path()).output();
        let _ = self.namespace.kill();
        let _ = self.namespace.wait();
    }
}

fn port(place: u8) -> String {
    format!("port{place}")
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.env("PATH", search_path()).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}
