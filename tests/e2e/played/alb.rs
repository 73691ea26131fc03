//! An Application Load Balancer of AWS: it sends a target requests until its health check has failed too often or the
//! target is deregistered, keeps connections to targets, and answers 502 when a target fails it, without another try.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::runtime;
use crate::health_check::HealthCheck;
use crate::program::wait_until;

/// How long a health check may take: the default.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

type Error = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Alb {
    runtime: Runtime,
    address: SocketAddr,
    group: Arc<Group>,
}

/// Where something serves, and where its health is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) probe: SocketAddr,
}

/// A target group.
struct Group {
    check: HealthCheck,
    deregistration_delay: Duration,
    members: Mutex<Vec<Arc<Member>>>,
    next: AtomicUsize,
}

/// A target that is registered, or draining.
struct Member {
    target: Target,
    health: Mutex<Health>,
    /// Connections that wait for their next request.
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    under_way: AtomicUsize,
}

/// A request that is a member's.
struct UnderWay(Arc<Member>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Initial,
    Healthy,
    Unhealthy,
    /// Deregistered: requests under way may finish.
    Draining,
}

impl Alb {
    pub(crate) fn start(check: HealthCheck, deregistration_delay: Duration) -> Self {
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let group =
            Group { check, deregistration_delay, members: Mutex::default(), next: AtomicUsize::new(0) };
        let group = Arc::new(group);
        runtime.spawn(accept(listener, Arc::clone(&group)));
        Self { runtime, address, group }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Registers a target, and waits until it is healthy.
    #[track_caller]
    pub(crate) fn register(&self, target: Target) {
        let health = Mutex::new(Health::Initial);
        let member = Member { target, health, idle: Mutex::default(), under_way: AtomicUsize::new(0) };
        let member = Arc::new(member);
        lock(&self.group.members).push(Arc::clone(&member));
        self.runtime.spawn(watch(Arc::clone(&member), self.group.check));
        wait_until("a target is healthy", || member.health() == Health::Healthy);
    }

    /// Sends no more requests to a target, waits until those under way are answered or the deregistration delay is
    /// over, and closes its connections.
    pub(crate) fn deregister(&self, target: Target) {
        let Some(member) = self.group.member(target) else { return };
        *lock(&member.health) = Health::Draining;
        let until = Instant::now() + self.group.deregistration_delay;
        wait_until("a target is drained", || {
            member.under_way.load(Ordering::Relaxed) == 0 || Instant::now() >= until
        });
        lock(&self.group.members).retain(|other| !Arc::ptr_eq(other, &member));
        lock(&member.idle).clear();
    }

    #[track_caller]
    pub(crate) fn wait_until_unhealthy(&self, target: Target) {
        let member = self.group.member(target).expect("it is registered");
        wait_until("a target is unhealthy", || member.health() == Health::Unhealthy);
    }
}

impl Group {
    fn member(&self, target: Target) -> Option<Arc<Member>> {
        lock(&self.members).iter().find(|member| member.target == target).cloned()
    }

    fn next(&self) -> Option<UnderWay> {
        let mut members = lock(&self.members).clone();
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % members.len().max(1);
        members.rotate_left(turn);
        members.into_iter().find_map(Member::take)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Some(under_way) = self.next() else {
            return failed(StatusCode::SERVICE_UNAVAILABLE, "no target");
        };
        match under_way.0.forward(request).await {
            Ok(response) => response,
            Err(error) => failed(StatusCode::BAD_GATEWAY, &error.to_string()),
        }
    }
}

impl Member {
    fn health(&self) -> Health {
        *lock(&self.health)
    }

    /// A request is for this one, if it is healthy.
    fn take(self: Arc<Self>) -> Option<UnderWay> {
        let health = lock(&self.health);
        (*health == Health::Healthy).then(|| {
            self.under_way.fetch_add(1, Ordering::Relaxed);
            UnderWay(Arc::clone(&self))
        })
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Error> {
        let (mut head, body) = request.into_parts();
        // It is the client's, and says nothing of the connection to the target.
        head.headers.remove(CONNECTION);
        let body = Full::new(body.collect().await?.to_bytes());
        let mut connection = match self.idle_connection() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let response = connection.send_request(Request::from_parts(head, body)).await?;
        let (mut head, body) = response.into_parts();
        let body = Full::new(body.collect().await?.to_bytes());
        let says_close = head.headers.remove(CONNECTION).is_some_and(|value| value == "close");
        if !says_close && connection.ready().await.is_ok() {
            lock(&self.idle).push(connection);
        }
        Ok(Response::from_parts(head, body))
    }

    /// A connection that was kept, and that the target has not closed.
    fn idle_connection(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = lock(&self.idle);
        std::iter::from_fn(|| idle.pop()).find(SendRequest::is_ready)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let stream = TcpStream::connect(self.target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Asks for its readiness, on a connection of its own.
    async fn is_well(&self) -> Result<bool, Error> {
        let stream = TcpStream::connect(self.target.probe).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get("/readyz").header("Host", "localhost").body(Full::<Bytes>::default())?;
        Ok(sender.send_request(request).await?.status() == StatusCode::OK)
    }
}

/// Checks the health of a target until it is deregistered.
async fn watch(member: Arc<Member>, check: HealthCheck) {
    let mut ticks = interval(check.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut successes, mut failures) = (0, 0);
    loop {
        ticks.tick().await;
        let is_well = timeout(CHECK_TIMEOUT, member.is_well()).await;
        (successes, failures) =
            if matches!(is_well, Ok(Ok(true))) { (successes + 1, 0) } else { (0, failures + 1) };
        let mut health = lock(&member.health);
        match *health {
            Health::Draining => return,
            Health::Initial | Health::Unhealthy if successes >= check.successes => *health = Health::Healthy,
            Health::Initial | Health::Healthy if failures >= check.failures => *health = Health::Unhealthy,
            Health::Initial | Health::Healthy | Health::Unhealthy => {}
        }
    }
}

async fn accept(listener: TcpListener, group: Arc<Group>) {
    while let Ok((client, _)) = listener.accept().await {
        let _ = client.set_nodelay(true);
        let group = Arc::clone(&group);
        let service = service_fn(move |request| {
            let group = Arc::clone(&group);
            async move { Ok::<_, Infallible>(group.answer(request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(client), service));
    }
}

fn failed(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(why.to_owned()));
    *response.status_mut() = status;
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
