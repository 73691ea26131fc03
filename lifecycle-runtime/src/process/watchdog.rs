//! Ends the process when nothing else does (rule D9): a plain thread that takes no lock but its own, which nobody holds
//! for longer than it takes to read or write it, and needs nobody's help. It is armed when the shutdown begins. Where the
//! process is the application, it stays armed until the process is gone; elsewhere until the application is let go of,
//! since the program around it may have a life after that.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::frozen::{PULSE, was_frozen};
use super::{lock, stderr, thread};
use crate::model::exit_code::CUT_OFF;

/// How long after the deadline the process is ended. By then, everything that could be done has been done.
pub(crate) const AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// A thread that ends the process at a given time, unless it is retired before.
pub(crate) struct Watchdog(Arc<Shared>);

#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    /// The orders have changed.
    news: Condvar,
}

/// What the thread is to do: nothing yet, at first.
#[derive(Default)]
struct Orders {
    armed: Option<Armed>,
    is_retired: bool,
    /// Nobody is left who could change the orders.
    is_final: bool,
}

/// When the process is to be ended.
struct Armed {
    at: Instant,
    words: LastWords,
    /// When somebody looked at the clock last. There is no time between two looks in which the process could be frozen
    /// without being noticed (rule D13).
    looked: Instant,
}

/// Finds what is to be said at the end, and the exit code; nothing if nobody is left who knows.
type LastWords = Box<dyn FnOnce() -> Option<(String, u8)> + Send>;

impl Watchdog {
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        thread::start("lifecycle-watchdog", move || watch(&watched))?;
        Ok(Self(shared))
    }

    /// Ends the process at `at`, with these last words. Arming again changes the time.
    pub(crate) fn arm(&self, at: Instant, words: impl FnOnce() -> Option<(String, u8)> + Send + 'static) {
        let armed = Armed { at, words: Box::new(words), looked: Instant::now() };
        let before = lock(&self.0.orders).armed.replace(armed);
        self.0.news.notify_one();
        drop(before);
    }

    /// Ends the thread: from now on it never ends the process, whatever it is told.
    pub(crate) fn retire(&self) {
        lock(&self.0.orders).is_retired = true;
        self.0.news.notify_one();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        lock(&self.0.orders).is_final = true;
        self.0.news.notify_one();
    }
}

fn watch(shared: &Shared) {
    let mut orders = lock(&shared.orders);
    while !orders.is_retired {
        let now = Instant::now();
        if let Some(armed) = orders.armed.take_if(|armed| armed.is_due(now)) {
            drop(orders);
            end(armed.words);
        }
        let pulse = match &orders.armed {
            Some(armed) => (armed.at - now).min(PULSE),
            None if orders.is_final => return,
            None => Duration::MAX,
        };
        orders = shared.news.wait_timeout(orders, pulse).unwrap_or_else(PoisonError::into_inner).0;
    }
}

impl Armed {
    /// Looks at the clock: whether the process is to be ended now.
    fn is_due(&mut self, now: Instant) -> bool {
        if was_frozen(now - self.looked) {
            // The application has a moment to see it too, and to arm this for later.
            self.at = self.at.max(now + AFTER_DEADLINE);
        }
        self.looked = now;
        self.at <= now
    }
}

/// Ends the process without exit handlers and destructors, which may be what it hangs in. The last words are found on
/// a thread that may be left behind: finding them takes the engine's lock.
fn end(words: LastWords) -> ! {
    let code = stderr::write_last(Box::new(|hand_over| match words() {
        Some((text, code)) => {
            hand_over(code);
            text
        }
        None => "lifecycle: the process did not end by itself: ending it now\n".to_owned(),
    }));
    signal_hook::low_level::exit(code.unwrap_or(CUT_OFF).into())
}
