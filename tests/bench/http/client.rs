//! A client that does as little as possible: it sends the same bytes for each request, and looks only for the end of
//! the response.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is asked for, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requests {
    /// One after another on one connection of HTTP/1.
    Http1,
    /// The same with HTTP/2.
    Http2,
    /// HTTP/1, each on a connection of its own.
    Fresh,
}

impl Requests {
    pub(super) const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Fresh];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Fresh => "fresh",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Http1 => "a request of HTTP/1 on a connection that is kept",
            Self::Http2 => "a request of HTTP/2 on a connection that is kept",
            Self::Fresh => "a request of HTTP/1 on a connection of its own",
        }
    }

    /// Sends so many, each when the one before was answered.
    pub(super) async fn send(self, address: SocketAddr, count: usize) {
        match self {
            Self::Http1 => {
                let mut client = Client::connect(address).await;
                for _ in 0..count {
                    client.get().await;
                }
            }
            Self::Http2 => {
                Client::connect(address).await.get_streams(count, 1).await;
            }
            Self::Fresh => {
                for _ in 0..count {
                    Client::connect(address).await.get().await;
                }
            }
        }
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n";

/// The end of the response to it.
const OK: &[u8] = b"\r\n\r\nOK";

/// What a client of HTTP/2 says first: no settings of its own, their acknowledgement, and a window that is never full.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\0\x04\0\0\0\0\0\
    \0\0\0\x04\x01\0\0\0\0\
    \0\0\x04\x08\0\0\0\0\0\x7f\0\0\0";

/// `:method: GET`, `:scheme: http`, `:path: /` and `:authority: bench`, compressed (RFC 7541).
const HEADERS: &[u8] = b"\x82\x86\x84\x01\x05bench";

const FRAME_HEAD: usize = 9;
const FRAME_HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts connections");
        stream.set_nodelay(true).expect("it is a TCP socket");
        Self { stream, received: Vec::with_capacity(1024) }
    }

    /// Sends a request of HTTP/1, and waits for its response.
    pub(super) async fn get(&mut self) {
        self.stream.write_all(GET).await.expect("the server takes the request");
        self.received.clear();
        while !self.received.ends_with(OK) {
            self.receive().await;
        }
    }

    /// The same with HTTP/2: so many requests, `at_once` of them sent together, and the next when all are answered.
    pub(super) async fn get_streams(&mut self, count: usize, at_once: u32) {
        self.stream.write_all(PREFACE).await.expect("the server takes the preface");
        let (mut stream, mut requests) = (1_u32, Vec::new());
        for _ in 0..count / at_once as usize {
            requests.clear();
            for _ in 0..at_once {
                requests.extend([0, 0, HEADERS.len() as u8, FRAME_HEADERS, END_STREAM | END_HEADERS]);
                requests.extend(stream.to_be_bytes());
                requests.extend(HEADERS);
                stream += 2;
            }
            self.stream.write_all(&requests).await.expect("the server takes the requests");
            let mut ended = self.ended();
            while ended < at_once {
                self.receive().await;
                ended += self.ended();
            }
        }
    }

    /// Takes the frames that were received, and returns how many are the last of their stream.
    fn ended(&mut self) -> u32 {
        let (mut taken, mut ended) = (0, 0);
        while let Some(&[high, middle, low, kind, flags, ..]) = self.received.get(taken..) {
            let length = FRAME_HEAD + u32::from_be_bytes([0, high, middle, low]) as usize;
            if self.received.len() < taken + length {
                break;
            }
            // Data or headers.
            ended += u32::from(kind <= FRAME_HEADERS && flags & END_STREAM != 0);
            taken += length;
        }
        self.received.drain(..taken);
        ended
    }

    async fn receive(&mut self) {
        let count = self.stream.read_buf(&mut self.received).await.expect("the server answers");
        assert!(count > 0, "the server closed the connection");
    }
}
