//! A Service of Kubernetes: on every node, connections are shared out among the endpoints that the node knows of.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::runtime;

pub(crate) struct Service {
    runtime: Runtime,
    nodes: Vec<Arc<Node>>,
}

struct Node {
    address: SocketAddr,
    /// How late it hears of a change.
    lag: Duration,
    endpoints: Mutex<Vec<SocketAddr>>,
    next: AtomicUsize,
}

/// A change that nodes are hearing of.
pub(crate) struct Change<'a> {
    runtime: &'a Runtime,
    nodes: Vec<JoinHandle<()>>,
}

impl Service {
    /// A service with these endpoints, and a node for each lag.
    pub(crate) fn start(endpoints: &[SocketAddr], lags: &[Duration]) -> Self {
        let runtime = runtime();
        let nodes = lags.iter().map(|&lag| {
            let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
            let listener = listener.expect("a port is free");
            let address = listener.local_addr().expect("it has an address");
            let endpoints = Mutex::new(endpoints.to_owned());
            let node = Arc::new(Node { address, lag, endpoints, next: AtomicUsize::new(0) });
            runtime.spawn(accept(listener, Arc::clone(&node)));
            node
        });
        Self { nodes: nodes.collect(), runtime }
    }

    /// Where the service is reached by way of each node.
    pub(crate) fn nodes(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    /// Adds an endpoint, and waits until every node knows it.
    pub(crate) fn add(&self, endpoint: SocketAddr) {
        self.change(move |endpoints| endpoints.push(endpoint)).wait();
    }

    /// Removes an endpoint. Nodes hear of it in their time, and send it connections until then.
    pub(crate) fn remove(&self, endpoint: SocketAddr) -> Change<'_> {
        self.change(move |endpoints| endpoints.retain(|&other| other != endpoint))
    }

    fn change(&self, change: impl Fn(&mut Vec<SocketAddr>) + Copy + Send + 'static) -> Change<'_> {
        let nodes = self.nodes.iter().map(|node| {
            let node = Arc::clone(node);
            self.runtime.spawn(async move {
                // How late it hears of the change is what is played here.
                sleep(node.lag).await;
                change(&mut node.endpoints());
            })
        });
        Change { nodes: nodes.collect(), runtime: &self.runtime }
    }
}

impl Change<'_> {
    /// Waits until every node has heard of it.
    pub(crate) fn wait(self) {
        for node in self.nodes {
            self.runtime.block_on(node).expect("no node has panicked");
        }
    }
}

impl Node {
    fn endpoints(&self) -> MutexGuard<'_, Vec<SocketAddr>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_endpoint(&self) -> Option<SocketAddr> {
        let endpoints = self.endpoints();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        endpoints.get(turn % endpoints.len().max(1)).copied()
    }
}

/// Hands every connection on to an endpoint, and lets it be there until one of its ends is closed. Where the endpoint
/// refuses, the client's end is closed.
async fn accept(listener: TcpListener, node: Arc<Node>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let endpoint = node.next_endpoint();
        tokio::spawn(async move {
            let mut pod = TcpStream::connect(endpoint?).await.ok()?;
            let _ = (client.set_nodelay(true), pod.set_nodelay(true));
            copy_bidirectional(&mut client, &mut pod).await.ok()
        });
    }
}
