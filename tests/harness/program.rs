//! A program and the process that runs it: its output, line by line as it comes; its end, as it happens.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::{self, BufRead, BufReader, PipeWriter, Read};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

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
pub struct Program {
    command: Command,
}

impl Program {
    pub fn example(name: &str) -> Self {
        Self::new(examples::executable(name))
    }

    pub fn new(path: impl AsRef<OsStr>) -> Self {
        // Whoever runs the tests may ignore a signal (under nohup, SIGHUP), and processes inherit that.
        let mut command = Command::new("env");
        command.arg("--default-signal").arg(path);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Colours would come between the words that tests look for.
        command.env_clear().env("PATH", path).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args(self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// A stdin that never gives anything and does not end, as a terminal's.
    pub fn with_open_stdin(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// A stdin that is a file or a socket of the caller's.
    pub fn with_stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// A stdout that is a file or a terminal of the caller's.
    pub fn with_stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Both output streams into one pipe, whose other end is the caller's.
    pub fn with_output(self, writer: &PipeWriter) -> Self {
        self.with_outputs(writer, writer)
    }

    /// Each output stream into a pipe whose other end is the caller's.
    pub fn with_outputs(mut self, stdout: &PipeWriter, stderr: &PipeWriter) -> Self {
        let again = |writer: &PipeWriter| writer.try_clone().expect("a pipe can be had twice");
        self.command.stdout(again(stdout)).stderr(again(stderr));
        self
    }

    /// The stderr alone.
    pub fn with_stderr(mut self, writer: &PipeWriter) -> Self {
        self.command.stderr(writer.try_clone().expect("a pipe can be had twice"));
        self
    }

    pub fn spawn(mut self) -> Process {
        let mut child =
            self.command.spawn().unwrap_or_else(|error| panic!("cannot run {:?}: {error}", self.command));
        let transcript = Transcript(Arc::default());
        // Without a pipe of its own, a stream has nothing to record, and ends at once.
        match child.stdout.take() {
            Some(stdout) => transcript.record(Stream::Stdout, stdout),
            None => transcript.record(Stream::Stdout, io::empty()),
        }
        match child.stderr.take() {
            Some(stderr) => transcript.record(Stream::Stderr, stderr),
            None => transcript.record(Stream::Stderr, io::empty()),
        }
        let pid = Pid::from_child(&child);
        wait_until_signals_count(pid);
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            if wait_without_reaping(pid) {
                let _ = end.send(Instant::now());
            }
        });
        Process { child: Killed(child), pid, ended, transcript }
    }
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

/// Blocks until the process has ended. It remains a zombie, so that its pid stays its own.
fn wait_without_reaping(pid: Pid) -> bool {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(status) => return status.is_some(),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// A process, killed when this is dropped.
pub struct Process {
    child: Killed,
    pid: Pid,
    ended: Receiver<Instant>,
    transcript: Transcript,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Sends a signal to this process and no other: it has not been reaped, so that the pid is its own.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap_or_else(|error| panic!("cannot send {signal:?}: {error}"));
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether the process has a handler for the signal, by now.
    pub fn catches(&self, signal: Signal) -> bool {
        catches(self.pid, signal)
    }

    /// Sends a signal again and again, until the process has ended.
    pub fn signal_until_exit(self, signal: Signal) -> Exit {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.signal(signal);
            if let Ok(at) = self.ended.recv_timeout(Duration::from_micros(100)) {
                return self.reap(at);
            }
            assert!(Instant::now() < deadline, "the process did not end within {PATIENCE:?}");
        }
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

    /// Waits for the first line, on either stream, that contains `text`.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> Line {
        let deadline = Instant::now() + PATIENCE;
        let mut log = self.transcript.lock();
        loop {
            if let Some(line) = log.lines.iter().find(|line| line.text.contains(text)) {
                return line.clone();
            }
            assert!(log.is_open(), "the process ended without a line containing {text:?}");
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line containing {text:?} within {PATIENCE:?}");
            log = self.transcript.wait(log, left);
        }
    }

    /// Waits for the first line that contains `text`, or for the end of what it prints. Says whether it was the end.
    #[track_caller]
    pub fn wait_for_line_or_end(&self, text: &str) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut log = self.transcript.lock();
        while !log.lines.iter().any(|line| line.text.contains(text)) {
            if !log.is_open() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line containing {text:?}, and no end, within {PATIENCE:?}");
            log = self.transcript.wait(log, left);
        }
        false
    }

    /// Whether it has printed a line that contains `text`, so far.
    pub fn has_printed(&self, text: &str) -> bool {
        self.transcript.lock().lines.iter().any(|line| line.text.contains(text))
    }

    /// The address in the line "listening on http://…".
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.address_after("listening on http://")
    }

