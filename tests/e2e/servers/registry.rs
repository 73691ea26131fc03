//! A service registry: it notes who comes and goes.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, Uri};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::program::wait_until;

pub(crate) struct Registry {
    address: SocketAddr,
    calls: Calls,
    /// Its end is that of the server.
    _runtime: Runtime,
}

type Calls = Arc<Mutex<Vec<Call>>>;

/// What the registry was told.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

/// What becomes of those who want to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    Answered,
    /// They wait for an answer without end.
    Hangs,
}

impl Registry {
    pub(crate) fn start(leaving: Leaving) -> Self {
        let runtime = Runtime::new().expect("there are threads for a server");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let calls = Calls::default();
        let note = move |State(calls): State<Calls>, method: Method, uri: Uri, body: String| async move {
            let method = method.to_string();
            let is_stuck = method == "DELETE" && leaving == Leaving::Hangs;
            let call = Call { method, path: uri.path().to_owned(), body, at: Instant::now() };
            calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            if is_stuck {
                pending::<()>().await;
            }
        };
        let routes = Router::new().fallback(note).with_state(Arc::clone(&calls));
        runtime.spawn(async { axum::serve(listener, routes).await });
        Self { address, calls, _runtime: runtime }
    }

    /// What `REGISTRY_URL` has to be.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until somebody wants to leave.
    #[track_caller]
    pub(crate) fn wait_for_leave(&self) -> Call {
        let mut leave = None;
        wait_until("somebody leaves the registry", || {
            leave = self.calls().into_iter().find(|call| call.method == "DELETE");
            leave.is_some()
        });
        leave.expect("it was waited for")
    }
}
