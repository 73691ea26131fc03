//! §9: SIGHUP reloads, in every phase, under load, and where the program handles it itself.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::http::{answered, connect};
use crate::machine;
use crate::program::{PATIENCE, Process, Program, wait_until};
use crate::scratch::Scratch;

/// The directory with the file that the server reloads.
struct Files(Scratch);

impl Files {
    fn new(text: &str) -> Self {
        let files = Self(Scratch::new());
        files.write(text);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Nobody reads half of it.
    fn write(&self, text: &str) {
        fs::write(self.path("next"), text).unwrap();
        fs::rename(self.path("next"), self.path("value")).unwrap();
    }

    fn program(&self) -> Program {
        Program::new(env!("CARGO_BIN_EXE_reloading")).env("VALUE", self.path("value"))
    }

    fn open(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }
}

fn get(process: &Process, path: &str) -> String {
    let response = answered(connect(process.address()).get(path));
    assert_eq!(response.status, 200, "{response:?}");
    response.body
}

fn calls(process: &Process) -> usize {
    get(process, "/calls").parse().unwrap()
}

#[test]
fn sighup_reloads_and_the_service_goes_on() {
    let _machine = machine::shared();
    let files = Files::new("one");
    let server = files.program().spawn();
    server.wait_for_line("running:");
    assert_eq!(get(&server, "/"), "one");
    files.write("two");
    server.signal(Signal::HUP);
    server.wait_for_line("reloaded 1 resource");
    assert_eq!(get(&server, "/"), "two");
    files.write("broken");
    server.signal(Signal::HUP);
    server.wait_for_line("`Value` could not be reloaded: the file is broken; it keeps what it had");
    assert_eq!(get(&server, "/"), "two");
    server.signal(Signal::TERM);
    let exit = server.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["loaded", "released"]);
    assert!(exit.stderr().contains("reloads: 2, of which 1 failed"), "{}", exit.stderr());
}

#[test]
fn sighup_during_the_start_reloads_once_everything_is_there() {
    let _machine = machine::shared();
    let files = Files::new("one");
    let server = files.program().env("GATE", files.path("gate")).spawn();
    server.wait_for_line("waiting for the gate");
    for _ in 0..3 {
        server.signal(Signal::HUP);
        server.wait_for_line("still starting; reloading once everything is acquired");
    }
    files.write("two");
    files.open("gate");
    server.wait_for_line("reloaded 1 resource");
    assert_eq!((get(&server, "/"), calls(&server)), ("two".to_owned(), 1));
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn sighup_during_a_stop_reloads_nothing() {
    let _machine = machine::shared();
    for delay in ["0ms", "1s"] {
        let files = Files::new("one");
        let server =
            files.program().env("LIFECYCLE_DRAIN_DELAY", delay).env("RELEASE", files.path("release")).spawn();
        server.wait_for_line("running:");
        server.signal(Signal::TERM);
        server.signal_until(Signal::HUP, "SIGHUP: already stopping");
        server.wait_for_line("releasing");
        server.signal(Signal::HUP);
        files.open("release");
        let exit = server.signal_until_exit(Signal::HUP);
        assert_eq!((exit.code(), exit.killed_by()), (Some(0), None), "with a delay of {delay}");
        assert!(!exit.stdout().contains("loaded"), "{}", exit.stdout());
    }
}

#[test]
fn a_stop_drops_the_reload_under_way() {
    let _machine = machine::shared();
    let files = Files::new("hang");
    let server = files.program().spawn();
    server.wait_for_line("running:");
    server.signal(Signal::HUP);
    server.wait_for_line("hanging");
    server.signal(Signal::TERM);
    let exit = server.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["hanging", "released"]);
    assert!(exit.stderr().contains("stopping: the reload of Value is dropped"), "{}", exit.stderr());
}

