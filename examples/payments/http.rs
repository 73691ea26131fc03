//! The HTTP server. At its turn, requests under way are answered, and feeds say goodbye.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use lifecycle::{Acquire, BoxError, Resource, Result, Stopping, Tasks, resource};
use listenfd::ListenFd;
use serde::Deserialize;
use serde_json::json;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::io::ReaderStream;
use tracing::{info, warn};

use crate::audit_log::AuditLog;
use crate::cache::Cache;
use crate::database::{Charge, Database, Payment, Totals};
use crate::queue::Queue;
use crate::scratch::Scratch;
use crate::settings::Settings;
use crate::tls::{Tls, TlsListener};
use crate::worker::Worker;

#[resource(after = [AuditLog, Cache, Database, Queue, Scratch, Settings, Tls, Worker])]
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
}

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let listener = listen(cx.get::<Settings>().address).await?;
        let address = listener.local_addr()?;
        let service = Service {
            audit_log: cx.get::<AuditLog>(),
            cache: cx.get::<Cache>(),
            database: cx.get::<Database>(),
            queue: cx.get::<Queue>(),
            scratch: cx.get::<Scratch>(),
            tasks: cx.tasks(),
            feed: broadcast::Sender::new(1_000),
        };
        match cx.get::<Tls>() {
            Some(tls) => {
                cx.serve_http(TlsListener { inner: listener, tls }, routes(service));
                info!("listening on https://{address}");
            }
            None => {
                cx.serve_http(listener, routes(service));
                info!("listening on http://{address}");
            }
        }
        Ok(Self { address })
    }
}

/// A socket opened by systemd, which stays open while this process restarts, or else one of our own.
async fn listen(address: SocketAddr) -> Result<TcpListener> {
    if let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? {
        listener.set_nonblocking(true)?;
        return Ok(TcpListener::from_std(listener)?);
    }
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}").into())
}

#[derive(Clone)]
struct Service {
    audit_log: Arc<AuditLog>,
    cache: Arc<Cache>,
    database: Arc<Database>,
    queue: Arc<Queue>,
    scratch: Arc<Scratch>,
    tasks: Tasks,
    feed: broadcast::Sender<Payment>,
}

