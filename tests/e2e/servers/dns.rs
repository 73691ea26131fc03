//! A name server that never answers.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;

use crate::scratch::Scratch;

use crate::program::PATIENCE;

pub(crate) struct SilentDns {
    socket: UdpSocket,
    scratch: Scratch,
}

impl SilentDns {
    /// On port 53 of a loopback address that nobody else uses. That takes root.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let nsswitch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let mut hosts = nsswitch.lines().filter_map(|line| line.strip_prefix("hosts:"));
        assert!(
            hosts.any(|hosts| hosts.split_whitespace().any(|source| source == "dns")),
            "/etc/nsswitch.conf does not have host names looked up by DNS"
        );
        let socket =
            (1..=254).find_map(|host| match UdpSocket::bind((Ipv4Addr::new(127, 53, 53, host), 53)) {
                Ok(socket) => Some(socket),
                Err(error) if error.kind() == ErrorKind::AddrInUse => None,
                Err(error) => panic!("cannot take a port that is only for root: {error}"),
            });
        let socket = socket.expect("an address is free");
        socket.set_read_timeout(Some(PATIENCE)).expect("it is no zero");
        let scratch = Scratch::new();
        let address = socket.local_addr().expect("it has an address").ip();
        // Whoever asks is patient, and longer so than any test.
        let configuration = format!("nameserver {address}\noptions timeout:30 attempts:5\n");
        let dns = Self { socket, scratch };
        fs::write(dns.configuration(), configuration).expect("there is room for a file");
        dns
    }

    /// What `/etc/resolv.conf` has to be.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.scratch.path().join("resolv.conf")
    }

    /// Waits until somebody asks for a name that has this label.
    #[track_caller]
    pub(crate) fn wait_for_question(&self, label: &str) {
        let mut question = [0; 512];
        loop {
            let read = self.socket.recv(&mut question);
            let length = read.unwrap_or_else(|error| panic!("nobody asks for {label}: {error}"));
            if question[..length].windows(label.len()).any(|bytes| bytes == label.as_bytes()) {
                return;
            }
        }
    }
}
