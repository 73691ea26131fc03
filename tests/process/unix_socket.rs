//! The file of a Unix socket is gone after the stop, if it is the server's own.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::process::Signal;

use crate::machine;
use crate::program::{Process, Program};
use crate::scratch::Scratch;

fn server() -> Program {
    Program::new(env!("CARGO_BIN_EXE_unix_socket"))
}

fn serving(server: Program) -> Process {
    let process = server.spawn();
    process.wait_for_line("serving");
    process
}

fn stop(process: Process) {
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

/// The inode of what is at a path.
fn inode(path: &Path) -> Option<u64> {
    Some(fs::symlink_metadata(path).ok()?.ino())
}

#[test]
fn the_file_is_gone_after_the_stop_and_the_next_start_works() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("app.sock");
    for _ in 0..2 {
        let process = serving(server().env("SOCKET", &path));
        UnixStream::connect(&path).unwrap();
        stop(process);
        assert_eq!(scratch.content(), [""; 0]);
    }
}

#[test]
fn a_socket_that_somebody_else_has_put_there_stays() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("app.sock");
    let process = serving(server().env("SOCKET", &path));
    fs::remove_file(&path).unwrap();
    let _successor = UnixListener::bind(&path).unwrap();
    let successor = inode(&path);
    stop(process);
    assert_eq!(inode(&path), successor);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_file_that_somebody_else_has_put_there_stays() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("app.sock");
    let process = serving(server().env("SOCKET", &path));
    let other = scratch.path().join("other");
    fs::write(&other, "not a socket").unwrap();
    fs::rename(&other, &path).unwrap();
    stop(process);
    assert_eq!(fs::read_to_string(&path).unwrap(), "not a socket");
}

#[test]
fn a_relative_path_counts_from_where_the_server_began() {
    let _machine = machine::shared();
    let (began, ended) = (Scratch::new(), Scratch::new());
    let _other = UnixListener::bind(ended.path().join("app.sock")).unwrap();
    let server = server().in_directory(began.path()).env("SOCKET", "app.sock").env("CHDIR", ended.path());
    let process = serving(server);
    assert_eq!(began.content(), ["app.sock"]);
    stop(process);
    assert_eq!(began.content(), [""; 0]);
    assert_eq!(ended.content(), ["app.sock"]);
}

#[test]
fn the_file_of_an_inherited_socket_stays_and_its_owner_can_go_on() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("app.sock");
    let owner = UnixListener::bind(&path).unwrap();
    for _ in 0..2 {
        let inherited = OwnedFd::from(owner.try_clone().unwrap());
        stop(serving(server().with_stdin(inherited)));
        assert_eq!(scratch.content(), ["app.sock"]);
    }
    owner.set_nonblocking(false).unwrap();
    UnixStream::connect(&path).unwrap();
    owner.accept().unwrap();
}
