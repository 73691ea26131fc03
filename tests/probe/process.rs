//! The fixture in a process of its own: its output line by line, orders to it, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// No wait takes longer: what has not happened by then will not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    /// Read, and taken by no call of `line`.
    waiting: Vec<String>,
    printed: Vec<String>,
}

/// The fixture that takes orders, with these variables.
pub(crate) fn start(variables: &[(&str, &str)]) -> Process {
    start_program(env!("CARGO_BIN_EXE_probed"), variables)
}

/// A process with these variables, and nothing else of our own environment but the path.
pub(crate) fn start_program(program: &str, variables: &[(&str, &str)]) -> Process {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let (sender, lines) = mpsc::channel();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        unreachable!("both are pipes")
    };
    read(stdout, sender.clone());
    read(stderr, sender);
    Process { child, lines, waiting: Vec::new(), printed: Vec::new() }
}

/// Reads on a thread of its own, so that the process never waits for a reader.
fn read(pipe: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

impl Process {
    /// Waits for a line that contains `text`, and takes the first one that no other call has taken: the log and the
    /// fixture's own words come in an order of their own.
    #[track_caller]
    pub(crate) fn line(&mut self, text: &str) -> String {
        if let Some(position) = self.waiting.iter().position(|line| line.contains(text)) {
            return self.waiting.remove(position);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("no line containing {text:?} within {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without a line containing {text:?}"),
            };
            self.printed.push(line.clone());
            if line.contains(text) {
                return line;
            }
            self.waiting.push(line);
        }
    }

    /// Where the probe listens, as the log tells.
    #[track_caller]
    pub(crate) fn probe(&mut self) -> SocketAddr {
        self.address("the probe answers at http://")
    }

    /// The address in the line that contains `text`, which ends with the scheme.
    #[track_caller]
    pub(crate) fn address(&mut self, text: &str) -> SocketAddr {
        let line = self.line(text);
        let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("no address in {line:?}"))
    }

    /// Writes a line, and waits until it was read.
    #[track_caller]
    pub(crate) fn order(&mut self, order: &str) {
        let Some(stdin) = &mut self.child.stdin else { unreachable!("it is a pipe") };
        writeln!(stdin, "{order}").unwrap_or_else(|error| panic!("cannot order {order:?}: {error}"));
        self.line(&format!("ordered: {order}"));
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .unwrap_or_else(|error| panic!("cannot send {signal:?}: {error}"));
    }

    /// Waits for the end: the exit code, and all lines that were not waited for.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut rest: String = self.waiting.drain(..).map(|line| line + "\n").collect();
        // The output ends when the process does.
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    rest += &format!("{line}\n");
                    self.printed.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the process did not end within {PATIENCE:?}"),
            }
        }
        let status = self.child.wait().unwrap_or_else(|error| panic!("cannot be waited for: {error}"));
        (status.code(), rest)
    }

    /// Asks it to stop, and asserts that it does so without complaint.
    #[track_caller]
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::TERM);
        let (code, rest) = self.end();
        assert_eq!(code, Some(0), "{rest}");
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let rest = self.lines.try_iter();
            let printed: Vec<String> = self.printed.drain(..).chain(rest).collect();
            eprintln!("---- what the process printed:\n{}\n----", printed.join("\n"));
        }
    }
}
