use std::sync::Arc;
use std::time::Duration;

use lifecycle::{Acquire, Resource, Result, Stopping, resource};
use tokio::time::sleep;

use super::Broker; // it stands for the client of your queue

/// How long a job that is under way at the turn may take to finish.
const PATIENCE: Duration = Duration::from_secs(5);

#[resource(after = Broker, drain_timeout = "10s")]
pub struct Consumer;

impl Resource for Consumer {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let broker = cx.get::<Broker>();
        cx.spawn("consumer", |stopping| consume(broker, stopping));
        Ok(Self)
    }
}

async fn consume(broker: Arc<Broker>, stopping: Stopping) -> Result {
    // At the turn, no more jobs are taken. `next` must be cancel safe: when it is dropped, no job has been taken.
    while let Some(job) = stopping.run_until(broker.next()).await {
        let job = job?;
        tokio::select! {
            done = super::perform(&job) => {
                done?;
                broker.acknowledge(job).await?; // only now: if the process dies before, another one gets the job
            }
            () = out_of_time(&stopping) => broker.hand_back(job).await?,
        }
    }
    Ok(())
}

async fn out_of_time(stopping: &Stopping) {
    stopping.clone().await;
    sleep(PATIENCE).await;
}
