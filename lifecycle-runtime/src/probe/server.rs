//! The listener and its connections, with a bound on everything that a peer can do.

use std::convert::Infallible;
use std::future::Future;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Probe;
use super::answer::Answers;
use crate::control::endpoint::{Endpoint, Role, Watched};

/// The limits of a request head.
const HEAD_BYTES: usize = 8 * 1024;
const HEAD_TIME: Duration = Duration::from_secs(2);

/// The limit of a connection, from its first byte to its last, not counting the wait of `/prestop`.
const TIME_IN_ALL: Duration = Duration::from_secs(5);

/// More connections wait in the kernel.
const CONNECTIONS: usize = 64;

/// After an accept that failed, most likely for want of descriptors.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The address, taken.
#[derive(Debug)]
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

    /// Answers until its runtime is gone.
    async fn answer(self, Watched { driver, heartbeat }: Watched) {
        heartbeat.start(&driver);
        let Self { listener, probe, .. } = self;
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let answers = Answers::new(driver, probe, heartbeat);
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let answers = answers.clone();
                    tokio::spawn(async move {
                        converse(stream, peer, answers).await;
                        drop(permit);
                    });
                }
                Err(_) => sleep(BACK_OFF).await,
            }
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

/// One connection, one request.
async fn converse(stream: TcpStream, peer: SocketAddr, answers: Answers) {
    let (patience, mut limit) = watch::channel(Instant::now() + TIME_IN_ALL);
    let (patience, answers) = (&patience, &answers);
    let service = service_fn(move |request: Request<Incoming>| async move {
        let wait_longer = |by| {
            patience.send_replace(Instant::now() + by + TIME_IN_ALL);
        };
        let (method, path) = (request.method(), request.uri().path());
        Ok::<_, Infallible>(answers.answer(peer, method, path, wait_longer).await)
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
        let until = *limit.borrow_and_update();
        tokio::select! {
            _ = &mut connection => return,
            () = sleep_until(until) => return,
            Ok(()) = limit.changed() => {}
        }
    }
}
