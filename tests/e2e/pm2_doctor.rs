//! What `lifecycle doctor` says of ecosystem files, played by PM2: the file that it complains of, and the one that is right.

use std::path::Path;

use crate::machine;
use crate::pairs::{pair, text};
use crate::program::wait_until;
use crate::servers::Server;
use crate::servers::pm2::Pm2;

/// What the fixture prints when it has started.
const SERVES: &str = "serving as process";

#[track_caller]
fn begin(ecosystem: &str) -> (Pm2, Server) {
    Pm2::begin("shop", Path::new(env!("CARGO_BIN_EXE_deployed")), ecosystem)
}

#[track_caller]
fn assert_started((pm2, mut start): (Pm2, Server)) {
    start.wait();
    assert_eq!(pm2.knows("status"), "online");
    wait_until("the program serves", || pm2.outputs().contains(SERVES));
    pm2.end();
}

/// PM2 gives the binary to Node.js, again and again, and says in between that it is online.
#[test]
fn a_binary_in_cluster_mode_never_starts() {
    let _machine = machine::shared();
    let [wrong, right] = pair("pm2-mode", "config.js");
    // By itself, it tries sixteen times.
    let (pm2, mut start) = begin(&text(&wrong).replace("exec_mode:", "max_restarts: 3, exec_mode:"));
    start.wait();
    wait_until("PM2 has given up", || pm2.knows("status") == "errored");
    assert!(!pm2.outputs().contains(SERVES), "it has started");
    pm2.end();
    assert_started(begin(&text(&right)));
}

/// PM2 counts a start as done when it is told, or `listen_timeout` after it, which is as long here as a test may hang.
#[test]
fn a_start_with_wait_ready_is_not_done_although_the_program_serves() {
    let _machine = machine::shared();
    let [wrong, right] = pair("pm2-wait-ready", "config.js").map(|file| {
        let (patient, all) = ("wait_ready: ", text(&file));
        assert!(all.contains(patient), "{file} says nothing of it");
        all.replace(patient, "listen_timeout: 3600000, wait_ready: ")
    });
    let (pm2, mut start) = begin(&wrong);
    wait_until("the program serves", || pm2.outputs().contains(SERVES));
    assert_eq!(pm2.knows("status"), "launching");
    assert!(!start.has_ended(), "`pm2 start` has not waited");
    pm2.end();
    assert_started(begin(&right));
}
