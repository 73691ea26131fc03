//! Another program in a process group of its own, none of which is left behind.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// No more of what a program prints is kept of each stream.
const MOST: usize = 16 << 20;

/// When it has ended, what it has printed is there at once, unless somebody else holds the pipe.
const PATIENCE: Duration = Duration::from_secs(1);

/// A process and those that it starts. They are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    /// Until it is killed.
    #[cfg(unix)]
    id: Option<nix::unistd::Pid>,
    stdout: Stream,
    stderr: Stream,
}

/// What one stream has given so far.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Group {
    /// Starts a program, the first of `command`, with what it prints in pipes. Signals that somebody ignores here are
    /// not ignored there, since [`heard_during`](crate::signals::heard_during) has handlers for them.
    pub(crate) fn start(command: &[OsString], env: &[(&str, &str)]) -> Result<Self, String> {
        let [program, arguments @ ..] = command else { return Err("the program is missing".to_owned()) };
        let mut command = std::process::Command::new(program);
        command.args(arguments).envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = Command::from(command).kill_on_drop(true).spawn();
        let mut child = spawned.map_err(|error| cannot_run(program, &error))?;
        Ok(Self {
            #[cfg(unix)]
            id: child.id().and_then(|id| i32::try_from(id).ok()).map(nix::unistd::Pid::from_raw),
            stdout: Stream::of(child.stdout.take()),
            stderr: Stream::of(child.stderr.take()),
            child,
        })
    }

    /// Waits for the end of the process itself. Of a future that is dropped nothing is lost.
    pub(crate) async fn end(&mut self) -> Result<ExitStatus, String> {
        self.child.wait().await.map_err(|error| format!("the end of the program is not known: {error}"))
    }

    /// Kills everything that is left of the group. Once only: later, the number may be that of another.
    pub(crate) fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.id.take() {
            let _ = nix::sys::signal::killpg(id, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.child.start_kill();
    }

    /// Kills what is left, and takes all that stdout and stderr have given.
    pub(crate) async fn printed(mut self) -> (String, String) {
        self.kill();
        let everything = async {
            let _ = (&mut self.stdout.reader).await;
            let _ = (&mut self.stderr.reader).await;
        };
        let _ = timeout(PATIENCE, everything).await;
        (self.stdout.text(), self.stderr.text())
    }
}

#[cfg(unix)]
impl Group {
    pub(crate) fn id(&self) -> Option<nix::unistd::Pid> {
        self.id
    }

    /// Whether the process itself has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        self.stdout.reader.abort();
        self.stderr.reader.abort();
        // Where nobody else does it, it would stay in the table of processes.
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Stream {
    fn of(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let bytes = Arc::default();
        let kept: Arc<Mutex<Vec<u8>>> = Arc::clone(&bytes);
        let reader = tokio::spawn(async move {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
                let mut kept = lock(&kept);
                // The program goes on, whatever it prints.
                let room = MOST.saturating_sub(kept.len()).min(read);
                kept.extend_from_slice(&buffer[..room]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.bytes)).into_owned()
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cannot_run(program: &OsString, error: &io::Error) -> String {
    let program = program.to_string_lossy();
    let advice = match error.kind() {
        ErrorKind::NotFound => "give its path, such as ./target/release/app",
        ErrorKind::PermissionDenied => "it is a directory, or not marked as executable (chmod +x)",
        _ => "is it a program for this machine?",
    };
    format!("`{program}` cannot be run: {error}; {advice}")
}

/// How a process ended, in words.
pub(crate) fn in_words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(number) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = nix::sys::signal::Signal::try_from(number);
        return name.map_or(format!("was killed by signal {number}"), |name| format!("was killed by {name}"));
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => format!("ended: {status}"),
    }
}
