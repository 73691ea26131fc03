//! Real processes: a program that is started, waited for, sent signals and judged by what it prints and how it ends.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use super::difference::difference;
use super::output::{LONGEST, Line, Output, Stream};
use crate::model::signal::Signal;

/// How long is waited for anything, unless a program has another patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether a port answers.
const LOOK: Duration = Duration::from_millis(10);

/// A program to be run in a test: a builder, like [`Command`].
///
/// Its stdin is empty, and all that it prints is collected. It gets a process group of its own, and nothing of that is left
/// when the [`Process`] has ended or is dropped, also by a test that panics.
///
/// ```no_run
/// use lifecycle::Signal;
/// use lifecycle::testing::Program;
///
/// // #[test]
/// fn it_ends_well() {
///     let server = Program::new("target/debug/server").env("PORT", "0").spawn(); // or env!("CARGO_BIN_EXE_server")
///     let address = server.address_after("listening on http://");
///     // …requests to `address`…
///     server.signal(Signal::Terminate);
///     let exit = server.wait();
///     exit.assert_exit_code(0);
///     exit.assert_in_order(["listening on", "releasing Http", "releasing Db"]);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a program runs once it is spawned"]
pub struct Program {
    command: Command,
    patience: Duration,
}

impl Program {
    /// The program at a path, or of a name that is looked for in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        Self { command, patience: PATIENCE }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Keeps the environment of the test from it, except for what is [set](Self::env) from here on, and for `PATH`.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        self
    }

    /// Sets its working directory.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives it another stdin. With [`Stdio::piped`], the test [writes](Process::write_line) into it.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Gives it another stdout, which is then not collected.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Gives it another stderr, which is then not collected.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// Limits every wait for the process. The default is 20 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(LONGEST);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[track_caller]
    pub fn spawn(mut self) -> Process {
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot run {:?}: {error}", self.command),
        };
        // The other ends of what it was given would keep its streams open.
        drop(self.command);
        let output = Output::default();
        if let Some(stdout) = child.stdout.take() {
            output.read(Stream::Stdout, stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            output.read(Stream::Stderr, stderr);
        }
        let pid = Pid::from_child(&child);
        let witness = output.clone();
        thread::spawn(move || {
            if wait_without_reaping(pid) {
                witness.end();
            }
        });
        Process { child: Owned { child, is_reaped: false }, pid, output, patience: self.patience }
    }
}

/// Blocks until the process has ended. It remains a zombie, so that its number stays its own.
fn wait_without_reaping(pid: Pid) -> bool {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(status) => return status.is_some(),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// A process that a test has started: see [`Program`].
///
/// If the test panics, what the process has printed is shown. When this is dropped, the process and its group are killed.
#[derive(Debug)]
pub struct Process {
    child: Owned,
    pid: Pid,
    output: Output,
    patience: Duration,
}

/// A child with its group, of which nothing is left when this is dropped.
#[derive(Debug)]
struct Owned {
    child: Child,
    is_reaped: bool,
}

impl Owned {
    /// Takes the end of the child. The rest of its group ends too, before anybody else can have its number.
    fn reap(&mut self) -> std::io::Result<ExitStatus> {
        // It may have gone to a group of its own. A group that is gone already is not a mistake.
        let _ = self.child.kill();
        let _ = kill_process_group(Pid::from_child(&self.child), rustix::process::Signal::KILL);
        let status = self.child.wait();
        self.is_reaped = true;
        status
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.reap();
        }
    }
}

