//! HTTP by hand: what is sent is what the test says, and what comes back is kept as it is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use crate::process::PATIENCE;

/// An answer: everything up to the end of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

#[track_caller]
pub(crate) fn get(probe: SocketAddr, path: &str) -> Answer {
    request(probe, "GET", path)
}

#[track_caller]
pub(crate) fn request(probe: SocketAddr, method: &str, path: &str) -> Answer {
    request_of(probe, &probe.to_string(), method, path)
}

/// Asks by another name than the address.
#[track_caller]
pub(crate) fn request_of(probe: SocketAddr, host: &str, method: &str, path: &str) -> Answer {
    let text = send(probe, &format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    parse(&text).unwrap_or_else(|| panic!("{method} {path} of {host}: no answer but {text:?}"))
}

/// Sends bytes and reads to the end of the connection.
#[track_caller]
pub(crate) fn send(probe: SocketAddr, text: &str) -> String {
    let mut stream = connect(probe);
    stream.write_all(text.as_bytes()).unwrap_or_else(|error| panic!("cannot send: {error}"));
    rest(&mut stream)
}

#[track_caller]
pub(crate) fn connect(probe: SocketAddr) -> TcpStream {
    let connected = TcpStream::connect_timeout(&probe, PATIENCE);
    let stream = connected.unwrap_or_else(|error| panic!("cannot connect to {probe}: {error}"));
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(PATIENCE)).unwrap_or_else(|error| panic!("no time-out can be set: {error}"));
    }
    stream
}

/// What comes until the other end closes; a reset is an end too.
#[track_caller]
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(began.elapsed() < PATIENCE, "the connection was not closed within {PATIENCE:?}");
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { code, head: head.to_owned(), body: body.to_owned() })
}

/// Asks again until the answer is as expected.
#[track_caller]
pub(crate) fn get_until(probe: SocketAddr, path: &str, is_expected: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(probe, path);
        if is_expected(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} still says {answer:?} after {PATIENCE:?}");
        thread::yield_now();
    }
}