#[test]
fn a_hook_that_blocks_is_given_up_and_never_called_twice_at_once() {
    let _machine = machine::shared();
    let files = Files::new("block");
    let server = files.program().spawn();
    server.wait_for_line("running:");
    server.signal(Signal::HUP);
    server.wait_for_line("blocking");
    server.wait_for_line("timed out: acquire_timeout is 2.0 s");
    server.signal(Signal::HUP);
    server.wait_for_line("its reload before this one was cut off, and has not ended yet");
    assert_eq!(calls(&server), 0);
    files.write("two");
    server.wait_for_line("has completed in spite of that: what it loaded is in effect");
    server.signal(Signal::HUP);
    wait_until("one more call", || calls(&server) == 2);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

/// Also before the application is there, and under a policy of its own: see `own_hangup`.
#[test]
fn a_program_that_handles_sighup_itself_is_left_alone() {
    let _machine = machine::shared();
    let service = Program::new(env!("CARGO_BIN_EXE_own_hangup")).spawn();
    service.wait_for_line("running:");
    service.signal(Signal::HUP);
    service.wait_for_line("reloaded after that");
    service.signal(Signal::TERM);
    let exit = service.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["rotated", "reloading: requested by the program", "reloaded after that"]);
    assert!(!exit.stderr().contains("reloading: SIGHUP"), "{}", exit.stderr());
}

/// Clients that ask all the time, over connections that they keep, while half of the reloads fail.
#[test]
fn a_thousand_reloads_under_load_lose_no_request() {
    const RELOADS: usize = 1_000;
    let _machine = machine::shared();
    let files = Files::new("v0");
    let server = files.program().spawn();
    server.wait_for_line("running:");
    let address = server.address();
    let (is_over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = connect(address);
                while !is_over.load(Ordering::SeqCst) {
                    let response = answered(connection.get("/"));
                    assert_eq!(response.status, 200, "{response:?}");
                    assert!(response.body.starts_with('v'), "{response:?}");
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut connection = connect(address);
        let began = Instant::now();
        for round in 1..=RELOADS {
            files.write(&if round % 2 == 0 { "broken".to_owned() } else { format!("v{round}") });
            server.signal(Signal::HUP);
            // The signal after that must find the hook at its end, or it may count as the same one.
            while answered(connection.get("/calls")).body != round.to_string() {
                assert!(began.elapsed() < 6 * PATIENCE, "only {round} reloads");
                thread::yield_now();
            }
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(answers.load(Ordering::SeqCst) > RELOADS);
    assert_eq!(get(&server, "/"), format!("v{}", RELOADS - 1));
    server.signal(Signal::TERM);
    let exit = server.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stderr().contains("reloads: 1000, of which 500 failed"), "{}", exit.stderr());
}

/// A certificate with its key, as they stand in files.
struct Certified {
    der: CertificateDer<'static>,
    certificate: String,
    key: String,
}

impl Certified {
    fn new() -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let der = certified.cert.der().clone();
        let (certificate, key) =
            (pem("CERTIFICATE", &der), pem("PRIVATE KEY", &certified.signing_key.serialize_der()));
        Self { der, certificate, key }
    }

    /// A connection with a client that trusts this certificate alone.
    fn connect(&self, address: SocketAddr) -> Result<Secure, std::io::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
        let mut connection = Secure(StreamOwned::new(connection, socket));
        connection.ask(GET)?;
        Ok(connection)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|place| u32::from(three.get(place).copied().unwrap_or(0)));
        let bits = a << 16 | b << 8 | c;
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS[(bits >> shift & 63) as usize];
            text.push(if place > three.len() { '=' } else { digit.into() });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

const GET: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Secure {
    /// Sends a request, and reads the answer to the end of a short body.
    fn ask(&mut self, request: &str) -> std::io::Result<String> {
        self.0.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        while !is_complete(&answer) {
            let mut some = [0; 1024];
            let length = self.0.read(&mut some)?;
            if length == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend(&some[..length]);
        }
        Ok(String::from_utf8(answer).unwrap())
    }
}

fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

/// Payments over TLS, and the files that it reloads.
struct Payments {
    process: Process,
    address: SocketAddr,
    probe: SocketAddr,
    files: Scratch,
}

impl Payments {
    fn start(certified: &Certified) -> Self {
        let files = Scratch::new();
        let path = |name: &str| files.path().join(name);
        for (name, text) in [
            ("certificate", certified.certificate.as_str()),
            ("key", &certified.key),
            ("filter", "info\n"),
            ("settings", "# nothing yet\n"),
        ] {
            fs::write(path(name), text).unwrap();
        }
        let process = Program::example("payments")
            .env("PORT", "0")
            .env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0")
            .env("TMPDIR", files.path())
            .env("TLS_CERT", path("certificate"))
            .env("TLS_KEY", path("key"))
            .env("LOG_FILTER_FILE", path("filter"))
            .env("SETTINGS_FILE", path("settings"))
            .spawn();
        let probe = process.address_after("the probe answers at http://");
        let address = process.address_after("listening on https://");
        process.wait_for_line("running:");
        Self { process, address, probe, files }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.files.path().join(name), text).unwrap();
    }

    /// Reloads, and returns what became of that.
    fn reload(&self) -> Value {
        let status = || answered(connect(self.probe).get("/status")).json()["reload"].clone();
        let before = status()["count"].as_u64().unwrap();
        self.process.signal(Signal::HUP);
        let mut after = Value::Null;
        wait_until("the reload", || {
            after = status();
            after["count"] == before + 1
        });
        after
    }
}