impl Process {
    /// The number of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.child.id()
    }

    /// Sends a signal to the process, as a supervisor does.
    ///
    /// # Panics
    ///
    /// If that is not possible.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let number = match signal {
            Signal::Hangup => rustix::process::Signal::HUP,
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Quit => rustix::process::Signal::QUIT,
            Signal::Terminate => rustix::process::Signal::TERM,
        };
        self.send(signal, number);
    }

    /// Ends the process at once, by SIGKILL: a crash. Its children go on until it is [waited for](Self::wait).
    #[track_caller]
    pub fn kill(&self) {
        self.send("SIGKILL", rustix::process::Signal::KILL);
    }

    #[track_caller]
    fn send(&self, name: impl std::fmt::Display, number: rustix::process::Signal) {
        if let Err(error) = kill_process(self.pid, number) {
            panic!("cannot send {name} to the process: {error}");
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.output.state().ended.is_some()
    }

    /// Whether it has printed a line that contains `text`, so far.
    #[must_use]
    pub fn has_printed(&self, text: &str) -> bool {
        self.output.state().line_with(text).is_some()
    }

    /// Waits for the first line, on either stream, that contains `text`.
    ///
    /// # Panics
    ///
    /// If the process ends without it, or does not print it in time.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> Line {
        match self.wait_for_line_or_end(text) {
            Some(line) => line,
            None => panic!("the process ended without a line containing {text:?}"),
        }
    }

    /// Waits for the first line, on either stream, that contains `text`, or for the end of all that it prints: `None`.
    ///
    /// # Panics
    ///
    /// If neither comes in time.
    #[track_caller]
    pub fn wait_for_line_or_end(&self, text: &str) -> Option<Line> {
        let found = self.output.wait(self.patience, |state| {
            let line = state.line_with(text).cloned();
            if line.is_some() || state.is_complete() { Some(line) } else { None }
        });
        match found {
            Some(line) => line,
            None => panic!("no line containing {text:?} within {:?}", self.patience),
        }
    }

    /// Waits for the first line that contains `text`, and takes the address that follows it: of
    /// `listening on http://127.0.0.1:8080`, that after `http://`.
    ///
    /// # Panics
    ///
    /// If there is no such line in time, or no address in it.
    #[track_caller]
    pub fn address_after(&self, text: &str) -> SocketAddr {
        let Line { text: line, .. } = self.wait_for_line(text);
        let rest = line.split_once(text).map_or("", |(_, rest)| rest);
        let belongs = |letter: char| letter.is_ascii_hexdigit() || ".:[]".contains(letter);
        let end = rest.find(|letter| !belongs(letter)).unwrap_or(rest.len());
        let address = rest[..end].trim_end_matches(['.', ':']).parse().ok();
        address.unwrap_or_else(|| panic!("no address after {text:?} in {line:?}"))
    }

    /// Waits until something accepts connections at an address.
    ///
    /// # Panics
    ///
    /// If nothing does in time, or the process ends before.
    #[track_caller]
    pub fn wait_for_port(&self, address: SocketAddr) {
        let limit = self.patience;
        self.look_until(&format!("nothing listens on {address}"), || {
            TcpStream::connect_timeout(&address, limit).is_ok()
        });
    }

    /// Waits until the probe at an address says that the application is ready: `/readyz` answers 200.
    ///
    /// # Panics
    ///
    /// If it does not in time, or the process ends before.
    #[track_caller]
    pub fn wait_until_ready(&self, probe: SocketAddr) {
        let limit = self.patience;
        self.look_until(&format!("http://{probe}/readyz does not answer 200"), || is_ready(probe, limit));
    }

    #[track_caller]
    fn look_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + self.patience;
        while !is_so() {
            assert!(!self.has_ended(), "{what}: the process has ended");
            assert!(Instant::now() < deadline, "{what}: not within {:?}", self.patience);
            thread::sleep(LOOK);
        }
    }

    /// Writes a line into its stdin, which has to be [piped](Program::stdin).
    ///
    /// # Panics
    ///
    /// If that is not possible.
    #[track_caller]
    pub fn write_line(&self, line: &str) {
        let Some(mut stdin) = self.child.child.stdin.as_ref() else {
            panic!("the stdin of the process is not piped")
        };
        if let Err(error) = stdin.write_all(format!("{line}\n").as_bytes()) {
            panic!("cannot write {line:?}: {error}");
        }
    }

    /// Waits for the end of the process, and of all that it prints. What is left of its group is killed.
    ///
    /// # Panics
    ///
    /// If it does not end in time.
    #[track_caller]
    pub fn wait(self) -> Exit {
        match self.output.wait(self.patience, |state| state.ended) {
            Some(at) => self.reap(at),
            None => panic!("the process did not end within {:?}", self.patience),
        }
    }

    /// Waits for the end, and kills the process if that has not come within `limit`.
    #[track_caller]
    pub fn wait_or_kill(self, limit: Duration) -> Exit {
        match self.output.wait(limit, |state| state.ended) {
            Some(at) => self.reap(at),
            None => {
                self.kill();
                self.wait()
            }
        }
    }

    /// Takes the end of a process that has ended.
    #[track_caller]
    fn reap(mut self, at: Instant) -> Exit {
        let status = self.child.reap();
        let status = status.unwrap_or_else(|error| panic!("the end of the process is unknown: {error}"));
        let is_complete = self.output.wait(self.patience, |state| state.is_complete().then_some(()));
        assert!(is_complete.is_some(), "the process ended, its output did not: somebody else holds the pipe");
        Exit { at, status, output: self.output.clone() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        show_when_panicking(&self.output);
    }
}

