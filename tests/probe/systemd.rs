//! What systemd is told, heard on a datagram socket in its place.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::process::{PATIENCE, start, start_program};

/// A service manager that only listens. Its socket goes with it.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("lifecycle-notify-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let socket = UnixDatagram::bind(&path);
        let socket = socket.unwrap_or_else(|error| panic!("cannot bind {}: {error}", path.display()));
        Self { socket, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap_or_else(|| panic!("a temporary directory that is no text"))
    }

    /// The next message with a line that begins with `text`, and those before it.
    #[track_caller]
    fn hear(&self, text: &str) -> Vec<String> {
        hear(&self.socket, text)
    }

    /// Whether something is said within `time`.
    fn hears_within(&self, time: Duration) -> Option<String> {
        receive(&self.socket, time)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[track_caller]
fn hear(socket: &UnixDatagram, text: &str) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(message) = receive(socket, left) else {
            panic!("{text:?} was not said within {PATIENCE:?}, but {heard:?}")
        };
        let is_it = message.lines().any(|line| line.starts_with(text));
        heard.push(message);
        if is_it {
            return heard;
        }
    }
}

fn receive(socket: &UnixDatagram, time: Duration) -> Option<String> {
    let deadline = Instant::now() + time;
    let mut bytes = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left)).unwrap_or_else(|error| panic!("no time-out can be set: {error}"));
        match socket.recv(&mut bytes) {
            Ok(length) => return Some(String::from_utf8_lossy(&bytes[..length]).into_owned()),
            // Whoever was stopped, and continued, waits again.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// The values of one variable in all messages.
fn values(messages: &[String], variable: &str) -> Vec<String> {
    let lines = messages.iter().flat_map(|message| message.lines());
    lines.filter_map(|line| line.strip_prefix(variable)?.strip_prefix('=')).map(ToOwned::to_owned).collect()
}

#[test]
fn every_phase_is_told_in_order() {
    let manager = Manager::new();
    let process = start(&[("NOTIFY_SOCKET", manager.path()), ("HOLD", "acquire drain")]);
    let starting = manager.hear("STATUS=starting: acquiring Db");
    assert!(values(&starting, "READY").is_empty(), "{starting:?}");
    process.line("acquiring Db");
    process.order("go acquire");
    let running = manager.hear("STATUS=running");
    assert_eq!(values(&running, "READY"), ["1"]);
    assert!(values(&running, "STOPPING").is_empty());
    assert_eq!(
        manager.hears_within(Duration::from_millis(1_500)),
        None,
        "without a watchdog, there is no news"
    );
    process.signal(Signal::TERM);
    let stopping = manager.hear("STATUS=stopping: draining Server");
    assert_eq!(values(&stopping, "STOPPING"), ["1"]);
    process.line("server drains");
    process.order("go drain");
    let stopped = manager.hear("STATUS=stopped");
    assert!(values(&stopped, "READY").is_empty() && values(&stopped, "STOPPING").is_empty(), "{stopped:?}");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

/// As `sd_notify(3)` describes it for units of `Type=notify-reload`.
#[test]
fn a_reload_is_told_with_the_time_of_its_beginning() {
    let manager = Manager::new();
    let scratch = Scratch::new();
    let value = scratch.path().join("value");
    let write = |text: &str| {
        std::fs::write(scratch.path().join("next"), text).unwrap();
        std::fs::rename(scratch.path().join("next"), &value).unwrap();
    };
    write("one");
    let variables = [("NOTIFY_SOCKET", manager.path()), ("VALUE", value.to_str().unwrap())];
    let process = start_program(env!("CARGO_BIN_EXE_reloading"), &variables);
    manager.hear("STATUS=running");

    let asked = monotonic();
    process.signal(Signal::HUP);
    let began = values(&manager.hear("RELOADING=1"), "MONOTONIC_USEC");
    let began: u64 = began[0].parse().unwrap();
    assert!((asked..=monotonic()).contains(&began), "{began} is not after {asked}");
    let ended = manager.hear("READY=1");
    assert_eq!(values(&ended, "READY"), ["1"]);

    // One that fails ends too, and is told in the status until another succeeds.
    write("broken");
    process.signal(Signal::HUP);
    manager.hear("RELOADING=1");
    manager.hear("READY=1");
    manager.hear("STATUS=running: not reloaded: Value");
    write("two");
    process.signal(Signal::HUP);
    manager.hear("RELOADING=1");
    manager.hear("READY=1");
    manager.hear("STATUS=running");

    // A stop is the end of one.
    write("hang");
    process.signal(Signal::HUP);
    manager.hear("STATUS=running: reloading Value");
    process.signal(Signal::TERM);
    let stopping = manager.hear("STATUS=stopped");
    assert!(values(&stopping, "READY").is_empty(), "{stopping:?}");
    assert_eq!(values(&stopping, "STOPPING"), ["1"]);
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

/// The monotonic clock in microseconds.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).try_into().unwrap()
}

#[test]
fn more_time_is_asked_for_again_and_again_and_not_past_the_deadline() {
    let manager = Manager::new();
    let variables = [
        ("NOTIFY_SOCKET", manager.path()),
        ("HOLD", "acquire drain"),
        ("LIFECYCLE_STARTUP_TIMEOUT", "1h"),
        ("LIFECYCLE_SHUTDOWN_TIMEOUT", "12s"),
    ];
    let process = start(&variables);
    for _ in 0..2 {
        assert_eq!(values(&manager.hear("EXTEND_TIMEOUT_USEC"), "EXTEND_TIMEOUT_USEC"), ["5000000"]);
    }
    process.line("acquiring Db");
    process.order("go acquire");
    manager.hear("READY=1");
    let sent = Instant::now();
    process.signal(Signal::TERM);
    manager.hear("STOPPING=1");
    // Five seconds, and less and less when there is no more left than that.
    let mut last = 5_000_000;
    while last == 5_000_000 {
        let asked = values(&manager.hear("EXTEND_TIMEOUT_USEC"), "EXTEND_TIMEOUT_USEC");
        last = asked.last().and_then(|micros| micros.parse().ok()).unwrap_or_default();
        assert!(last > 0 && last <= 5_000_000, "{asked:?}");
    }
    let (took, left) = (sent.elapsed(), Duration::from_micros(last));
    assert!(took + left > Duration::from_millis(11_900), "{left:?} after {took:?}");
    process.order("go drain");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn the_watchdog_hears_nothing_while_every_worker_is_stuck() {
    let manager = Manager::new();
    let process = start(&[("NOTIFY_SOCKET", manager.path()), ("WATCHDOG_USEC", "2000000")]);
    process.line("body runs");
    manager.hear("READY=1");
    for _ in 0..2 {
        let began = Instant::now();
        manager.hear("WATCHDOG=1");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "systemd would have ended it, after {took:?}");
    }
    process.order("block workers");
    // One may be on its way, and the silence has to last for half the period.
    let began = Instant::now();
    let mut last = began;
    while manager.hears_within(Duration::from_secs(3)).is_some() {
        last = Instant::now();
        assert!(last - began < Duration::from_secs(3), "it still says that all is well");
    }
    process.order("go workers");
    manager.hear("WATCHDOG=1");
    assert!(last - began < Duration::from_secs(3));
    process.stop();
}

#[test]
fn a_watchdog_of_another_process_is_none_of_ours() {
    let manager = Manager::new();
    let variables = [("NOTIFY_SOCKET", manager.path()), ("WATCHDOG_USEC", "200000"), ("WATCHDOG_PID", "1")];
    let process = start(&variables);
    process.line("body runs");
    let heard = manager.hear("STATUS=running");
    assert!(values(&heard, "WATCHDOG").is_empty(), "{heard:?}");
    assert_eq!(manager.hears_within(Duration::from_secs(1)), None);
    process.stop();
}

#[test]
fn an_abstract_address_is_an_address() {
    let name = format!("lifecycle-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name);
    let socket = address.and_then(|address| UnixDatagram::bind_addr(&address));
    let socket = socket.unwrap_or_else(|error| panic!("cannot bind @{name}: {error}"));
    let process = start(&[("NOTIFY_SOCKET", &format!("@{name}"))]);
    hear(&socket, "READY=1");
    process.line("body runs");
    process.stop();
}

#[test]
fn a_socket_that_nobody_reads_holds_up_nothing() {
    let manager = Manager::new();
    while fill(&manager) {}
    let process = start(&[("NOTIFY_SOCKET", manager.path())]);
    process.line("body runs");
    let began = Instant::now();
    process.stop();
    assert!(began.elapsed() < Duration::from_secs(3), "the stop took {:?}", began.elapsed());
}

/// Whether one message more fits.
fn fill(manager: &Manager) -> bool {
    let Ok(sender) = UnixDatagram::unbound() else { return false };
    sender.set_nonblocking(true).is_ok() && sender.send_to(b"FULL=1", &manager.path).is_ok()
}

#[test]
fn a_socket_that_is_not_there_is_told_and_no_more() {
    let process = start(&[("NOTIFY_SOCKET", "/nowhere/notify")]);
    process.line("systemd cannot be notified: NOTIFY_SOCKET is \"/nowhere/notify\", which cannot be used");
    process.line("body runs");
    process.stop();
}
