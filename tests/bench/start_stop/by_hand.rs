//! The graph as one would write it with tokio alone: a task per resource, which lives from the start of its resource
//! to the end, and tokens for "it is there" and "it is gone". No time limit, no report, nothing that is logged, and a
//! panic in one task leaves the others waiting.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::graph::Edges;

#[derive(Debug, Default)]
struct Resource {
    after: Vec<usize>,
    before: Vec<usize>,
    is_there: CancellationToken,
    is_gone: CancellationToken,
}

/// Starts everything, and stops it at once. Returns when everything was there.
pub(super) async fn run(edges: Edges) -> Instant {
    let resources: Arc<[Resource]> = wire(edges).into();
    let stopping = CancellationToken::new();
    let mut tasks = Vec::with_capacity(resources.len());
    for id in 0..resources.len() {
        tasks.push(tokio::spawn(live(Arc::clone(&resources), id, stopping.clone())));
    }
    for resource in resources.iter() {
        resource.is_there.cancelled().await;
    }
    let started = Instant::now();
    stopping.cancel();
    for task in tasks {
        task.await.expect("a task that does nothing does not panic");
    }
    started
}

async fn live(resources: Arc<[Resource]>, id: usize, stopping: CancellationToken) {
    let Resource { after, before, is_there, is_gone } = &resources[id];
    for &needed in after {
        resources[needed].is_there.cancelled().await;
    }
    // Here it would be acquired.
    is_there.cancel();
    stopping.cancelled().await;
    for &dependent in before {
        resources[dependent].is_gone.cancelled().await;
    }
    // Here it would be released.
    is_gone.cancel();
}

fn wire(edges: Edges) -> Vec<Resource> {
    let mut before = vec![Vec::new(); edges.len()];
    for (id, after) in edges.iter().enumerate() {
        for &needed in after {
            before[needed].push(id);
        }
    }
    let resource = |(after, before)| Resource { after, before, ..Resource::default() };
    edges.into_iter().zip(before).map(resource).collect()
}
