use std::sync::Arc;

use lifecycle::{Acquire, Resource, Result, Stopping, resource};
use tokio::sync::{Mutex, mpsc};

use super::{Job, Settings};

#[resource(after = Settings)]
pub struct Workers {
    pub jobs: mpsc::Sender<Job>,
}

type Queue = Arc<Mutex<mpsc::Receiver<Job>>>;

impl Resource for Workers {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(64);
        let queue: Queue = Arc::new(Mutex::new(queue));
        for number in 1..=cx.get::<Settings>().workers {
            let queue = Arc::clone(&queue);
            cx.spawn(format!("worker {number}"), |stopping| work(queue, stopping));
        }
        Ok(Self { jobs })
    }
}

async fn work(queue: Queue, stopping: Stopping) -> Result {
    while let Some(Some(job)) = stopping.run_until(next(&queue)).await {
        super::perform(job).await?;
    }
    // The turn: everything that adds jobs is gone. What is still queued is done.
    loop {
        let Ok(job) = queue.lock().await.try_recv() else { return Ok(()) };
        super::perform(job).await?;
    }
}

async fn next(queue: &Queue) -> Option<Job> {
    queue.lock().await.recv().await
}
