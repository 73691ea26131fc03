//! An application with one server, and clients that write bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use lifecycle::{
    Acquire, App, Builder, Outcome, Report, Resource, ResourceReport, Result, Stopping, Tasks, Units,
    resource,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Fails loudly instead of waiting for ever.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes more than twenty seconds")
}

/// What a server is to be; handed in by each test.
#[resource]
pub(crate) struct Setup(Mutex<Option<Begin>>);

type Begin = Box<dyn FnOnce(&Acquire<Web>) -> Result + Send>;

impl Resource for Setup {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err("every test supplies its own".into())
    }
}

/// The server under test. With most of the time set aside for its turn, what is cut off has time to go.
#[resource(after = Setup, reserve = "8s")]
pub(crate) struct Web {
    pub(crate) tasks: Tasks,
    stopping: Stopping,
    draining: Stopping,
}

impl Resource for Web {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let begin = cx.get::<Setup>().0.lock().unwrap().take().expect("a server begins once");
        begin(cx)?;
        Ok(Self { tasks: cx.tasks(), stopping: cx.stopping(), draining: cx.draining() })
    }
}

/// An application with a server in it that runs.
pub(crate) struct Running {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    report: JoinHandle<Report>,
    tasks: Tasks,
    stopping: Stopping,
    draining: Stopping,
}

/// Time enough for everything that ends by itself.
pub(crate) fn patient() -> Builder {
    App::builder().shutdown_timeout(Duration::from_secs(15))
}

/// So little that what does not end by itself is cut off soon.
pub(crate) fn impatient() -> Builder {
    App::builder().shutdown_timeout(Duration::from_secs(3))
}

/// Serves `routes` with the defaults.
pub(crate) async fn serve(builder: Builder, routes: Router) -> Running {
    begin(builder, |cx, listener| cx.serve_http(listener, routes)).await
}

/// axum's own server with the layer, and a client that comes by the network.
pub(crate) async fn own_server(builder: Builder, routes: Router) -> Running {
    begin(builder, |cx, listener| {
        let routes = routes.layer(cx.in_flight());
        cx.background("server", async { axum::serve(listener, routes).await });
    })
    .await
}

pub(crate) async fn begin(
    builder: Builder,
    serve: impl FnOnce(&Acquire<Web>, TcpListener) + Send + 'static,
) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let begin: Begin = Box::new(move |cx| {
        serve(cx, listener);
        Ok(())
    });
    let app =
        builder.supply(Setup(Mutex::new(Some(begin)))).resources::<(Setup, Web)>().start().await.unwrap();
    let (tasks, stopping, draining) = {
        let web = app.get::<Web>();
        (web.tasks.clone(), web.stopping.clone(), web.draining.clone())
    };
    let report = tokio::spawn(app.clone().run());
    Running { app, address, report, tasks, stopping, draining }
}

