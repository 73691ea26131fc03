//! gRPC clients of the example `grpc` that call all the time, repeat nothing, and notice every call that is not
//! answered and every stream that does not end with the server's own status.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::program::{PATIENCE, wait_until};

/// From one call of a client to the next.
const PACE: Duration = Duration::from_millis(10);

/// What a stream ends with when the server's turn has come.
const GOODBYE: &str = "the server is restarting";

/// Clients with one channel each, which they keep.
pub(crate) struct Calls {
    tally: Arc<Tally>,
    /// The clients end with it.
    _runtime: Runtime,
}

/// What the clients have seen.
#[derive(Default)]
pub(crate) struct Tally {
    answered: AtomicU64,
    /// Streams that ended as they should.
    streams: AtomicU64,
    /// How often a client heard from a server that it takes calls.
    serving: AtomicUsize,
    lost: Mutex<Vec<String>>,
}

impl Calls {
    /// Clients of a proxy: each has a channel to it, over which it calls, and over which it has a stream.
    pub(crate) fn through(proxy: SocketAddr, clients: usize) -> Self {
        Self::start(clients, |tally| async move {
            let channel = endpoint(proxy).connect().await.expect("the proxy is there");
            let stream = stream(HealthClient::new(channel.clone()), Arc::clone(&tally));
            tokio::join!(calls(HealthClient::new(channel), tally), stream);
        })
    }

    /// Clients that share their calls out among the servers by themselves. Each watches the health of every server:
    /// one that is draining gets no more calls.
    pub(crate) fn among(servers: &[SocketAddr], clients: usize) -> Self {
        Self::start(clients, |tally| {
            let (channel, changes) = Channel::balance_channel(100);
            let watched = servers.iter().map(|server| watch(*server, changes.clone(), Arc::clone(&tally)));
            let mut watchers: Vec<_> = watched.collect();
            async move {
                let mut tasks: JoinSet<()> = watchers.drain(..).collect();
                tasks.spawn(calls(HealthClient::new(channel), tally));
                tasks.join_all().await;
            }
        })
    }

    fn start<F: Future<Output = ()> + Send + 'static>(
        clients: usize,
        client: impl Fn(Arc<Tally>) -> F,
    ) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("there is room for a thread");
        let tally = Arc::<Tally>::default();
        let entered = runtime.enter();
        for _ in 0..clients {
            runtime.spawn(client(Arc::clone(&tally)));
        }
        drop(entered);
        Self { tally, _runtime: runtime }
    }

    /// Waits until so many more calls are answered.
    #[track_caller]
    pub(crate) fn wait_for(&self, calls: u64) {
        let answered = || self.tally.answered.load(Ordering::Relaxed);
        let goal = answered() + calls;
        wait_until(&format!("{calls} more calls are answered"), || answered() >= goal);
    }

    /// Waits until the clients, all together, have heard so often that a server takes calls.
    #[track_caller]
    pub(crate) fn wait_until_heard(&self, times: usize) {
        let heard = || self.tally.serving.load(Ordering::Relaxed);
        wait_until("the clients hear that the servers take calls", || heard() >= times);
    }

    /// How many calls and streams were lost, so far.
    pub(crate) fn lost(&self) -> usize {
        self.tally.lost().len()
    }

    /// Ends the clients. How many calls were answered, how many streams ended as they should, and what became of the
    /// others.
    pub(crate) fn end(self) -> (u64, u64, Vec<String>) {
        let Self { tally, _runtime: runtime } = self;
        runtime.shutdown_timeout(PATIENCE);
        let lost = tally.lost().clone();
        (tally.answered.load(Ordering::Relaxed), tally.streams.load(Ordering::Relaxed), lost)
    }
}

impl Tally {
    fn lost(&self) -> MutexGuard<'_, Vec<String>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call after the other.
async fn calls(mut client: HealthClient<Channel>, tally: Arc<Tally>) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        match client.check(HealthCheckRequest::default()).await {
            // Also by a server that says that it is draining.
            Ok(_) => {
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(status) => tally.lost().push(format!("a call: {status:?}")),
        }
    }
}

/// One stream after the other: each lasts as long as its server, and says goodbye.
async fn stream(mut client: HealthClient<Channel>, tally: Arc<Tally>) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let mut heard = Vec::new();
        let end = follow(&mut client, |status| heard.push(status)).await;
        let is_goodbye = end.code() == Code::Unavailable && end.message() == GOODBYE;
        if is_goodbye && heard == [ServingStatus::Serving, ServingStatus::NotServing] {
            tally.streams.fetch_add(1, Ordering::Relaxed);
        } else {
            tally.lost().push(format!("a stream: {heard:?}, {end:?}"));
        }
    }
}

/// Follows the health of a server, whenever there is one, and lets the channel know.
async fn watch(server: SocketAddr, changes: Sender<Change<SocketAddr, Endpoint>>, tally: Arc<Tally>) {
    let change = |change| changes.try_send(change).expect("the channel takes changes at every call");
    let mut pace = interval(PACE);
    loop {
        // While it restarts, nobody is there.
        pace.tick().await;
        let Ok(channel) = endpoint(server).connect().await else { continue };
        let mut client = HealthClient::new(channel);
        follow(&mut client, |status| match status {
            ServingStatus::Serving => {
                change(Change::Insert(server, endpoint(server)));
                tally.serving.fetch_add(1, Ordering::Relaxed);
            }
            _ => change(Change::Remove(server)),
        })
        .await;
        change(Change::Remove(server));
    }
}

/// Passes on what a server says of its health, until the stream ends with this status.
async fn follow(client: &mut HealthClient<Channel>, mut hear: impl FnMut(ServingStatus)) -> Status {
    let mut stream = match client.watch(HealthCheckRequest::default()).await {
        Ok(response) => response.into_inner(),
        Err(status) => return status,
    };
    loop {
        match stream.message().await {
            Ok(Some(response)) => hear(response.status()),
            Ok(None) => return Status::ok("the stream has ended"),
            Err(status) => return status,
        }
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}")).expect("it is a URI")
}
