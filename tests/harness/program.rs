//! A program and the process that runs it, with what the test kit of users does not have: signals of all kinds, and no
//! signal that is ignored because whoever runs the tests ignores it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::PipeWriter;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, thread};

use lifecycle::testing;
pub use lifecycle::testing::{Line, Stream};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::examples;

/// No wait takes longer: what has not happened by then will not.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something holds, and says what did not.
#[track_caller]
pub fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    wait_for(PATIENCE, what, holds);
}

/// The same, for something that may take longer.
#[track_caller]
pub fn wait_for(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        // Not to synchronise, only to leave the processor to others.
        thread::sleep(Duration::from_millis(2));
    }
}

/// A program that will be run, with nothing of our own environment but the path.
pub struct Program(testing::Program);

impl Program {
    pub fn example(name: &str) -> Self {
        Self::new(examples::executable(name))
    }

    pub fn new(path: impl AsRef<OsStr>) -> Self {
        // Whoever runs the tests may ignore a signal (under nohup, SIGHUP), and processes inherit that.
        let program = testing::Program::new("env").arg("--default-signal").arg(path);
        // Colours would come between the words that tests look for.
        Self(program.env_clear().env("NO_COLOR", "1").patience(PATIENCE))
    }

    pub fn arg(self, argument: impl AsRef<OsStr>) -> Self {
        Self(self.0.arg(argument))
    }

    pub fn args(self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self(self.0.args(arguments))
    }

    pub fn env(self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        Self(self.0.env(variable, value))
    }

    /// A stdin that never gives anything and does not end, as a terminal's.
    pub fn with_open_stdin(self) -> Self {
        self.with_stdin(Stdio::piped())
    }

    pub fn in_directory(self, directory: &Path) -> Self {
        Self(self.0.current_dir(directory))
    }

    /// A stdin that is a file or a socket of the caller's.
    pub fn with_stdin(self, stdin: impl Into<Stdio>) -> Self {
        Self(self.0.stdin(stdin))
    }

    /// A stdout that is a file or a terminal of the caller's.
    pub fn with_stdout(self, stdout: impl Into<Stdio>) -> Self {
        Self(self.0.stdout(stdout))
    }

    /// Both output streams into one pipe, whose other end is the caller's.
    pub fn with_output(self, writer: &PipeWriter) -> Self {
        self.with_outputs(writer, writer)
    }

    /// Each output stream into a pipe whose other end is the caller's.
    pub fn with_outputs(self, stdout: &PipeWriter, stderr: &PipeWriter) -> Self {
        Self(self.0.stdout(again(stdout)).stderr(again(stderr)))
    }

    /// The stderr alone.
    pub fn with_stderr(self, writer: &PipeWriter) -> Self {
        Self(self.0.stderr(again(writer)))
    }

    #[track_caller]
    pub fn spawn(self) -> Process {
        let process = Process(self.0.spawn());
        wait_until_signals_count(process.pid());
        process
    }
}

fn again(writer: &PipeWriter) -> PipeWriter {
    writer.try_clone().expect("a pipe can be had twice")
}

/// Waits until `env` has made way for the program: what was ignored is ignored until then, and a signal would be lost.
fn wait_until_signals_count(pid: Pid) {
    let path = format!("/proc/{}/cmdline", pid.as_raw_pid());
    let deadline = Instant::now() + PATIENCE;
    while fs::read(&path).is_ok_and(|command| command.starts_with(b"env\0")) {
        assert!(Instant::now() < deadline, "`env` has not made way within {PATIENCE:?}");
        thread::yield_now();
    }
}

/// A process, killed with its group when this is dropped. What it does not have here is that of the test kit.
pub struct Process(testing::Process);

impl Deref for Process {
    type Target = testing::Process;

    fn deref(&self) -> &testing::Process {
        &self.0
    }
}

impl Process {
    /// Sends a signal to this process and no other: it has not been reaped, so that the pid is its own.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap_or_else(|error| panic!("cannot send {signal:?}: {error}"));
    }

    pub fn pid(&self) -> Pid {
        let pid = i32::try_from(self.0.pid()).ok().and_then(Pid::from_raw);
        pid.expect("a process has a pid")
    }

    /// Whether the process has a handler for the signal, by now.
    pub fn catches(&self, signal: Signal) -> bool {
        catches(self.pid(), signal)
    }

    /// Sends a signal again and again, until the process has ended.
    #[track_caller]
    pub fn signal_until_exit(self, signal: Signal) -> Exit {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended() {
            assert!(Instant::now() < deadline, "the process did not end within {PATIENCE:?}");
            self.signal(signal);
            thread::sleep(Duration::from_micros(100));
        }
        self.wait_for_exit()
    }

    /// Sends a signal again and again, until a line contains `text`.
    #[track_caller]
    pub fn signal_until(&self, signal: Signal, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_printed(text) {
            assert!(Instant::now() < deadline, "no line containing {text:?} within {PATIENCE:?}");
            self.signal(signal);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the first line that contains `text`, or for the end of what it prints. Says whether it was the end.
    #[track_caller]
    pub fn wait_for_line_or_end(&self, text: &str) -> bool {
        self.0.wait_for_line_or_end(text).is_none()
    }

    /// The address in the line "listening on http://…".
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.address_after("listening on http://")
    }

    /// Waits for the end of the process and of its output.
    #[track_caller]
    pub fn wait_for_exit(self) -> Exit {
        Exit::new(self.0.wait())
    }

    /// Waits for the end, and kills the process if it has not come within this time.
    #[track_caller]
    pub fn wait_or_kill(self, limit: Duration) -> Exit {
        Exit::new(self.0.wait_or_kill(limit))
    }
}

/// Whether a process has a handler for the signal, by now.
pub fn catches(pid: Pid, signal: Signal) -> bool {
    let path = format!("/proc/{}/status", pid.as_raw_pid());
    let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// How a process ended, and all that it printed.
pub struct Exit {
    /// When the end was observed.
    pub at: Instant,
    exit: testing::Exit,
}

impl Exit {
    fn new(exit: testing::Exit) -> Self {
        Self { at: exit.at(), exit }
    }

    /// The exit code; `None` if a signal killed the process.
    pub fn code(&self) -> Option<i32> {
        self.exit.code()
    }

    /// The signal that killed the process.
    pub fn killed_by(&self) -> Option<i32> {
        self.exit.killed_by()
    }

    pub fn stdout(&self) -> String {
        self.text(Stream::Stdout)
    }

    pub fn stderr(&self) -> String {
        self.text(Stream::Stderr)
    }

    fn text(&self, stream: Stream) -> String {
        self.exit.lines(stream).iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }

    /// Asserts that stdout has one line for each of `texts`, and that they come in this order.
    #[track_caller]
    pub fn assert_in_order(&self, texts: &[&str]) {
        self.exit.assert_in_order(texts);
    }
}
