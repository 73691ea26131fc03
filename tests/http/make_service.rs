//! An axum application whose handlers ask for `ConnectInfo` moves with its make-service.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;

use super::support::{begin, bounded, patient};

#[tokio::test]
async fn handlers_find_the_connect_info_of_axum() {
    async fn whoami(ConnectInfo(client): ConnectInfo<SocketAddr>) -> String {
        client.to_string()
    }
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