impl Running {
    pub(crate) async fn connect(&self) -> Peer<TcpStream> {
        Peer(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client with an answer: the server knows it, and everybody who connected before.
    pub(crate) async fn known(&self) -> Peer<TcpStream> {
        let mut peer = self.connect().await;
        peer.ask("/").await;
        peer
    }

    /// Everything that is there, idle connections included.
    pub(crate) fn in_flight(&self) -> usize {
        self.units().in_flight() + self.units().idle
    }

    pub(crate) fn units(&self) -> Units {
        self.tasks.units()
    }

    /// Asks to stop, and waits until the turn of the server has begun.
    pub(crate) async fn stop(&self) {
        self.app.shutdown("the test says so");
        self.stopping.clone().await;
    }

    /// Asks to stop, and waits until everybody was told.
    pub(crate) async fn drain(&self) {
        self.app.shutdown("the test says so");
        self.draining.clone().await;
    }

    pub(crate) async fn end(self) -> Report {
        self.report.await.unwrap()
    }

    /// Waits for the end, which must be clean.
    pub(crate) async fn ends_clean(self) {
        let report = self.end().await;
        let web = web(&report);
        assert_eq!((report.exit_code, web.outcome, web.cut), (0, Outcome::Clean, 0), "{report}");
    }

    /// Waits for the end. So many were cut off, of which so many were excused.
    pub(crate) async fn ends_cut(self, cut: usize, excused: usize) -> String {
        let report = self.end().await;
        let found = (web(&report).cut, web(&report).excused);
        assert_eq!(found, (cut, excused), "{report}");
        let (code, outcome) = if cut > excused { (124, Outcome::Aborted) } else { (0, Outcome::Clean) };
        assert_eq!((report.exit_code, web(&report).outcome), (code, outcome), "{report}");
        report.to_string()
    }
}

pub(crate) fn web(report: &Report) -> &ResourceReport {
    report.resource("Web").unwrap()
}

/// A client of HTTP/2 opens a stream after it has read GOAWAY, as if the two had crossed on a long path. It has to be
/// answered with 200: the GOAWAY says that every stream is still accepted, and the client acknowledges nothing.
pub(crate) async fn opens_a_stream_after_goaway(running: &Running) {
    let mut peer = running.connect().await;
    peer.send(PREFACE).await;
    peer.open_stream(1).await;
    assert_eq!(peer.frame(HEADERS).await[0], STATUS_200);
    running.stop().await;
    peer.frame(GOAWAY).await;
    peer.open_stream(3).await;
    assert_eq!(peer.frame(HEADERS).await[0], STATUS_200);
}

/// What a client of HTTP/2 says first: the preface, and empty settings.
pub(crate) const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";

/// Types of frames of HTTP/2, and the compressed header `:status: 200`.
const HEADERS: u8 = 1;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
const GOAWAY: u8 = 7;
const STATUS_200: u8 = 0x88;

/// Something that handlers wait for, and that tells that they do.
#[derive(Clone)]
pub(crate) struct Gate {
    begun: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { begun: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// In the handler: until it is let through.
    pub(crate) async fn pass(&self) {
        self.begun.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    /// In the handler: tells that it is there.
    pub(crate) fn arrive(&self) {
        self.begun.add_permits(1);
    }

    /// In the test: until so many handlers are there.
    pub(crate) async fn begun(&self, handlers: u32) {
        self.begun.acquire_many(handlers).await.unwrap().forget();
    }

    pub(crate) fn open(&self, handlers: usize) {
        self.open.add_permits(handlers);
    }
}

/// The other end of a connection.
pub(crate) struct Peer<Io>(pub(crate) Io);

/// A response of HTTP/1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn says_close(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Peer<Io> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    }

    pub(crate) async fn ask(&mut self, path: &str) -> Answer {
        self.get(path).await;
        self.answer().await
    }

    /// Reads until `end` has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let read = self.0.read_u8().await;
            text.push(read.unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&text));
            }));
        }
        String::from_utf8(text).unwrap()
    }

    /// Sends `GET http://test/` as a stream of HTTP/2.
    async fn open_stream(&mut self, id: u8) {
        let end_of_stream_and_headers = 5;
        let head = [0, 0, 9, HEADERS, end_of_stream_and_headers, 0, 0, 0, id];
        self.0.write_all(&head).await.unwrap();
        self.0.write_all(b"\x82\x86\x84\x41\x04test").await.unwrap();
    }

    /// Reads frames of HTTP/2 until there is one of this type.
    pub(crate) async fn frame(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).await.unwrap();
            if head[3] == kind {
                return payload;
            }
        }
    }

    /// Reads a response with a length.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// The connection was closed properly, with nothing more to read.
    pub(crate) async fn sees_close(mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.expect("the connection was reset");
        assert!(rest.is_empty(), "there was more: {:?}", String::from_utf8_lossy(&rest));
    }

    /// The connection is gone, whichever way.
    pub(crate) async fn sees_end(mut self) {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
    }
}
