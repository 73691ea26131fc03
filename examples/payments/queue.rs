//! The queue of receipts to write: in Redis, or in memory if no Redis is configured.
//!
//! In Redis it follows the reliable-queue pattern: a job that is taken moves to its worker's own list, and leaves that
//! list when it is done. Workers put the jobs of dead workers back into the queue.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{ConstantBuilder, ExponentialBuilder, Retryable};
use lifecycle::{Acquire, Release, Resource, Result, resource};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncTypedCommands, Direction, RedisError, RetryMethod};
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::settings::Settings;

const PENDING: &str = "payments:pending";
const WORKERS: &str = "payments:workers";

/// How long a worker counts as alive without renewing its lease.
const LEASE_SECONDS: u64 = 10;

#[resource(after = Settings)]
pub(crate) struct Queue(Backend);

enum Backend {
    Redis(Redis),
    Memory(Memory),
}

impl Resource for Queue {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let settings = cx.get::<Settings>();
        let Some(url) = &settings.redis else { return Ok(Self(Backend::Memory(Memory::default()))) };
        let redis = Redis::connect(url, &settings.instance.to_string()).await?;
        sign_in(&mut redis.connection.clone(), &redis.worker).await?;
        redis.adopt_orphans().await?;
        // Renewed until the turn of the queue, when the worker has ended.
        cx.background("lease", keep_lease(redis.connection.clone(), redis.worker.clone()));
        info!("queue open");
        Ok(Self(Backend::Redis(redis)))
    }

    async fn release(&self, _: &Release) -> Result {
        match &self.0 {
            Backend::Redis(redis) => redis
                .leave()
                .await
                .map_err(|error| format!("cannot give back to Redis what was taken from it: {error}"))?,
            Backend::Memory(_) => {}
        }
        info!("queue closed");
        Ok(())
    }
}

impl Queue {
    pub(crate) async fn push(&self, payment: &str) -> Result {
        match &self.0 {
            Backend::Redis(redis) => redis.push(payment).await?,
            Backend::Memory(memory) => memory.push(payment),
        }
        Ok(())
    }

    /// Waits for a job. The caller then reports it as `done`.
    pub(crate) async fn next(&self) -> Result<String> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.next().await?),
            Backend::Memory(memory) => Ok(memory.next().await),
        }
    }

    pub(crate) async fn done(&self, payment: &str) -> Result {
        match &self.0 {
            Backend::Redis(redis) => redis.done(payment).await?,
            Backend::Memory(_) => {}
        }
        Ok(())
    }

    /// Puts back the jobs that dead workers had taken.
    pub(crate) async fn adopt_orphans(&self) -> Result {
        match &self.0 {
            Backend::Redis(redis) => redis.adopt_orphans().await?,
            Backend::Memory(_) => {}
        }
        Ok(())
    }
}

struct Redis {
    /// For commands that are answered at once.
    connection: ConnectionManager,
    /// For waiting, which would block everything else on the same connection. Closed before the jobs that it may just
    /// have taken are put back.
    waiting: Mutex<Option<ConnectionManager>>,
    worker: String,
}

impl Redis {
    async fn connect(url: &str, worker: &str) -> Result<Self> {
        let client = redis::Client::open(url).map_err(|error| format!("REDIS_URL: {error}"))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(Some(Duration::from_secs(3)))
            .set_number_of_retries(0);
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(1))
            .without_max_times();
        let connect = || ConnectionManager::new_with_config(client.clone(), config.clone());
        let connection = connect
            .retry(backoff)
            .when(is_passing)
            .notify(|error, delay| warn!("no Redis yet, trying again in {delay:.1?}: {error}"))
            .await
            .map_err(|error| format!("cannot connect to Redis: {error}"))?;
        let waiting = connect().await?;
        Ok(Self { connection, waiting: Mutex::new(Some(waiting)), worker: worker.to_owned() })
    }

    async fn push(&self, job: &str) -> Result<(), RedisError> {
        self.connection.clone().lpush(PENDING, job).await.map(drop)
    }

    async fn next(&self) -> Result<String, RedisError> {
        loop {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(mut waiting) = waiting else { return std::future::pending().await };
            let taken = taken_by(&self.worker);
            let job = waiting.blmove(PENDING, taken, Direction::Right, Direction::Left, 1.0).await?;
            if let Some(job) = job {
                return Ok(job);
            }
        }
    }

    async fn done(&self, job: &str) -> Result<(), RedisError> {
        self.connection.clone().lrem(taken_by(&self.worker), 1, job).await.map(drop)
    }

    /// Puts back the jobs that dead workers had taken.
    async fn adopt_orphans(&self) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        for worker in connection.smembers(WORKERS).await? {
            if !connection.exists(lease_of(&worker)).await? {
                let jobs = self.give_back_all(&worker).await?;
                connection.srem(WORKERS, &worker).await?;
                if jobs > 0 {
                    info!("worker {worker} is no more; {jobs} of its jobs were given back");
                }
            }
        }
        Ok(())
    }

    /// Puts back all jobs and gives up the lease. If Redis is unreachable, other workers adopt the jobs when the lease
    /// has expired. The worker's name stays in the set until then, for a job that Redis may have handed over at the
    /// last moment.
    async fn leave(&self) -> Result<(), RedisError> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The first command after a lost connection notices the loss; the next one gets a new connection.
        let is_lost = |error: &RedisError| error.is_io_error() && !error.is_timeout();
        let backoff = ConstantBuilder::default().with_delay(Duration::from_millis(100)).with_max_times(3);
        (|| self.give_back_all(&self.worker)).retry(backoff).when(is_lost).await?;
        self.connection.clone().del(lease_of(&self.worker)).await.map(drop)
    }

    async fn give_back_all(&self, worker: &str) -> Result<usize, RedisError> {
        let mut connection = self.connection.clone();
        let mut jobs = 0;
        while redis::cmd("LMOVE")
            .arg(taken_by(worker))
            .arg(PENDING)
            .arg("LEFT")
            .arg("RIGHT")
            .query_async::<Option<String>>(&mut connection)
            .await?
            .is_some()
        {
            jobs += 1;
        }
        Ok(jobs)
    }
}

/// Renews the lease, then adds the name: a name without a lease would look like a dead worker.
async fn sign_in(connection: &mut ConnectionManager, worker: &str) -> Result<(), RedisError> {
    connection.set_ex(lease_of(worker), 1, LEASE_SECONDS).await?;
    connection.sadd(WORKERS, worker).await.map(drop)
}

/// Renews the lease again and again. If Redis is unreachable, it retries; the worker logs the error.
async fn keep_lease(mut connection: ConnectionManager, worker: String) {
    loop {
        sleep(Duration::from_secs(LEASE_SECONDS / 3)).await;
        let _ = sign_in(&mut connection, &worker).await;
    }
}

fn taken_by(worker: &str) -> String {
    format!("payments:taken:{worker}")
}

fn lease_of(worker: &str) -> String {
    format!("payments:lease:{worker}")
}

fn is_passing(error: &RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || !matches!(error.retry_method(), RetryMethod::NoRetry)
}

#[derive(Default)]
struct Memory {
    jobs: Mutex<VecDeque<String>>,
    is_news: Notify,
}

impl Memory {
    fn push(&self, job: &str) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push_back(job.to_owned());
        self.is_news.notify_one();
    }

    async fn next(&self) -> String {
        loop {
            let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(job) = job {
                return job;
            }
            self.is_news.notified().await;
        }
    }
}