    /// Waits for the first line that contains `text`, and takes the address that follows it.
    #[track_caller]
    pub fn address_after(&self, text: &str) -> SocketAddr {
        let Line { text: line, .. } = self.wait_for_line(text);
        let address = line.split(text).nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        address.unwrap_or_else(|| panic!("no address in {line:?}"))
    }

    /// Writes a line to its stdin, which has to be open.
    #[track_caller]
    pub fn write_line(&self, line: &str) {
        let mut stdin = self.child.0.stdin.as_ref().expect("it was given an open stdin");
        io::Write::write_all(&mut stdin, format!("{line}\n").as_bytes())
            .unwrap_or_else(|error| panic!("cannot write {line:?}: {error}"));
    }

    /// Waits for the end of the process and of its output.
    pub fn wait_for_exit(self) -> Exit {
        let Ok(at) = self.ended.recv_timeout(PATIENCE) else {
            panic!("the process did not end within {PATIENCE:?}");
        };
        self.reap(at)
    }

    /// Waits for the end, and kills the process if it has not come within this time.
    pub fn wait_or_kill(mut self, limit: Duration) -> Exit {
        match self.ended.recv_timeout(limit) {
            Ok(at) => self.reap(at),
            Err(_) => {
                self.child.0.kill().unwrap_or_else(|error| panic!("the process cannot be killed: {error}"));
                self.wait_for_exit()
            }
        }
    }

    /// Takes the end of a process that has ended, and of its output.
    fn reap(self, at: Instant) -> Exit {
        let Self { mut child, pid: _, ended: _, transcript } = self;
        let status = child.0.wait().unwrap_or_else(|error| panic!("the process cannot be reaped: {error}"));
        let deadline = Instant::now() + PATIENCE;
        let mut log = transcript.lock();
        while log.is_open() {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the process ended, its output did not: somebody else holds the pipe");
            log = transcript.wait(log, left);
        }
        drop(log);
        Exit { at, status, transcript }
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
    status: ExitStatus,
    transcript: Transcript,
}

impl Exit {
    /// The exit code; `None` if a signal killed the process.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that killed the process.
    pub fn killed_by(&self) -> Option<i32> {
        self.status.signal()
    }

    pub fn stdout(&self) -> String {
        self.text(Stream::Stdout)
    }

    pub fn stderr(&self) -> String {
        self.text(Stream::Stderr)
    }

    fn text(&self, stream: Stream) -> String {
        let log = self.transcript.lock();
        log.lines.iter().filter(|line| line.stream == stream).fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{}", line.text);
            text
        })
    }

    /// Asserts that stdout has one line for each of `texts`, and that they come in this order.
    #[track_caller]
    pub fn assert_in_order(&self, texts: &[&str]) {
        let stdout = self.stdout();
        let places = texts.iter().map(|&text| {
            let mut lines = stdout.lines().enumerate().filter(|(_, line)| line.contains(text));
            let Some((place, _)) = lines.next() else { panic!("no line on stdout contains {text:?}") };
            assert!(lines.next().is_none(), "more than one line on stdout contains {text:?}");
            place
        });
        let places: Vec<usize> = places.collect();
        assert!(places.is_sorted(), "not in the order {texts:?}, but on the lines {places:?} of stdout");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub stream: Stream,
    pub text: String,
    /// When it was read.
    pub at: Instant,
}

/// What a process has printed so far. Printed in its turn when the test fails, whatever the assertion.
struct Transcript(Arc<(Mutex<Log>, Condvar)>);

#[derive(Default)]
struct Log {
    lines: Vec<Line>,
    ended_streams: usize,
}

impl Log {
    fn is_open(&self) -> bool {
        self.ended_streams < 2
    }
}

impl Transcript {
    /// Reads a stream on a thread of its own, so that the process never waits for a reader.
    fn record(&self, stream: Stream, pipe: impl Read + Send + 'static) {
        let shared = Arc::clone(&self.0);
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            loop {
                let mut bytes = Vec::new();
                let has_ended = !matches!(pipe.read_until(b'\n', &mut bytes), Ok(1..));
                let at = Instant::now();
                let (log, changed) = &*shared;
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                if has_ended {
                    log.ended_streams += 1;
                } else {
                    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                    log.lines.push(Line { stream, text, at });
                }
                changed.notify_all();
                if has_ended {
                    return;
                }
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, log: MutexGuard<'a, Log>, limit: Duration) -> MutexGuard<'a, Log> {
        self.0.1.wait_timeout(log, limit).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.lock();
            let first = log.lines.first().map(|line| line.at);
            let mut text = "---- what the process printed:\n".to_owned();
            for Line { stream, text: line, at } in &log.lines {
                let since = at.duration_since(first.unwrap_or(*at));
                let _ = writeln!(text, "{:>6} ms {stream:?}: {line}", since.as_millis());
            }
            eprintln!("{text}----");
        }
    }
}
