//! Who receives receipts, and counts them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// They refuse what begins with "refused-", send "redirected-" elsewhere, and take three seconds for "slow-".
pub(crate) struct Payers {
    address: SocketAddr,
    told: Told,
    _runtime: tokio::runtime::Runtime,
}

type Told = Arc<Mutex<HashMap<String, u64>>>;

impl Payers {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let told = Told::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let routes = Router::new()
            .route("/", post(receive))
            .route("/elsewhere", get("OK"))
            .with_state(Arc::clone(&told));
        runtime.spawn(async { axum::serve(listener, routes).await });
        Self { address, told, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How often each receipt came.
    pub(crate) fn told(&self) -> HashMap<String, u64> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn receive(State(told): State<Told>, headers: HeaderMap) -> Response {
    let Some(key) = headers.get("Idempotency-Key").and_then(|key| key.to_str().ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *told.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default() += 1;
    match key.split('-').next() {
        Some("refused") => StatusCode::BAD_REQUEST.into_response(),
        Some("redirected") => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
        Some("slow") => {
            sleep(Duration::from_secs(3)).await;
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}
