//! The layer counts exactly, whatever becomes of a request.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::get;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::timeout::TimeoutLayer;

use super::support::{Gate, Running, begin, bounded, impatient, own_server, patient, web};

/// An application with a layered service that the test calls itself.
async fn layered(routes: Router) -> (Running, Router) {
    let (sender, mut service) = mpsc::channel(1);
    let running = begin(patient(), move |cx, _| {
        sender.try_send(routes.layer(cx.in_flight())).unwrap();
        cx.spawn("idle", |stopping| stopping);
    })
    .await;
    (running, service.recv().await.unwrap())
}

async fn ask(service: &mut Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).unwrap();
    service.as_service().ready().await.unwrap().call(request).await.unwrap()
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_body_is_done() {
    bounded(async {
        let (running, mut service) = layered(Router::new().route("/", get("OK"))).await;
        assert_eq!(running.in_flight(), 1, "the task of the test");
        let response = ask(&mut service, "/").await;
        assert_eq!(running.in_flight(), 2);
        let body = response.into_body().collect().await.unwrap();
        assert_eq!((body.to_bytes().as_ref(), running.in_flight()), (b"OK".as_slice(), 1));
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_dropped_half_way_is_not_in_flight_any_more() {
    bounded(async {
        let (chunks, receiver) = mpsc::channel::<Result<String, std::io::Error>>(2);
        let body = std::sync::Mutex::new(Some(Body::from_stream(ReceiverStream::new(receiver))));
        let body = std::sync::Arc::new(body);
        let routes = get(move || async move { body.lock().unwrap().take().unwrap() });
        let (running, mut service) = layered(Router::new().route("/", routes)).await;
        let mut response = ask(&mut service, "/").await;
        chunks.send(Ok("half".to_owned())).await.unwrap();
        assert!(response.frame().await.is_some());
        assert_eq!(running.in_flight(), 2);
        drop(response);
        assert_eq!(running.in_flight(), 1);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_panics_is_not_in_flight_any_more() {
    async fn panics() -> &'static str {
        panic!("as the test wants it")
    }
    bounded(async {
        let (running, mut service) = layered(Router::new().route("/", get(panics))).await;
        let call = tokio::spawn(async move {
            ask(&mut service, "/").await;
        });
        assert!(call.await.unwrap_err().is_panic());
        assert_eq!(running.in_flight(), 1);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_dropped_is_not_in_flight_any_more() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let routes = Router::new().route("/", get(|| async move { passing.pass().await }));
        let (running, mut service) = layered(routes).await;
        let call = tokio::spawn(async move {
            ask(&mut service, "/").await;
        });
        gate.begun(1).await;
        assert_eq!(running.in_flight(), 2);
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert_eq!(running.in_flight(), 1);
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

/// Routes with a handler that passes `gate`.
fn slow(gate: &Gate) -> Router {
    let gate = gate.clone();
    let slow = get(|| async move {
        gate.pass().await;
        "slow"
    });
    Router::new().route("/", get("OK")).route("/slow", slow)
}

#[tokio::test]
async fn requests_under_way_are_waited_for_and_others_are_served_meanwhile() {
    bounded(async {
        let gate = Gate::new();
        let (running, mut service) = layered(slow(&gate)).await;
        let mut other = service.clone();
        let under_way = tokio::spawn(async move { ask(&mut other, "/slow").await });
        gate.begun(1).await;
        running.stop().await;
        let served = ask(&mut service, "/").await;
        assert_eq!(
            (served.status(), &served.headers()["connection"]),
            (StatusCode::OK, &"close".parse().unwrap())
        );
        drop(served);
        gate.open(1);
        let response = under_way.await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "slow");
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn once_nothing_is_in_flight_any_more_requests_are_refused() {
    bounded(async {
        let (running, mut service) = layered(Router::new().route("/", get("OK"))).await;
        running.stop().await;
        running.ends_clean().await;
        let refused = ask(&mut service, "/").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(refused.headers()["connection"], "close");
    })
    .await;
}

/// axum's server goes on with a connection on which half a head has arrived.
#[tokio::test]
async fn a_request_that_another_server_still_accepts_is_served() {
    bounded(async {
        let gate = Gate::new();
        let running = own_server(patient(), slow(&gate)).await;
        let mut late = running.connect().await;
        late.send("GET / HT").await;
        running.known().await;
        let mut peer = running.connect().await;
        peer.get("/slow").await;
        gate.begun(1).await;
        running.stop().await;
        late.send("TP/1.1\r\nhost: test\r\n\r\n").await;
        let answer = late.answer().await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        gate.open(1);
        assert_eq!(peer.answer().await.body, "slow");
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_layer_around_it_can_answer_in_its_place() {
    bounded(async {
        let gate = Gate::new();
        let routes = slow(&gate);
        let running = begin(patient(), |cx, listener| {
            let timeout =
                TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(10));
            let layers = ServiceBuilder::new().layer(timeout).layer(cx.in_flight());
            cx.serve_http(listener, routes.layer(layers));
        })
        .await;
        let answer = running.connect().await.ask("/slow").await;
        assert_eq!((answer.status, answer.body.as_str()), (504, ""), "{answer:?}");
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_is_not_in_flight_any_more() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let routes = Router::new().route("/", get(|| async move { passing.pass().await }));
        let running = own_server(patient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/").await;
        gate.begun(1).await;
        assert_eq!(running.in_flight(), 2);
        drop(peer);
        while running.in_flight() > 1 {
            tokio::task::yield_now().await;
        }
        running.stop().await;
        running.ends_clean().await;
    })
    .await;
}

#[tokio::test]
async fn an_unfinished_request_is_cut_off_and_counts() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let routes = Router::new().route("/", get(|| async move { passing.pass().await }));
        let running = own_server(impatient(), routes).await;
        let mut peer = running.connect().await;
        peer.get("/").await;
        gate.begun(1).await;
        running.stop().await;
        let report = running.end().await;
        assert_eq!((report.exit_code, web(&report).cut, web(&report).excused), (124, 1, 0), "{report}");
    })
    .await;
}

#[tokio::test]
async fn a_plain_hyper_server_can_have_it_too() {
    bounded(async {
        let running = begin(patient(), |cx, listener| {
            let plain = tower::service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("plain")))
            });
            let service = cx.in_flight().layer(plain);
            cx.background("server", async move {
                let (stream, _) = listener.accept().await?;
                let service = TowerToHyperService::new(service);
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
                Ok::<_, lifecycle::BoxError>(())
            });
            cx.spawn("idle", |stopping| stopping);
        })
        .await;
        let mut peer = running.connect().await;
        let answer = peer.ask("/").await;
        assert_eq!((answer.body.as_str(), answer.says_close()), ("plain", false), "{answer:?}");
        running.stop().await;
        peer.sees_end().await;
        running.ends_clean().await;
    })
    .await;
}
