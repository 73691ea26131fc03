//! A broker of the usual kind: what was taken is there again for others unless it is acknowledged.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lifecycle::{Acquire, Resource, Result, resource};
use tokio::sync::Notify;

#[resource]
#[derive(Default)]
pub(crate) struct Broker {
    jobs: Mutex<Jobs>,
    published: Notify,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Jobs {
    pub(crate) waiting: VecDeque<u32>,
    pub(crate) taken: Vec<u32>,
    pub(crate) acknowledged: Vec<u32>,
}

impl Resource for Broker {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self::default())
    }
}

impl Broker {
    pub(crate) fn publish(&self, jobs: impl IntoIterator<Item = u32>) {
        self.jobs().waiting.extend(jobs);
        self.published.notify_one();
    }

    pub(crate) fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn next(&self) -> Result<u32> {
        loop {
            if let Some(job) = self.take() {
                return Ok(job);
            }
            self.published.notified().await;
        }
    }

    fn take(&self) -> Option<u32> {
        let mut jobs = self.jobs();
        let job = jobs.waiting.pop_front()?;
        jobs.taken.push(job);
        Some(job)
    }

    pub(crate) async fn acknowledge(&self, job: u32) -> Result {
        let mut jobs = self.jobs();
        jobs.taken.retain(|&taken| taken != job);
        jobs.acknowledged.push(job);
        Ok(())
    }

    pub(crate) async fn hand_back(&self, job: u32) -> Result {
        let mut jobs = self.jobs();
        jobs.taken.retain(|&taken| taken != job);
        jobs.waiting.push_front(job);
        Ok(())
    }
}
