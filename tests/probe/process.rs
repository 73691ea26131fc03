//! The fixtures in processes of their own: orders to them, their end.

use std::net::SocketAddr;

use lifecycle_tests::harness::program::{self, Program};
use rustix::process::{Pid, Signal};

pub(crate) use lifecycle_tests::harness::program::PATIENCE;

pub(crate) struct Process(program::Process);

/// The fixture that takes orders, with these variables.
pub(crate) fn start(variables: &[(&str, &str)]) -> Process {
    start_program(env!("CARGO_BIN_EXE_probed"), variables)
}

/// A process with these variables, and nothing else of our own environment but the path.
pub(crate) fn start_program(program: &str, variables: &[(&str, &str)]) -> Process {
    let program =
        variables.iter().fold(Program::new(program), |program, (name, value)| program.env(name, value));
    Process(program.with_open_stdin().spawn())
}

impl Process {
    /// Waits for the first line that contains `text`.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) -> String {
        self.0.wait_for_line(text).text
    }

    /// Where the probe listens, as the log tells.
    #[track_caller]
    pub(crate) fn probe(&self) -> SocketAddr {
        self.0.address_after("the probe answers at http://")
    }

    /// Where the fixture's own server listens.
    #[track_caller]
    pub(crate) fn web(&self) -> SocketAddr {
        self.0.address_after("web at http://")
    }

    /// Writes a line, and waits until it was read.
    #[track_caller]
    pub(crate) fn order(&self, order: &str) {
        self.0.write_line(order);
        self.line(&format!("ordered: {order}"));
    }

    pub(crate) fn pid(&self) -> Pid {
        self.0.pid()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.0.signal(signal);
    }

    /// Waits for the end: the exit code, and all that was printed.
    #[track_caller]
    pub(crate) fn end(self) -> (Option<i32>, String) {
        let exit = self.0.wait_for_exit();
        (exit.code(), exit.stdout() + &exit.stderr())
    }

    /// Asks it to stop, and asserts that it does so without complaint.
    #[track_caller]
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::TERM);
        let (code, printed) = self.end();
        assert_eq!(code, Some(0), "{printed}");
        printed
    }
}
