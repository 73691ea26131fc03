//! Two instances behind HAProxy, which asks `/readyz`; twenty restarts in a row under load; not one request is lost.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::machine;

const PATIENCE: Duration = Duration::from_secs(20);
const ROLLS: usize = 20;
/// Longer than HAProxy needs to notice: one check every 100 ms.
const DRAIN_DELAY: &str = "600ms";
/// Requests per second that each client sends.
const PACE: u64 = 150;
const KEEP_ALIVE_CLIENTS: usize = 12;
const FRESH_CLIENTS: usize = 4;

/// A process that is killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One instance: where it serves, and where it is probed.
struct Instance {
    process: Process,
    port: u16,
    probe: u16,
}

impl Instance {
    fn start(port: u16, probe: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolled"));
        command.env_clear().env("PORT", port.to_string()).env("LIFECYCLE_DRAIN_DELAY", DRAIN_DELAY);
        command.env("LIFECYCLE_PROBE_ADDR", format!("127.0.0.1:{probe}"));
        command.stdin(Stdio::null());
        let process = Process(command.spawn().expect("the fixture runs"));
        Self { process, port, probe }
    }

    /// Stops it as a deployment does, waits for its end, and starts it anew.
    fn roll(mut self) -> Self {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).expect("it is there");
        let status = self.process.0.wait().expect("it can be waited for");
        assert_eq!(status.code(), Some(0));
        Self::start(self.port, self.probe)
    }
}

struct HaProxy {
    _process: Process,
    directory: PathBuf,
    port: u16,
}

impl HaProxy {
    fn start(instances: &[Instance]) -> Self {
        let directory = std::env::temp_dir().join(format!("lifecycle-haproxy-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("there is room for a directory");
        let port = free_port();
        let mut config = format!(
            "global\n  stats socket {socket} mode 600 level admin\n\
             defaults\n  mode http\n  retries 0\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n\
             frontend f\n  bind 127.0.0.1:{port}\n  default_backend be\n\
             backend be\n  option httpchk GET /readyz\n  http-check expect status 200\n  \
             default-server inter 100ms fastinter 50ms downinter 100ms fall 1 rise 1\n",
            socket = directory.join("stats").display(),
        );
        for (place, Instance { port, probe, .. }) in instances.iter().enumerate() {
            config += &format!("  server s{place} 127.0.0.1:{port} check port {probe}\n");
        }
        let file = directory.join("haproxy.cfg");
        fs::write(&file, config).expect("there is room for a file");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| panic!("haproxy (package `haproxy`): {error}"));
        Self { _process: Process(process), directory, port }
    }

    /// Waits until HAProxy says that this server is up.
    fn wait_until_up(&self, place: usize) {
        let deadline = Instant::now() + PATIENCE;
        let line = format!("be,s{place},");
        loop {
            let stat = stat(&self.directory.join("stats")).unwrap_or_default();
            let server = stat.lines().find(|stat| stat.starts_with(&line));
            if server.and_then(|server| server.split(',').nth(17)).is_some_and(|status| status == "UP") {
                return;
            }
            assert!(Instant::now() < deadline, "s{place} is not up within {PATIENCE:?}: {stat}");
            thread::yield_now();
        }
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn stat(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(b"show stat\n")?;
    let mut stat = String::new();
    stream.read_to_string(&mut stat)?;
    Ok(stat)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

#[derive(Clone, Copy)]
enum Connections {
    KeepAlive,
    /// One for each request.
    Fresh,
}

#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    answered: AtomicU64,
}

/// Sends requests at its pace until the load is over. The first one that is not answered as it should be is an error.
fn client(address: SocketAddr, load: &Load, connections: Connections) -> Result<(), String> {
    let began = Instant::now();
    let mut connection: Option<TcpStream> = None;
    for sent in 0_u64.. {
        if load.is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        // The pace is the load that the test is about.
        thread::sleep(Duration::from_millis(sent * 1_000 / PACE).saturating_sub(began.elapsed()));
        let stream = match &mut connection {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                connection.insert(stream)
            }
        };
        let close = match connections {
            Connections::KeepAlive => "",
            Connections::Fresh => "Connection: close\r\n",
        };
        let head = exchange(stream, close).map_err(|error| format!("request {sent}: {error}"))?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(format!("request {sent}: {head}"));
        }
        load.answered.fetch_add(1, Ordering::Relaxed);
        // A server may close after a response, if it says so.
        if head.to_ascii_lowercase().contains("connection: close") {
            connection = None;
        }
    }
    Ok(())
}

/// Sends a request, reads its response completely, and gives its head.
fn exchange(stream: &mut TcpStream, close: &str) -> std::io::Result<String> {
    write!(stream, "GET / HTTP/1.1\r\nHost: test\r\n{close}\r\n")?;
    let mut response = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let text = String::from_utf8_lossy(&response);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Ok(head.to_owned());
            }
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        response.extend_from_slice(&buffer[..read]);
    }
}

#[test]
fn twenty_rolling_restarts_lose_no_request() {
    let _machine = machine::alone();
    let instances: Vec<Instance> = (0..2).map(|_| Instance::start(free_port(), free_port())).collect();
    let haproxy = HaProxy::start(&instances);
    (0..instances.len()).for_each(|place| haproxy.wait_until_up(place));
    let mut instances: Vec<Option<Instance>> = instances.into_iter().map(Some).collect();

    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, haproxy.port));
    let load = Arc::new(Load::default());
    let clients = [(Connections::KeepAlive, KEEP_ALIVE_CLIENTS), (Connections::Fresh, FRESH_CLIENTS)];
    let clients: Vec<_> = clients
        .into_iter()
        .flat_map(|(connections, count)| (0..count).map(move |_| connections))
        .map(|connections| {
            let load = Arc::clone(&load);
            thread::spawn(move || client(address, &load, connections))
        })
        .collect();
    let began = Instant::now();
    for roll in 0..ROLLS {
        let place = roll % instances.len();
        instances[place] = instances[place].take().map(Instance::roll);
        haproxy.wait_until_up(place);
    }
    let took = began.elapsed();
    load.is_over.store(true, Ordering::Relaxed);
    let errors: Vec<String> =
        clients.into_iter().filter_map(|client| client.join().expect("it does not panic").err()).collect();
    let answered = load.answered.load(Ordering::Relaxed);
    let rate = answered as f64 / took.as_secs_f64();
    println!(
        "{ROLLS} rolls in {took:?}: {answered} requests answered, {rate:.0} a second, {} lost",
        errors.len()
    );
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(rate >= 2_000.0, "only {rate:.0} requests a second");
}
