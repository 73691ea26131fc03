//! The black box: where the process is, in a small file that survives SIGKILL. The next start says what became of the
//! last life, and an orderly end removes the file. In Kubernetes, the termination log says the same of a bad end.
//!
//! ```text
//!   control thread ── look ──► Standing ── put ──► Desk ──► writer thread ──► file
//!                     (never blocks)       (the latest wins)   (may hang)
//! ```
//!
//! The control thread looks, and hands over what is new. It does not write itself: a write to a file cannot be made not
//! to block, and a full, slow or vanished disk must not hold up signals, the deadline or the probe. The thread that
//! writes is started for the first record, belongs to one file, and is left behind if it hangs.

mod desk;
mod file_place;
mod log_place;
mod moment;
mod record;
mod words;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use self::desk::{Desk, Done, Job, Place};
use self::file_place::FilePlace;
use self::log_place::LogPlace;
use self::moment::Moment;
use crate::control::endpoint::{Endpoint, Role, Watched};
use crate::driver::Keeper;
use crate::engine::standing::Standing;
use crate::model::first_of::first_of;
use crate::model::phase::Phase;

/// Where Kubernetes mounts the file that becomes the message of a terminated container.
pub(crate) const TERMINATION_LOG: &str = "/dev/termination-log";

/// While the application runs, and whatever happens: so old is a record at most. It is written only if something is
/// different, or if time is running.
const SELDOM: Duration = Duration::from_secs(1);

/// What is in flight comes and goes without a word; during the stop, this is how often it is counted.
const OFTEN: Duration = Duration::from_millis(10);

/// What happens in a burst is one record.
const BURST: Duration = Duration::from_millis(1);

/// To look takes one part in so many of the time at most, however large the application is.
const SHARE: u32 = 20;

/// A file that has not answered for this long hangs.
const HANGS: Duration = Duration::from_secs(5);

/// A black box, or the termination log.
pub(crate) struct BlackBox {
    desk: Arc<Desk>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// From the first moment on.
    File,
    /// From the beginning of the stop on.
    Log,
}

impl BlackBox {
    pub(crate) fn at(path: PathBuf) -> Self {
        let (place, kind): (Box<dyn Place>, _) = if path == Path::new(TERMINATION_LOG) {
            (Box::new(LogPlace::new(path.clone())), Kind::Log)
        } else {
            (Box::new(FilePlace::new(path.clone())), Kind::File)
        };
        Self { desk: Arc::new(Desk::new(path, place)), kind }
    }

    pub(crate) fn keeper(&self) -> Arc<dyn Keeper> {
        Arc::clone(&self.desk) as Arc<dyn Keeper>
    }

    async fn keep(self, Watched { driver, .. }: Watched) {
        let Self { desk, kind } = self;
        let mut phase = driver.phase();
        let mut changes = driver.changes();
        let mut reloads = driver.watch_reloads();
        let mut kept: Option<Kept> = None;
        let mut is_hanging = false;
        // The phase that is watched follows that of the engine: what is looked at is at least as new.
        while *phase.borrow_and_update() != Phase::Stopped {
            if kind == Kind::Log && *phase.borrow() < Phase::Draining {
                let _ = phase.changed().await;
                continue;
            }
            changes.borrow_and_update();
            reloads.borrow_and_update();
            let began = Instant::now();
            let (now, standing) = driver.standing();
            let took = began.elapsed();
            if kept.as_ref().is_none_or(|kept| kept.is_old(&standing, began, desk.is_behind())) {
                let moment = Moment::new(now, standing.clone(), None);
                desk.put(&driver, Job::Keep(Box::new(moment)), Done::Nobody);
                kept = Some(Kept { standing: standing.clone(), at: began });
            }
            if !is_hanging && desk.silence() > HANGS {
                is_hanging = true;
                driver
                    .say(desk.trouble(format!("its file system has not answered for {} s", HANGS.as_secs())));
            }
            let pause = (took * SHARE).clamp(BURST, SELDOM);
            if standing.phase == Phase::Running {
                let is_reload = async {
                    first_of(&mut [
                        pin!(async {
                            let _ = phase.changed().await;
                            false
                        }),
                        pin!(async {
                            let _ = reloads.changed().await;
                            true
                        }),
                    ])
                    .await
                };
                if timeout(SELDOM, is_reload).await == Ok(true) {
                    sleep(pause).await;
                }
                continue;
            }
            // Not through the end of the application.
            let _ = timeout(pause, phase.wait_for(|phase| *phase == Phase::Stopped)).await;
            if *phase.borrow() == Phase::Stopped {
                break;
            }
            let look = if standing.phase == Phase::Starting { SELDOM } else { OFTEN };
            let _ = timeout(
                look.saturating_sub(pause),
                first_of(&mut [pin!(phase.changed()), pin!(changes.changed())]),
            )
            .await;
        }
        let (done, is_done) = oneshot::channel();
        let report = driver.plain_report();
        let trouble = words::of_an_end(&report, report.exit_code);
        desk.put(&driver, Job::End { trouble }, Done::Task(done));
        // The caller has only so much patience.
        let _ = is_done.await;
    }
}

impl Endpoint for BlackBox {
    fn serve(self: Box<Self>, watched: Watched) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.keep(watched))
    }

    fn role(&self) -> Role {
        Role::Tells
    }
}

/// The last record.
struct Kept {
    standing: Standing,
    at: Instant,
}

impl Kept {
    /// Whether there is to be a new one. During the start and the stop time runs, and the record says how much is left.
    fn is_old(&self, standing: &Standing, now: Instant, is_behind: bool) -> bool {
        let time_runs = standing.phase != Phase::Running;
        *standing != self.standing || ((time_runs || is_behind) && now - self.at >= SELDOM)
    }
}
