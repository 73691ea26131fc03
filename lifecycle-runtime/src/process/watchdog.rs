//! Ends the process when nothing else does (rule D9): a plain thread that takes no lock of ours and needs nobody's
//! help. It is armed when the shutdown begins. Where the process is the application, it stays armed until the process
//! is gone; elsewhere until the application is let go of, since the program around it may have a life after that.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::frozen::{PULSE, was_frozen};
use super::{stderr, thread};
use crate::model::exit_code::CUT_OFF;

/// How long after the deadline the process is ended. By then, everything that could be done has been done.
pub(crate) const AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// A thread that ends the process at a given time, unless it is retired before.
#[derive(Debug)]
pub(crate) struct Watchdog {
    orders: Sender<Order>,
}

/// Finds what is to be said at the end, and the exit code; nothing if nobody is left who knows.
type LastWords = Box<dyn FnOnce() -> Option<(String, u8)> + Send>;

enum Order {
    Arm(Armed),
    Retire,
}

/// When the process is to be ended.
struct Armed {
    at: Instant,
    words: LastWords,
    /// When somebody looked at the clock last. There is no time between two looks in which the process could be frozen
    /// without being noticed (rule D13).
    looked: Instant,
}

impl Watchdog {
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, received) = mpsc::channel();
        thread::start("lifecycle-watchdog", move || watch(&received))?;
        Ok(Self { orders })
    }

    /// Ends the process at `at`, with these last words. Arming again changes the time.
    pub(crate) fn arm(&self, at: Instant, words: impl FnOnce() -> Option<(String, u8)> + Send + 'static) {
        // The thread listens until it is retired; then it is not to be armed again.
        let _ = self.orders.send(Order::Arm(Armed { at, words: Box::new(words), looked: Instant::now() }));
    }

    /// Ends the thread: from now on it never ends the process, whatever it is told.
    pub(crate) fn retire(&self) {
        let _ = self.orders.send(Order::Retire);
    }
}

fn watch(orders: &Receiver<Order>) {
    let Ok(Order::Arm(mut armed)) = orders.recv() else { return };
    loop {
        let pulse = armed.at.saturating_duration_since(armed.looked).min(PULSE);
        match orders.recv_timeout(pulse) {
            Ok(Order::Arm(again)) => armed = again,
            Ok(Order::Retire) => return,
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody can retire it any more.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(pulse),
        }
        let now = Instant::now();
        if was_frozen(now - armed.looked) {
            // The application has a moment to see it too, and to arm this for later.
            armed.at = armed.at.max(now + AFTER_DEADLINE);
        }
        armed.looked = now;
        if armed.at <= now {
            end(armed.words);
        }
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
