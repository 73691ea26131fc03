//! Ends the process when nothing else does (rule D9): a plain thread that takes no lock of ours and needs nobody's
//! help. It is armed when the shutdown begins. Where the library made the runtime, it stays armed until the process is
//! gone; elsewhere until the report was handed over, since the process may have a life after that.

use std::io::{self, Write};
use std::sync::Weak;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::driver::Driver;

/// This long after the deadline, all that could be done was done.
pub(crate) const AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// What the last words may take: stderr may be full, with nobody reading.
const PATIENCE: Duration = Duration::from_millis(250);

/// The code for "cut off by the deadline", where nobody is left to say more.
const CUT_OFF: u8 = 124;

/// A thread that ends the process at a given time, unless it is told otherwise before.
#[derive(Debug)]
pub(crate) struct Watchdog {
    orders: Sender<Order>,
}

#[derive(Debug)]
enum Order {
    Arm(Instant, Weak<Driver>),
    Disarm,
}

impl Watchdog {
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, received) = mpsc::channel();
        thread::Builder::new().name("lifecycle-watchdog".to_owned()).spawn(move || watch(&received))?;
        Ok(Self { orders })
    }

    /// Ends the process at `at`, with the last words of `driver`. Arming again changes the time.
    pub(crate) fn arm(&self, at: Instant, driver: Weak<Driver>) {
        // The thread listens for as long as this exists.
        let _ = self.orders.send(Order::Arm(at, driver));
    }

    pub(crate) fn disarm(&self) {
        let _ = self.orders.send(Order::Disarm);
    }
}

fn watch(orders: &Receiver<Order>) {
    let mut armed: Option<(Instant, Weak<Driver>)> = None;
    loop {
        let order = match &armed {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((at, _)) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match (order, &armed) {
            (Ok(Order::Arm(at, driver)), _) => armed = Some((at, driver)),
            (Ok(Order::Disarm), _) => armed = None,
            (Err(RecvTimeoutError::Timeout), Some((_, driver))) => end(driver.clone()),
            // Nobody can disarm it any more.
            (Err(RecvTimeoutError::Disconnected), Some((at, driver))) => {
                thread::sleep(at.saturating_duration_since(Instant::now()));
                end(driver.clone());
            }
            (Err(_), None) => return,
        }
    }
}

/// Ends the process without exit handlers and destructors, which may be what it hangs in. The last words are found
/// and written by a thread that may be left behind: they take the engine's lock, and stderr.
fn end(driver: Weak<Driver>) -> ! {
    let (sender, words) = mpsc::channel();
    let speaker = move || {
        let (text, code) = match driver.upgrade() {
            Some(driver) => driver.last_words(),
            None => ("lifecycle: the process did not end by itself: ending it now\n".to_owned(), CUT_OFF),
        };
        let _ = sender.send(code);
        let _ = io::stderr().write_all(text.as_bytes());
    };
    let mut code = CUT_OFF;
    if thread::Builder::new().name("lifecycle-last-words".to_owned()).spawn(speaker).is_ok() {
        let until = Instant::now() + PATIENCE;
        // The code comes first; then either the sender is dropped, since all is written, or time is up.
        while let Ok(said) = words.recv_timeout(until.saturating_duration_since(Instant::now())) {
            code = said;
        }
    }
    signal_hook::low_level::exit(code.into())
}
