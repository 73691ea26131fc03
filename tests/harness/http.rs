//! As much of an HTTP/1.1 client as the tests need, so that every connection is under their control.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::program::PATIENCE;

/// An answer, read to its last byte.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: String,
    headers: Vec<(String, String)>,
    /// When the last byte was there.
    pub at: Instant,
}

impl Response {
    /// One that came in another way.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: String) -> Self {
        Self { status, body, headers, at: Instant::now() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the server asks to connect anew for the next request.
    pub fn says_close(&self) -> bool {
        self.header("Connection").is_some_and(|value| value == "close")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in the body of {self:?}"))
    }
}

/// One connection, kept alive for as long as the server likes.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends bytes as they are, in one piece.
    pub fn send(&mut self, bytes: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_bytes())
    }

    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.send(&get(path))?;
        self.read_response()
    }

    pub fn post_json(&mut self, path: &str, body: &str) -> io::Result<Response> {
        self.post(path, "Content-Type: application/json\r\n", body)
    }

    /// `headers` are whole lines.
    pub fn post(&mut self, path: &str, headers: &str, body: &str) -> io::Result<Response> {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ))?;
        self.read_response()
    }

    pub fn read_response(&mut self) -> io::Result<Response> {
        let status_line = self.read_line()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid(format!("no status in {status_line:?}")))?;
        // Whoever heard nothing at all may ask again; whoever heard a part was cut off.
        self.read_rest(status)
            .map_err(|error| io::Error::other(format!("after the status {status}: {error}")))
    }

    fn read_rest(&mut self, status: u16) -> io::Result<Response> {
        let (mut length, mut headers) = (None, Vec::new());
        loop {
            let header = self.read_line()?;
            if header.is_empty() {
                break;
            }
            let Some((name, value)) = header.split_once(':') else {
                return Err(invalid(format!("no header: {header:?}")));
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut body = vec![0; length.ok_or_else(|| invalid("no Content-Length".to_owned()))?];
        self.stream.read_exact(&mut body)?;
        let at = Instant::now();
        let body = String::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
        Ok(Response { status, body, headers, at })
    }

    /// Whether nothing has come that was not read.
    pub fn is_silent(&self) -> bool {
        let stream = self.stream.get_ref();
        let peek = || {
            stream.set_nonblocking(true)?;
            let peeked = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            peeked
        };
        self.stream.buffer().is_empty() && peek().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Waits until the server closes the connection, in good order and without another word.
    #[track_caller]
    pub fn wait_until_closed(&mut self) {
        let read = self.stream.read(&mut [0]);
        assert!(matches!(read, Ok(0)), "the connection should have been closed; read {read:?}");
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// The request as it is sent.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Opens a connection that must not fail.
#[track_caller]
pub fn connect(address: SocketAddr) -> Connection {
    Connection::open(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
}

/// An answer that must come.
#[track_caller]
pub fn answered(response: io::Result<Response>) -> Response {
    response.unwrap_or_else(|error| panic!("no complete answer: {error}"))
}

/// Connects again and again until the server refuses.
#[track_caller]
pub fn wait_until_refused(address: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            answer => assert!(Instant::now() < deadline, "{address} still accepts: {answer:?}"),
        }
        // Not to synchronise, only to leave the processor to the server.
        thread::sleep(Duration::from_millis(1));
    }
}
