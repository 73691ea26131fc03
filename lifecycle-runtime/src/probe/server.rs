//! The listener and its connections, with a bound on everything that a peer can do.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Probe;
use super::answer::{Answers, Question};
use super::room::{Place, Room};
use crate::control::endpoint::{Endpoint, Role, Watched};
use crate::model::first_of::first_of;
use crate::model::phase::Phase;

/// The limits of a request head.
const HEAD_BYTES: usize = 8 * 1024;
const HEAD_TIME: Duration = Duration::from_secs(2);

/// The limit of a connection, from its first byte to its last, not counting the wait of `/prestop`.
const TIME_IN_ALL: Duration = Duration::from_secs(5);

/// When there are more, the oldest is closed: see [`Room`].
const CONNECTIONS: usize = 64;

/// After an accept that failed, most likely for want of descriptors.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The address, taken.
pub(crate) struct ProbeServer {
    listener: StdListener,
    address: SocketAddr,
    probe: Probe,
}

impl ProbeServer {
    /// Takes the address that the probe is to answer at.
    pub(crate) fn bind(probe: Probe) -> Result<Self, String> {
        let listener =
            probe.bind().map_err(|error| format!("cannot listen on {}: {error}", probe.address))?;
        let address = listener.local_addr().unwrap_or(probe.address);
        Ok(Self { listener, address, probe })
    }

    /// Where it listens, with the port that the system chose if none was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until its runtime is gone, and waits for the end of the application and of every hook.
    async fn answer(self, Watched { driver, heartbeat }: Watched) {
        heartbeat.start(&driver);
        let Self { listener, probe, .. } = self;
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let answers = Answers::new(Arc::clone(&driver), probe, heartbeat);
        let hooks = answers.hooks();
        tokio::spawn(accept(listener, answers));
        let _ = driver.phase().wait_for(|phase| *phase == Phase::Stopped).await;
        hooks.all_answered().await;
    }
}

async fn accept(listener: TcpListener, answers: Answers) {
    let mut room = Room::new(CONNECTIONS);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(place) = room.enter().await else { return };
                tokio::spawn(converse(stream, peer, place, answers.clone()));
            }
            Err(_) => sleep(BACK_OFF).await,
        }
    }
}

impl Endpoint for ProbeServer {
    fn serve(self: Box<Self>, watched: Watched) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.answer(watched))
    }

    fn role(&self) -> Role {
        Role::Answers
    }
}

/// What holds for one connection.
#[derive(Clone, Copy)]
struct Limit {
    until: Instant,
    /// Its request is complete. One with a body that does not come may hold its place no longer than half a head.
    has_asked: bool,
}

/// What becomes of a connection.
enum Next {
    GoesOn,
    GivesWay,
    Ends,
}

/// One connection, one request.
async fn converse(stream: TcpStream, peer: SocketAddr, mut place: Place, answers: Answers) {
    let (limits, mut limit) = watch::channel(Limit { until: Instant::now() + TIME_IN_ALL, has_asked: false });
    let gives_way = Notify::new();
    let hook = OnceLock::new();
    let (limits, answers, gives_way, hook) = (&limits, &answers, &gives_way, &hook);
    let service = service_fn(move |request: Request<Incoming>| async move {
        let is_complete = request.body().is_end_stream();
        limits.send_modify(|limit| limit.has_asked = is_complete);
        let wait_longer = |by| {
            let _ = hook.set(answers.hooks().begin());
            limits.send_modify(|limit| limit.until = Instant::now() + by + TIME_IN_ALL);
        };
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let answer = first_of(&mut [
            pin!(answers.answer(Question { peer, method, uri, headers }, wait_longer)),
            pin!(async {
                gives_way.notified().await;
                Answers::gives_way()
            }),
        ])
        .await;
        Ok::<_, Infallible>(answer)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES)
            .half_close(true)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
    );
    loop {
        let Limit { until, has_asked } = *limit.borrow_and_update();
        if has_asked {
            place.keep();
        }
        // In this order, a request that has come in time is noticed before the place is given away.
        let next = first_of(&mut [
            pin!(async {
                let _ = connection.as_mut().await;
                Next::Ends
            }),
            pin!(async {
                // The sender is above.
                let _ = limit.changed().await;
                Next::GoesOn
            }),
            pin!(async {
                place.is_needed().await;
                Next::GivesWay
            }),
            pin!(async {
                sleep_until(until).await;
                Next::Ends
            }),
        ])
        .await;
        match next {
            Next::Ends => return,
            Next::GoesOn => {}
            Next::GivesWay => break,
        }
    }
    // It can say so if its client reads; it does not wait for that.
    gives_way.notify_one();
    poll_fn(|cx| {
        let _ = connection.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}
