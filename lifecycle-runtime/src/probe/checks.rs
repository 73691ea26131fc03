//! The checks of all resources: at most one run at a time, and at most one per second.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout_at};

use crate::driver::{CheckEnd, Driver, lock};
use crate::engine::notice::Notice;
use crate::model::graph::Id;

/// How long the result of a run is used for further requests.
const FRESH: Duration = Duration::from_secs(1);

pub(super) struct Checks {
    driver: Arc<Driver>,
    limit: Duration,
    /// The run that is under way, or was the last; its verdict is `None` until it is done.
    latest: Mutex<Option<watch::Receiver<Option<Verdict>>>>,
    resources: Vec<Mutex<Last>>,
}

/// What one run found.
#[derive(Clone)]
struct Verdict {
    at: Instant,
    failed: Vec<Id>,
}

#[derive(Default)]
struct Last {
    checked: Option<Checked>,
    /// It was given up, and may still be there: a blocked thread cannot be aborted.
    given_up: Option<AbortHandle>,
}

/// One check that has ended.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) result: CheckResult,
    pub(super) at: SystemTime,
    pub(super) error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckResult {
    Passed,
    Failed,
    Panicked,
    TimedOut,
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed out",
        })
    }
}

/// A check that is to be awaited.
enum Begun {
    Runs(JoinHandle<CheckEnd>),
    /// The previous one still blocks a thread, and another one would block another.
    StillStuck,
}

impl Checks {
    pub(super) fn new(driver: Arc<Driver>, limit: Duration) -> Arc<Self> {
        let resources = driver.plan().resources().map(|_| Mutex::default()).collect();
        Arc::new(Self { driver, limit, latest: Mutex::default(), resources })
    }

    /// The resources whose check fails, without the optional ones.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the run continues for other requests.
    pub(super) async fn failing(self: &Arc<Self>) -> Vec<Id> {
        let mut run = self.fresh_run();
        match run.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(verdict)) => verdict.failed.clone(),
            // The run is a task of this runtime: if the runtime is gone, nothing waits here either.
            Ok(None) | Err(_) => Vec::new(),
        }
    }

    pub(super) fn last(&self, id: Id) -> Option<Checked> {
        lock(&self.resources[id]).checked.clone()
    }

    fn fresh_run(self: &Arc<Self>) -> watch::Receiver<Option<Verdict>> {
        let mut latest = lock(&self.latest);
        let is_fresh =
            |verdict: &Option<Verdict>| verdict.as_ref().is_none_or(|done| done.at.elapsed() < FRESH);
        if let Some(run) = latest.as_ref().filter(|run| is_fresh(&run.borrow())) {
            return run.clone();
        }
        let (verdict, run) = watch::channel(None);
        *latest = Some(run.clone());
        let checks = Arc::clone(self);
        tokio::spawn(async move {
            let failed = checks.run().await;
            verdict.send_replace(Some(Verdict { at: Instant::now(), failed }));
        });
        run
    }

    /// Checks every resource that there is, concurrently.
    async fn run(&self) -> Vec<Id> {
        let until = Instant::now() + self.limit;
        let plan = self.driver.plan();
        let begun: Vec<(Id, Begun)> = plan.resources().filter_map(|id| Some((id, self.begin(id)?))).collect();
        let mut failed = Vec::new();
        for (id, check) in begun {
            let Some(checked) = self.end(id, check, until).await else { continue };
            if checked.result != CheckResult::Passed && !plan.step(id).necessity.may_fail() {
                failed.push(id);
            }
            self.remember(id, checked);
        }
        failed
    }

    /// Begins a check, if there is anything to check.
    fn begin(&self, id: Id) -> Option<Begun> {
        let is_stuck = lock(&self.resources[id]).given_up.as_ref().is_some_and(|task| !task.is_finished());
        if is_stuck { Some(Begun::StillStuck) } else { self.driver.check(id).map(Begun::Runs) }
    }

    /// How the check ended; `None` if the application began to stop meanwhile.
    async fn end(&self, id: Id, check: Begun, until: Instant) -> Option<Checked> {
        let timed_out = || (CheckResult::TimedOut, Some(format!("no answer within {:?}", self.limit)));
        let (result, error) = match check {
            Begun::StillStuck => timed_out(),
            Begun::Runs(mut check) => match timeout_at(until, &mut check).await {
                Ok(Ok(CheckEnd::Passed)) => (CheckResult::Passed, None),
                Ok(Ok(CheckEnd::Failed(error))) => (CheckResult::Failed, Some(error)),
                Ok(Ok(CheckEnd::Panicked(words))) => (CheckResult::Panicked, Some(words)),
                Ok(Ok(CheckEnd::Stopped) | Err(_)) => return None,
                Err(_) => {
                    check.abort();
                    lock(&self.resources[id]).given_up = Some(check.abort_handle());
                    timed_out()
                }
            },
        };
        Some(Checked { result, at: SystemTime::now(), error })
    }

    fn remember(&self, id: Id, checked: Checked) {
        let passes = checked.result == CheckResult::Passed;
        let error = checked.error.clone().unwrap_or_default();
        let before = lock(&self.resources[id]).checked.replace(checked);
        if before.is_none_or(|before| before.result == CheckResult::Passed) == passes {
            return;
        }
        let name = self.driver.plan().name(id);
        self.driver.say(if passes {
            Notice::CheckPasses(name)
        } else {
            Notice::CheckFails { name, why: error }
        });
    }
}
