//! A service for each connection: a make-service moves as it is, and a function sees the connection.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lifecycle::http::Listener;
use tokio::net::TcpStream;
use tower::{Layer, Service};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::support::{Peer, begin, bounded, patient};

async fn whoami(ConnectInfo(client): ConnectInfo<SocketAddr>) -> String {
    client.to_string()
}

#[tokio::test]
async fn handlers_find_the_connect_info_of_axum() {
    bounded(async {
        let routes = Router::new().route("/", get(whoami));
        let running = begin(patient(), |cx, listener| {
            let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
            cx.http().serve_make_service(listener, routes);
        })
        .await;
        let (mut one, mut other) = (running.connect().await, running.connect().await);
        for peer in [&mut one, &mut other] {
            let address = peer.0.local_addr().unwrap().to_string();
            assert_eq!(peer.ask("/").await.body, address);
            assert_eq!(peer.ask("/").await.body, address, "also on a connection that was used before");
        }
        running.stop().await;
        one.sees_close().await;
        other.sees_close().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_make_service_that_wants_no_address_will_do() {
    bounded(async {
        let routes = Router::new().route("/", get("OK"));
        let running = begin(patient(), |cx, listener| {
            cx.http().serve_make_service(listener, routes.into_make_service());
        })
        .await;
        assert_eq!(running.connect().await.ask("/").await.body, "OK");
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Counts the connections in itself, and refuses the third. It cannot be cloned.
struct Counting {
    connections: usize,
    routes: Router,
}

impl Service<SocketAddr> for Counting {
    type Response = axum::middleware::AddExtension<Router, usize>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: SocketAddr) -> Self::Future {
        self.connections += 1;
        if self.connections == 3 {
            return ready(Err(io::Error::other("no more than two")));
        }
        ready(Ok(Extension(self.connections).layer(self.routes.clone())))
    }
}

#[tokio::test]
async fn it_is_called_once_for_each_connection() {
    async fn number(Extension(number): Extension<usize>) -> String {
        number.to_string()
    }
    bounded(async {
        let make_service = Counting { connections: 0, routes: Router::new().route("/", get(number)) };
        let running = begin(patient(), |cx, listener| {
            cx.http().serve_make_service(listener, make_service);
        })
        .await;
        let mut first = running.connect().await;
        assert_eq!(first.ask("/").await.body, "1");
        let stream = TcpStream::connect(running.address).await.unwrap();
        let (mut client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..3 {
            let request = Request::get("http://test/").body(Empty::<Bytes>::new()).unwrap();
            let answer = client.send_request(request).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "2");
        }
        running.connect().await.sees_end().await;
        assert_eq!(first.ask("/").await.body, "1");
        assert_eq!(running.connect().await.ask("/").await.body, "4", "a failure is that of one connection");
        running.stop().await;
        connection.await.unwrap().unwrap();
        running.ends_clean().await;
    })
    .await;
}

/// Is ready only after each connection has had its service for a while: never.
#[derive(Clone)]
struct NeverReady;

impl Service<SocketAddr> for NeverReady {
    type Response = Router;
    type Error = Infallible;
    type Future = Ready<Result<Router, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: SocketAddr) -> Self::Future {
        unreachable!("it is never ready")
    }
}

#[tokio::test]
async fn one_that_is_never_ready_keeps_no_connection() {
    bounded(async {
        let running = begin(patient(), |cx, listener| {
            let limit = Duration::from_millis(100);
            cx.http().header_read_timeout(limit).serve_make_service(listener, NeverReady);
        })
        .await;
        let (one, other) = (running.connect().await, running.connect().await);
        one.sees_end().await;
        other.sees_end().await;
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Layers, a nested router, and a middleware that asks for the address itself.
#[tokio::test]
async fn the_routes_and_layers_of_an_application_move_as_they_are() {
    async fn stamp(
        ConnectInfo(client): ConnectInfo<SocketAddr>,
        request: Request<Body>,
        next: Next,
    ) -> Response {
        let mut response = next.run(request).await;
        response.headers_mut().insert("x-client", client.to_string().parse().unwrap());
        response
    }
    async fn never() {
        std::future::pending::<()>().await;
    }
    bounded(async {
        let api = Router::new()
            .route("/whoami", get(whoami))
            .route("/never", get(never))
            .route("/upload", post(|body: String| async { body }))
            .layer(from_fn(stamp));
        let timeout =
            TimeoutLayer::with_status_code(hyper::StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(100));
        let routes = Router::new()
            .nest("/api", api)
            .layer(RequestBodyLimitLayer::new(5))
            .layer(timeout)
            .layer(TraceLayer::new_for_http());
        let running = begin(patient(), |cx, listener| {
            let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
            cx.http().serve_make_service(listener, routes);
        })
        .await;
        let mut peer = running.connect().await;
        let address = peer.0.local_addr().unwrap().to_string();
        let answer = peer.ask("/api/whoami").await;
        assert!(answer.head.contains(&format!("x-client: {address}\r\n")), "{answer:?}");
        assert_eq!(answer.body, address);
        assert_eq!(peer.ask("/api/never").await.status, 504);
        assert_eq!(peer.ask("/nothing").await.status, 404);
        let upload = "POST /api/upload HTTP/1.1\r\nhost: test\r\ncontent-length: ";
        peer.send(&format!("{upload}5\r\n\r\n12345")).await;
        assert_eq!(peer.answer().await.body, "12345");
        peer.send(&format!("{upload}6\r\n\r\n123456")).await;
        assert_eq!(peer.answer().await.status, 413);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_function_makes_a_service_for_each_connection() {
    async fn count(Extension(requests): Extension<Arc<AtomicUsize>>) -> String {
        (requests.fetch_add(1, Ordering::Relaxed) + 1).to_string()
    }
    bounded(async {
        let routes = Router::new().route("/", get(count));
        let running = begin(patient(), |cx, listener| {
            cx.http().serve_each(listener, move |stream, peer| {
                assert_eq!(stream.peer_addr().unwrap(), *peer);
                Extension(Arc::new(AtomicUsize::new(0))).layer(routes.clone())
            });
        })
        .await;
        let (mut one, mut other) = (running.connect().await, running.connect().await);
        for expected in ["1", "2"] {
            assert_eq!(one.ask("/").await.body, expected);
            assert_eq!(other.ask("/").await.body, expected);
        }
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// A listener of one's own, which knows more about its clients.
struct Numbered {
    inner: tokio::net::TcpListener,
    accepted: u32,
}

#[derive(Clone, Debug)]
struct Number(u32);

impl Connected<Self> for Number {
    fn connect_info(number: Self) -> Self {
        number
    }
}

impl Listener for Numbered {
    type Io = TcpStream;
    type Addr = Number;
    type Handshake = <tokio::net::TcpListener as Listener>::Handshake;

    async fn accept(&mut self) -> io::Result<(Self::Handshake, Number)> {
        let (handshake, _) = Listener::accept(&mut self.inner).await?;
        self.accepted += 1;
        Ok((handshake, Number(self.accepted)))
    }

    fn close(self) -> impl Iterator<Item = io::Result<(Self::Handshake, Number)>> + Send {
        (self.accepted + 1..)
            .map(Number)
            .zip(self.inner.close())
            .map(|(number, accepted)| Ok((accepted?.0, number)))
    }
}

#[tokio::test]
async fn the_address_of_a_listener_of_ones_own_can_be_the_connect_info() {
    async fn number(ConnectInfo(Number(number)): ConnectInfo<Number>) -> String {
        number.to_string()
    }
    bounded(async {
        let routes = Router::new().route("/", get(number));
        let running = begin(patient(), |cx, inner| {
            let routes = routes.into_make_service_with_connect_info::<Number>();
            cx.http().serve_make_service(Numbered { inner, accepted: 0 }, routes);
        })
        .await;
        assert_eq!(running.connect().await.ask("/").await.body, "1");
        assert_eq!(running.connect().await.ask("/").await.body, "2");
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// What axum's example of a Unix socket does, with the types of this crate.
#[cfg(unix)]
#[tokio::test]
async fn handlers_on_a_unix_socket_find_the_credentials_of_the_client() {
    use std::os::unix::net::SocketAddr as UnixAddr;
    use tokio::net::unix::UCred;
    use tokio::net::{UnixListener, UnixStream};

    #[derive(Clone)]
    struct UdsConnectInfo {
        address: UnixAddr,
        credentials: UCred,
    }

    async fn whoami(ConnectInfo(client): ConnectInfo<UdsConnectInfo>) -> String {
        format!("{:?} {:?}", client.credentials.pid(), client.address.as_pathname())
    }

    bounded(async {
        let path = std::env::temp_dir().join(format!("lifecycle-make-service-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let routes = Router::new().route("/", get(whoami));
        let running = begin(patient(), |cx, _| {
            cx.http().serve_each(listener, move |stream, address| {
                let (address, credentials) = (address.clone(), stream.peer_cred().unwrap());
                Extension(ConnectInfo(UdsConnectInfo { address, credentials })).layer(routes.clone())
            });
        })
        .await;
        let mut peer = Peer(UnixStream::connect(&path).await.unwrap());
        let expected = format!("{:?} None", Some(std::process::id()));
        assert_eq!(peer.ask("/").await.body, expected);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}
