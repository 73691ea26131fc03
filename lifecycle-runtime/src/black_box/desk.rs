//! Where the control thread leaves what is to be written, and the thread that writes it.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::moment::{Forced, Moment};
use super::words;
use crate::driver::{Driver, Keeper, lock};
use crate::engine::notice::{Killing, Notice};
use crate::process::thread::{self, AtWork};

/// Where the records of one application go. Everything here may block.
pub(super) trait Place: Send {
    /// Puts a record there, in place of the last one.
    fn keep(&mut self, moment: &Moment) -> Result<(), String>;

    /// The application has ended in order, perhaps with trouble.
    fn end(&mut self, trouble: Option<&str>) -> Result<(), String>;

    /// What became of the last life, if that was found and is not told yet.
    fn last_life(&mut self) -> Option<String> {
        None
    }
}

/// What there is to do.
pub(super) enum Job {
    Keep(Box<Moment>),
    /// Nothing comes after that, unless the process is ended from outside.
    End {
        trouble: Option<String>,
    },
}

/// Who waits until a job is done: it is dropped then, or when it is replaced.
pub(super) enum Done {
    Nobody,
    Task(#[allow(dead_code, reason = "its drop is the message")] oneshot::Sender<()>),
    Thread(#[allow(dead_code, reason = "its drop is the message")] AtWork),
}

/// Room for one job. One that comes before the last was begun replaces it, so that nobody waits here.
pub(super) struct Desk {
    path: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    /// Until the thread has it.
    place: Option<Box<dyn Place>>,
    next: Option<(Job, Done)>,
    /// Since when the thread has been at one job.
    busy_since: Option<Instant>,
    /// The last job could not be done.
    is_behind: bool,
    /// The process is being ended: there is nothing more to keep.
    is_final: bool,
    /// Nobody brings anything any more, or nobody is there to do it.
    is_closed: bool,
}

impl Desk {
    pub(super) fn new(path: PathBuf, place: Box<dyn Place>) -> Self {
        let state = State {
            place: Some(place),
            next: None,
            busy_since: None,
            is_behind: false,
            is_final: false,
            is_closed: false,
        };
        Self { path, shared: Arc::new(Shared { state: Mutex::new(state), news: Condvar::new() }) }
    }

    /// Hands over a job. It does not block. The first job starts the thread.
    pub(super) fn put(&self, driver: &Arc<Driver>, job: Job, done: Done) {
        let place = {
            let mut state = lock(&self.shared.state);
            if state.is_final || state.is_closed {
                return;
            }
            state.is_final = matches!(&job, Job::Keep(moment) if moment.forced.is_some());
            state.next = Some((job, done));
            state.place.take()
        };
        self.shared.news.notify_one();
        if let Some(place) = place {
            self.start(driver, place);
        }
    }

    fn start(&self, driver: &Arc<Driver>, place: Box<dyn Place>) {
        let writer = Writer {
            path: self.path.clone(),
            place,
            driver: Arc::downgrade(driver),
            shared: Arc::clone(&self.shared),
        };
        let started = thread::start("lifecycle-box", move || writer.work());
        if let Err(error) = started {
            self.shared.close(false);
            driver.say(self.trouble(format!("no thread could be started: {error}")));
        }
    }

    /// Whether the last job could not be done, and should be tried again.
    pub(super) fn is_behind(&self) -> bool {
        lock(&self.shared.state).is_behind
    }

    /// For how long the thread has been at one job.
    pub(super) fn silence(&self) -> Duration {
        lock(&self.shared.state).busy_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(super) fn trouble(&self, why: String) -> Notice {
        Notice::NoBlackBox { path: self.path.clone(), why }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let has_thread = lock(&self.shared.state).place.is_none();
        self.shared.close(has_thread);
    }
}

impl Keeper for Desk {
    fn keep_last(&self, driver: &Arc<Driver>, why: Killing, exit_code: u8, done: AtWork) {
        let (now, standing) = driver.standing();
        let trouble = words::of_an_end(&driver.plain_report(), exit_code);
        let moment = Moment::new(now, standing, Some(Forced { why, trouble }));
        self.put(driver, Job::Keep(Box::new(moment)), Done::Thread(done));
    }
}

impl Shared {
    /// A thread that is there still does what was put last.
    fn close(&self, has_thread: bool) {
        let left = {
            let mut state = lock(&self.state);
            state.is_closed = true;
            let next = if has_thread { None } else { state.next.take() };
            (next, state.place.take())
        };
        drop(left);
        self.news.notify_one();
    }

    /// The next job; nothing once there will be none.
    fn next(&self) -> Option<(Job, Done)> {
        let mut state = lock(&self.state);
        loop {
            if let Some(next) = state.next.take() {
                state.busy_since = Some(Instant::now());
                return Some(next);
            }
            if state.is_closed {
                return None;
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, is_behind: bool) {
        let mut state = lock(&self.state);
        state.is_behind = is_behind;
        state.busy_since = None;
    }
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    place: Box<dyn Place>,
    driver: Weak<Driver>,
    shared: Arc<Shared>,
}

impl Writer {
    fn work(mut self) {
        let mut has_warned = false;
        while let Some((job, done)) = self.shared.next() {
            let result = match &job {
                Job::Keep(moment) => self.place.keep(moment),
                Job::End { trouble } => self.place.end(trouble.as_deref()),
            };
            self.shared.finish(result.is_err());
            if let Some(words) = self.place.last_life() {
                self.say(Notice::LastLife(words));
            }
            if let (Err(why), false) = (result, has_warned) {
                has_warned = true;
                self.say(Notice::NoBlackBox { path: self.path.clone(), why });
            }
            drop(done);
        }
    }

    fn say(&self, notice: Notice) {
        if let Some(driver) = self.driver.upgrade() {
            driver.say(notice);
        }
    }
}
