//! Whether the application's runtime still responds.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::driver::{Driver, lock};

/// How often the runtime is asked.
const INTERVAL: Duration = Duration::from_millis(500);

/// Spawns an empty task on the application's runtime again and again; the end of the task is the answer.
#[derive(Clone, Default)]
pub(crate) struct Heartbeat(Arc<Shared>);

struct Shared {
    started: Once,
    unanswered_since: Mutex<Option<Instant>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { started: Once::new(), unanswered_since: Mutex::default() }
    }
}

impl Heartbeat {
    /// Asks until the application has ended, from the runtime that this is called on. Twice is once.
    pub(crate) fn start(&self, driver: &Arc<Driver>) {
        let shared = Arc::clone(&self.0);
        let driver = Arc::clone(driver);
        self.0.started.call_once(|| {
            tokio::spawn(async move {
                driver.milestones().ended.run_until(shared.ask(&driver)).await;
                *lock(&shared.unanswered_since) = None;
            });
        });
    }

    /// How long the runtime has not responded.
    pub(crate) fn silence(&self) -> Duration {
        lock(&self.0.unanswered_since).map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Shared {
    async fn ask(&self, driver: &Driver) {
        loop {
            *lock(&self.unanswered_since) = Some(Instant::now());
            // A runtime that shuts down drops the task. That is an answer too: the runtime is not stuck.
            let _ = driver.runtime().spawn(async {}).await;
            *lock(&self.unanswered_since) = None;
            sleep(INTERVAL).await;
        }
    }
}
