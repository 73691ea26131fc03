//! Where connections come from, and what happens to those that wait.

use std::future::{Ready, pending, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{Request, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http_body_util::{BodyExt, Full};
use lifecycle::BoxError;
use lifecycle::http::{Listener, Peer as Client, RequestBody};
use tokio::io::{DuplexStream, duplex};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tower::util::BoxCloneService;

use super::support::{Gate, Peer, begin, bounded, impatient, patient, serve, web};

fn slow(gate: &Gate) -> Router {
    let gate = gate.clone();
    let handler = || async move {
        gate.pass().await;
        "slow"
    };
    Router::new().route("/", get("OK")).route("/slow", get(handler))
}

#[tokio::test]
async fn what_waits_in_the_accept_queue_at_the_turn_is_served() {
    bounded(async {
        let gate = Gate::new();
        let routes = slow(&gate);
        let running =
            begin(patient(), |cx, listener| cx.http().max_connections(1).serve(listener, routes)).await;
        let mut only = running.connect().await;
        only.get("/slow").await;
        gate.begun(1).await;
        let mut waiting = Vec::new();
        for _ in 0..50 {
            let mut peer = running.connect().await;
            peer.get("/").await;
            waiting.push(peer);
        }
        assert_eq!(running.in_flight(), 2, "the server and one connection");
        running.stop().await;
        for mut peer in waiting {
            let answer = peer.answer().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            peer.sees_close().await;
        }
        gate.open(1);
        assert_eq!(only.answer().await.body, "slow");
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_was_just_accepted_at_the_turn_may_still_ask() {
    bounded(async {
        let running = serve(patient(), Router::new().route("/", get("OK"))).await;
        let mut new = running.connect().await;
        let known = running.known().await;
        running.stop().await;
        known.sees_close().await;
        let answer = new.ask("/").await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        new.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

/// Fails a few times before it accepts anything, and a few times more when it is closed.
struct Exhausted {
    inner: TcpListener,
    errors: Vec<io::Error>,
    at_the_turn: Vec<io::Error>,
    failed: Arc<AtomicUsize>,
}

impl Listener for Exhausted {
    type Io = <TcpListener as Listener>::Io;
    type Addr = SocketAddr;
    type Handshake = <TcpListener as Listener>::Handshake;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, SocketAddr)> {
        if let Some(error) = self.errors.pop() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Err(error);
        }
        Listener::accept(&mut self.inner).await
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, SocketAddr)>> + Send {
        let Self { inner, at_the_turn, failed, .. } = self;
        let mut errors = at_the_turn.into_iter();
        let mut queue = inner.close();
        std::iter::from_fn(move || {
            let error = errors.next().inspect(|_| _ = failed.fetch_add(1, Ordering::Relaxed));
            error.map(Err).or_else(|| queue.next())
        })
    }
}

const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

#[tokio::test]
async fn a_server_without_descriptors_backs_off_and_lives_on() {
    bounded(async {
        let failed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&failed);
        let running = begin(patient(), |cx, inner| {
            let errors = [EMFILE, ENFILE, EMFILE].map(io::Error::from_raw_os_error);
            let errors = errors.into_iter().chain([io::ErrorKind::ConnectionAborted.into()]).collect();
            let listener = Exhausted { inner, errors, at_the_turn: Vec::new(), failed: counted };
            cx.serve_http(listener, Router::new().route("/", get("OK")));
        })
        .await;
        running.known().await;
        assert_eq!(failed.load(Ordering::Relaxed), 4);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Something else in the program may have them all, and keep them.
#[tokio::test]
async fn a_server_that_gets_no_descriptors_at_the_turn_ends_at_its_cut_off() {
    bounded(async {
        let running = begin(impatient(), |cx, inner| {
            let at_the_turn = (0..1_000).map(|_| io::Error::from_raw_os_error(EMFILE)).collect();
            let listener = Exhausted { inner, errors: Vec::new(), at_the_turn, failed: Arc::default() };
            cx.serve_http(listener, Router::new());
        })
        .await;
        running.stop().await;
        running.ends_cut(1, 1).await;
    })
    .await;
}

#[tokio::test]
async fn who_waits_at_the_turn_is_served_although_descriptors_run_out() {
    bounded(async {
        let gate = Gate::new();
        let (routes, failed) = (slow(&gate), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&failed);
        let running = begin(patient(), |cx, inner| {
            let at_the_turn = [EMFILE, ENFILE, EMFILE].map(io::Error::from_raw_os_error).into();
            let listener = Exhausted { inner, errors: Vec::new(), at_the_turn, failed: counted };
            cx.http().max_connections(1).serve(listener, routes);
        })
        .await;
        let mut only = running.connect().await;
        only.get("/slow").await;
        gate.begun(1).await;
        let mut waiting = running.connect().await;
        waiting.get("/").await;
        running.stop().await;
        assert_eq!(waiting.answer().await.status, 200);
        assert_eq!(failed.load(Ordering::Relaxed), 3);
        gate.open(1);
        assert_eq!(only.answer().await.body, "slow");
        running.ends_clean().await;
    })
    .await;
}

/// Nobody connects until the turn, and then new clients come faster than they are accepted.
struct Flood(Arc<AtomicUsize>);

impl Listener for Flood {
    type Io = DuplexStream;
    type Addr = ();
    type Handshake = Ready<io::Result<DuplexStream>>;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, ())> {
        pending().await
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, ())>> + Send {
        std::iter::from_fn(move || {
            let before = self.0.fetch_add(1, Ordering::Relaxed);
            (before < FLOOD).then(|| Ok((ready(Ok(duplex(1).0)), ())))
        })
    }
}

/// More than any queue holds where this is tested.
const FLOOD: usize = 200_000;

#[tokio::test]
async fn a_flood_of_connections_at_the_turn_holds_up_no_stop() {
    bounded(async {
        let accepted = Arc::new(AtomicUsize::new(0));
        let flood = Flood(Arc::clone(&accepted));
        let running = begin(patient(), |cx, _| cx.serve_http(flood, Router::new())).await;
        running.stop().await;
        running.ends_clean().await;
        let accepted = accepted.load(Ordering::Relaxed);
        assert!((1..FLOOD).contains(&accepted), "{accepted} were accepted");
    })
    .await;
}

/// Looks at each socket that it accepts.
#[cfg(target_os = "linux")]
struct Looking {
    inner: TcpListener,
    seen: UnboundedSender<[Duration; 3]>,
}

#[cfg(target_os = "linux")]
impl Listener for Looking {
    type Io = <TcpListener as Listener>::Io;
    type Addr = SocketAddr;
    type Handshake = <TcpListener as Listener>::Handshake;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, SocketAddr)> {
        use rustix::net::sockopt;
        let (handshake, peer) = Listener::accept(&mut self.inner).await?;
        let stream = handshake.await?;
        assert!(sockopt::socket_keepalive(&stream)? && sockopt::tcp_nodelay(&stream)?);
        let probes = sockopt::tcp_keepcnt(&stream)? * sockopt::tcp_keepintvl(&stream)?;
        let unacknowledged = Duration::from_millis(sockopt::tcp_user_timeout(&stream)?.into());
        self.seen.send([sockopt::tcp_keepidle(&stream)?, probes, unacknowledged]).unwrap();
        Ok((ready(Ok(stream)), peer))
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, SocketAddr)>> + Send {
        self.inner.close()
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_socket_of_tcp_notices_that_its_peer_has_vanished() {
    bounded(async {
        let (seen, mut sockets) = unbounded_channel();
        let running = begin(patient(), |cx, inner| {
            cx.serve_http(Looking { inner, seen }, Router::new().route("/", get("OK")));
        })
        .await;
        // The second has it from its listener.
        for _ in 0..2 {
            running.known().await;
            let [idle, probes, unacknowledged] = sockets.recv().await.unwrap();
            assert_eq!((idle, probes), (Duration::from_secs(60), Duration::from_secs(60)));
            assert_eq!(unacknowledged, idle + probes, "else one lost probe would be enough");
        }
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_is_beyond_use_ends_the_application() {
    bounded(async {
        let running = begin(patient(), |cx, inner| {
            let errors = vec![io::ErrorKind::InvalidInput.into()];
            let listener = Exhausted { inner, errors, at_the_turn: Vec::new(), failed: Arc::default() };
            cx.serve_http(listener, Router::new());
        })
        .await;
        let report = running.end().await;
        assert_eq!(report.exit_code, 1, "{report}");
        assert_eq!(web(&report).outcome, lifecycle::Outcome::Failed, "{report}");
        assert_eq!(report.failures[0].to_string(), "task `server` of `Web` failed");
    })
    .await;
}

#[tokio::test]
async fn a_unix_socket_is_served_like_any_other() {
    bounded(async {
        let path = std::env::temp_dir().join(format!("lifecycle-http-{}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let gate = Gate::new();
        let routes = slow(&gate);
        let running = begin(patient(), |cx, _| cx.serve_http(listener, routes)).await;
        let idle = UnixStream::connect(&path).await.unwrap();
        let mut busy = Peer(UnixStream::connect(&path).await.unwrap());
        busy.get("/slow").await;
        gate.begun(1).await;
        running.stop().await;
        gate.open(1);
        let answer = busy.answer().await;
        assert_eq!((answer.body.as_str(), answer.says_close()), ("slow", true), "{answer:?}");
        Peer(idle).sees_close().await;
        running.ends_clean().await;
        assert!(!path.exists(), "the file goes with the listener");
    })
    .await;
}

#[tokio::test]
async fn a_handler_knows_who_asks() {
    bounded(async {
        let who = |Extension(Client(peer)): Extension<Client<SocketAddr>>| async move { peer.to_string() };
        let running = serve(patient(), Router::new().route("/who", get(who))).await;
        let mut peer = running.connect().await;
        let address = peer.0.local_addr().unwrap().to_string();
        assert_eq!(peer.ask("/who").await.body, address);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Neither axum nor `Sync`.
#[tokio::test]
async fn any_tower_service_is_served() {
    bounded(async {
        let plain = |request: Request<RequestBody>| async {
            let body = request.into_body().collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::new(Full::new(body)))
        };
        let running = begin(patient(), move |cx, listener| {
            cx.serve_http(listener, BoxCloneService::new(tower::service_fn(plain)));
        })
        .await;
        let mut peer = running.connect().await;
        peer.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\necho").await;
        assert_eq!(peer.answer().await.body, "echo");
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}