fn routes(service: Service) -> Router {
    Router::new()
        .route("/", get("OK"))
        .route("/slow", get(slow))
        .route("/payments", get(totals).post(pay))
        .route("/export", get(export))
        .route("/feed", get(feed))
        .with_state(service)
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

async fn slow(Query(Slow { ms }): Query<Slow>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "OK"
}

async fn totals(State(service): State<Service>) -> Result<Json<Totals>, Error> {
    Ok(Json(service.database.totals().await?))
}

/// More than anybody pays, and too little to make the sum of all payments overflow.
const MOST_CENTS: i64 = 100_000_000_000;

async fn pay(
    State(service): State<Service>,
    payment: Result<Json<Payment>, JsonRejection>,
) -> Result<(StatusCode, Json<Payment>), Error> {
    let Json(payment) = payment.map_err(|rejection| Error::BadRequest(rejection.body_text()))?;
    if payment.id.is_empty() || payment.id.len() > 100 {
        return Err(Error::BadRequest("`id` must have 1 to 100 bytes".to_owned()));
    }
    // The id becomes a header value, the receipt's key, and only these characters are safe there.
    if payment.id.contains(|c: char| !c.is_ascii_graphic()) {
        return Err(Error::BadRequest("`id` must be of ASCII letters, digits and punctuation".to_owned()));
    }
    if !(1..=MOST_CENTS).contains(&payment.amount_cents) {
        return Err(Error::BadRequest(format!("`amount_cents` must be from 1 to {MOST_CENTS}")));
    }
    let charge = match service.cache.charged(&payment.id) {
        Some(amount) => Charge::Before(amount),
        None => service.charge_to_the_end(payment.clone()).await?,
    };
    match charge {
        Charge::New => Ok((StatusCode::CREATED, Json(payment))),
        Charge::Before(amount) if amount == payment.amount_cents => Ok((StatusCode::OK, Json(payment))),
        Charge::Before(amount) => {
            Err(Error::Conflict(format!("this payment was charged with {amount} cents")))
        }
    }
}

impl Service {
    /// Charges in a task of its own, so that a client that disconnects cannot interrupt it half-way.
    async fn charge_to_the_end(&self, payment: Payment) -> Result<Charge, Error> {
        let (service, (result, charge)) = (self.clone(), oneshot::channel());
        self.tasks.spawn(async move {
            // The client may be gone.
            let _ = result.send(service.charge(&payment).await);
        });
        charge.await.map_err(|_| "it is stopping, and the payment was cut off")?
    }

    async fn charge(&self, payment: &Payment) -> Result<Charge, Error> {
        self.audit_log.check()?;
        let charge = self.database.charge(payment).await?;
        if let Charge::New = charge {
            self.audit_log.record(&json!({ "payment": payment }));
            self.cache.insert(payment.clone());
            // There may be no listeners.
            let _ = self.feed.send(payment.clone());
            // The payment is committed. Its receipt is owed, and will be enqueued later if this fails.
            if let Err(error) = self.queue.push(&payment.id).await {
                warn!("the receipt of {} has to wait: {error}", payment.id);
            }
        }
        Ok(charge)
    }
}

/// All payments as a file, written page by page, so that neither memory nor a transaction has to hold all of them.
async fn export(State(service): State<Service>) -> Result<Response, Error> {
    let file = service.scratch.file();
    let mut csv = fs::File::create(file.path()).await?;
    let mut last = String::new();
    loop {
        let page = service.database.payments_after(&last, 1_000).await?;
        let Some(end) = page.last() else { break };
        last.clone_from(&end.id);
        let mut lines = String::new();
        for Payment { id, amount_cents } in &page {
            lines += &format!("\"{}\",{amount_cents}\n", id.replace('"', "\"\""));
        }
        csv.write_all(lines.as_bytes()).await?;
    }
    csv.flush().await?;
    // Once it is open, it can be read to the end, although it is removed from the directory now.
    let csv = fs::File::open(file.path()).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv".to_owned()),
        (header::CONTENT_LENGTH, csv.metadata().await?.len().to_string()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(csv))).into_response())
}

/// How long the client of a feed may take to answer the goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// Every request carries the notice of the server's turn.
async fn feed(
    upgrade: WebSocketUpgrade,
    State(service): State<Service>,
    Extension(stopping): Extension<Stopping>,
) -> Response {
    let payments = service.feed.subscribe();
    upgrade.on_upgrade(|socket| tell(socket, payments, stopping))
}

async fn tell(mut socket: WebSocket, mut payments: broadcast::Receiver<Payment>, stopping: Stopping) {
    let mut goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting".into() };
    loop {
        let payment = tokio::select! {
            payment = payments.recv() => payment,
            message = socket.recv() => match message {
                Some(Ok(_)) => continue, // messages from the client are ignored
                _ => return,
            },
            () = stopping.clone() => break,
        };
        let payment = match payment {
            Ok(payment) => payment,
            Err(RecvError::Lagged(_)) => {
                goodbye = CloseFrame { code: close_code::AGAIN, reason: "too slow".into() };
                break;
            }
            // At the turn, the server may end before its feeds.
            Err(RecvError::Closed) => break,
        };
        match stopping.run_until(socket.send(Message::text(json!(payment).to_string()))).await {
            Some(Ok(())) => {}
            Some(Err(_)) => return,
            None => break,
        }
    }
    // A client that does not answer, perhaps because it is gone, is not waited for much longer.
    let _ = timeout(GOODBYE, async {
        let _ = socket.send(Message::Close(Some(goodbye))).await;
        while let Some(Ok(_)) = socket.recv().await {}
    })
    .await;
}

enum Error {
    BadRequest(String),
    Conflict(String),
    /// Something that this service needs is unavailable. The client should retry.
    Unavailable(BoxError),
}

impl<E: Into<BoxError>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Unavailable(error.into())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
            Self::Conflict(why) => (StatusCode::CONFLICT, format!("{why}\n")).into_response(),
            Self::Unavailable(error) => {
                warn!("a request could not be answered: {error}");
                (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response()
            }
        }
    }
}