fn show_when_panicking(output: &Output) {
    if thread::panicking() {
        eprintln!("{}", output.text());
    }
}

fn is_ready(probe: SocketAddr, limit: Duration) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&probe, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        if answer.ends_with(b" 200") { Ok(()) } else { Err(std::io::Error::from(ErrorKind::Other)) }
    };
    ask().is_ok()
}

/// How a process ended, and all that it printed. If the test panics while it has one, that is shown.
#[derive(Debug)]
#[must_use = "look at how it ended, with `assert_exit_code` for example"]
pub struct Exit {
    at: Instant,
    status: ExitStatus,
    output: Output,
}

impl Exit {
    /// When the end was observed.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// The exit code; `None` if a signal killed the process.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The number of the signal that killed the process.
    #[must_use]
    pub fn killed_by(&self) -> Option<i32> {
        self.status.signal()
    }

    /// What it printed on one stream, line by line.
    #[must_use]
    pub fn lines(&self, stream: Stream) -> Vec<String> {
        self.output.lines_of(stream)
    }

    /// Asserts the exit code.
    ///
    /// # Panics
    ///
    /// If it is another one, or a signal killed the process. The message says which; what the process printed is shown.
    #[track_caller]
    pub fn assert_exit_code(&self, expected: u8) {
        let how = match (self.code(), self.killed_by()) {
            (Some(code), _) if code == i32::from(expected) => return,
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        panic!("the process {how}, and should have ended with exit code {expected}");
    }

    /// Asserts that these lines, and no others, were printed on stdout.
    ///
    /// # Panics
    ///
    /// If that is not so. The message shows both, line by line, with `-` and `+` where they differ.
    #[track_caller]
    pub fn assert_stdout(&self, expected: impl IntoIterator<Item: Into<String>>) {
        let expected: Vec<String> = expected.into_iter().map(Into::into).collect();
        let lines = self.lines(Stream::Stdout);
        assert!(
            expected == lines,
            "stdout is not as expected (- expected, + printed):\n{}",
            difference(&expected, &lines)
        );
    }

    /// Asserts that stdout has exactly one line that contains each of `texts`, and that these come in this order.
    ///
    /// # Panics
    ///
    /// If that is not so. The message names the text; what the process printed is shown.
    #[track_caller]
    pub fn assert_in_order(&self, texts: impl IntoIterator<Item: AsRef<str>>) {
        let lines = self.lines(Stream::Stdout);
        let mut last: Option<(usize, String)> = None;
        for text in texts {
            let text = text.as_ref();
            let mut places = lines.iter().enumerate().filter(|(_, line)| line.contains(text));
            let Some((place, _)) = places.next() else { panic!("no line on stdout contains {text:?}") };
            assert!(places.next().is_none(), "more than one line on stdout contains {text:?}");
            if let Some((before, earlier)) = last.filter(|(before, _)| *before >= place) {
                panic!(
                    "{text:?} should come after {earlier:?}, and is on line {} of stdout, before line {}",
                    place + 1,
                    before + 1
                );
            }
            last = Some((place, text.to_owned()));
        }
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        show_when_panicking(&self.output);
    }
}
