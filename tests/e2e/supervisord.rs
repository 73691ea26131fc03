//! A service under supervisord, which asks with SIGTERM and kills 10 s later, unless its configuration says otherwise.

use std::fs;

use rustix::process::Signal;

use crate::machine;
use crate::program::Program;
use crate::scratch::Scratch;

/// Everything that is said comes on stdout: by supervisord, and by the service under it.
fn supervisord(scratch: &Scratch, mode: &str) -> Program {
    let folder = scratch.path().display();
    let service = env!("CARGO_BIN_EXE_unheard");
    let configuration = format!(
        "[supervisord]\nnodaemon=true\nlogfile={folder}/log\npidfile={folder}/pid\n\
         [program:service]\ncommand={service}\nenvironment=MODE=\"{mode}\"\nredirect_stderr=true\n\
         stdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\n"
    );
    let path = scratch.path().join("supervisord.conf");
    fs::write(&path, configuration).expect("the temporary directory can be written to");
    Program::new("supervisord").arg("-c").arg(path)
}

#[test]
fn what_never_ends_is_cut_off_before_supervisord_kills() {
    let _machine = machine::alone();
    let scratch = Scratch::new();
    let process = supervisord(&scratch, "hangs").spawn();
    process.wait_for_line("serving");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    exit.assert_in_order(&[
        "stopping: SIGTERM received; 8.0 s at most (0.8 of supervisord's 10.0 s)",
        "SIGTERM received; exit code 124",
        "stopped: service (exit status 124",
    ]);
    assert!(!exit.stdout().contains("SIGKILL"), "supervisord lost its patience");
}
