//! Whatever a client sends to the probe, it is answered in HTTP or hung up on, and the next one is answered.
#![no_main]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use lifecycle::{App, Probe};

/// An application that runs for as long as the process.
fn address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let builder = App::builder().resources::<()>().probe(Probe::at(free).status_for_all());
            runtime.block_on(builder.run(|_| std::future::pending::<()>()))
        });
        while TcpStream::connect(free).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        free
    })
}

fn ask(bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address()).expect("the probe accepts");
    let mut answer = Vec::new();
    // It may hang up before it has read all; then there is no answer.
    let _ = socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write));
    let _ = socket.read_to_end(&mut answer);
    answer
}

fuzz_target!(|bytes: &[u8]| {
    let answer = ask(bytes);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&answer));
    let next = ask(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(next.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&next));
});
