//! The layer counts exactly, whatever becomes of a request.

use std::convert::Infallible;

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
use tower::{Layer, Service, ServiceExt};

use super::support::{Gate, Running, begin, bounded, impatient, patient, web};

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

#[tokio::test]
async fn once_the_turn_has_begun_requests_are_refused_and_those_under_way_are_waited_for() {
    bounded(async {
        let gate = Gate::new();
        let passing = gate.clone();
        let slow = get(|| async move {
            passing.pass().await;
            "slow"
        });
        let (running, mut service) = layered(Router::new().route("/slow", slow)).await;
        let mut other = service.clone();
        let under_way = tokio::spawn(async move { ask(&mut other, "/slow").await });
        gate.begun(1).await;
        running.stop().await;
        let refused = ask(&mut service, "/slow").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(refused.headers()["connection"], "close");
        gate.open(1);
        let response = under_way.await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "slow");
        running.ends_clean().await;
    })
    .await;
}

/// axum's own server with the layer, and a client that comes by the network.
async fn own_server(builder: lifecycle::Builder, routes: Router) -> Running {
    begin(builder, |cx, listener| {
        let routes = routes.layer(cx.in_flight());
        cx.background("server", async { axum::serve(listener, routes).await });
    })
    .await
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