fn pay(connection: &mut Secure, id: &str) -> Duration {
    let body = json!({"id": id, "amount_cents": 1}).to_string();
    let length = body.len();
    let began = Instant::now();
    let answer = connection.ask(&format!(
        "POST /payments HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    ));
    assert!(answer.unwrap().starts_with("HTTP/1.1 201 "));
    began.elapsed()
}

#[test]
fn payments_reloads_its_log_filter_its_settings_and_its_certificate() {
    let _machine = machine::shared();
    let (old, new) = (Certified::new(), Certified::new());
    let payments = Payments::start(&old);
    let mut kept = old.connect(payments.address).unwrap();

    // A mistake in one file keeps its old content, and nothing else from being reloaded.
    payments.write("settings", "PAYMENT_MS=soon\n");
    payments.write("certificate", &new.certificate);
    payments.write("key", &new.key);
    payments.write("filter", "info,lifecycle=debug\n");
    let status = payments.reload();
    assert_eq!((&status["failed"], &status["last"]["failed"]), (&json!(1), &json!(["Settings"])), "{status}");
    payments.process.wait_for_line("PAYMENT_MS is not a number of milliseconds");
    new.connect(payments.address).unwrap();
    assert!(old.connect(payments.address).is_err());
    // A connection that was open is served as before.
    pay(&mut kept, "before");

    payments.write("settings", "PAYMENT_MS=300\n");
    payments.write("key", &old.key);
    let status = payments.reload();
    assert_eq!(status["last"]["failed"], json!(["Tls"]), "a key of another certificate: {status}");
    assert!(pay(&mut kept, "after") >= Duration::from_millis(300));
    new.connect(payments.address).unwrap();

    drop(kept);
    payments.process.signal(Signal::TERM);
    let exit = payments.process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    // The new filter lets through what the old one did not.
    exit.assert_in_order(&["DEBUG stopping Database", "reloads: 2, of which 2 failed"]);
}

/// Each of the clients makes a new handshake for every tenth request.
#[test]
fn payments_loses_no_request_while_it_reloads() {
    const RELOADS: usize = 1_000;
    let _machine = machine::shared();
    let certified = Certified::new();
    let payments = Payments::start(&certified);
    let (is_over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let mut connection = certified.connect(payments.address).unwrap();
                    for _ in 0..10 {
                        assert!(connection.ask(GET).unwrap().starts_with("HTTP/1.1 200 "));
                        answers.fetch_add(1, Ordering::SeqCst);
                        // Not to synchronise, only to leave the processor to the reloads.
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        for round in 0..RELOADS {
            let is_broken = round % 2 == 0;
            payments.write("settings", if is_broken { "SETTLE_MS=never" } else { "SETTLE_MS=2000" });
            payments.write("key", if is_broken { "no key" } else { &certified.key });
            let failed = payments.reload()["last"]["failed"].clone();
            assert_eq!(failed, if is_broken { json!(["Settings", "Tls"]) } else { json!([]) });
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(answers.load(Ordering::SeqCst) > RELOADS);
    payments.process.signal(Signal::TERM);
    let exit = payments.process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["reloads: 1000, of which 500 failed"]);
}
