//! Rule D4: while load balancers notice, everything goes on being served.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use lifecycle::Phase;

use super::support::{begin, bounded, patient, serve};

fn root() -> Router {
    Router::new().route("/", get("OK"))
}

#[tokio::test]
async fn during_the_delay_clients_are_served_and_asked_to_connect_anew() {
    bounded(async {
        let running = serve(patient().drain_delay(Duration::from_secs(5)), root()).await;
        let mut old = running.connect().await;
        let answer = old.ask("/").await;
        assert_eq!((answer.status, answer.says_close()), (200, false), "{answer:?}");
        running.drain().await;
        assert_eq!(running.app.phase(), Phase::Draining);
        let answer = old.ask("/").await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        old.sees_close().await;
        let mut new = running.connect().await;
        let answer = new.ask("/").await;
        assert_eq!((answer.status, answer.says_close()), (200, true), "{answer:?}");
        new.sees_close().await;
        running.app.insist();
        assert_eq!(running.end().await.exit_code, 0);
    })
    .await;
}

#[tokio::test]
async fn behind_the_layer_it_is_the_same() {
    bounded(async {
        let running = begin(patient().drain_delay(Duration::from_secs(5)), |cx, listener| {
            let routes = root().layer(cx.in_flight());
            cx.spawn("server", |stopping| async {
                axum::serve(listener, routes).with_graceful_shutdown(stopping).await
            });
        })
        .await;
        let mut old = running.connect().await;
        assert!(!old.ask("/").await.says_close());
        running.drain().await;
        assert!(old.ask("/").await.says_close());
        old.sees_close().await;
        let mut new = running.connect().await;
        assert!(new.ask("/").await.says_close());
        running.app.insist();
        assert_eq!(running.end().await.exit_code, 124, "axum's own server is a task like any other");
    })
    .await;
}
