//! The control of an application that neither signals nor endpoints concern: time alone, from a thread that needs no
//! runtime. It costs a fraction of one that has I/O.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::driver::Driver;
use crate::engine::event::Event;
use crate::process;
use crate::process::stderr::PATIENCE;

/// Starts the thread.
pub(super) fn start(driver: &Arc<Driver>) -> io::Result<()> {
    let driver = Arc::clone(driver);
    process::thread::start("lifecycle-control", move || control(&driver))
}

fn control(driver: &Arc<Driver>) {
    let mut wake = driver.wake();
    let ended = &driver.milestones().ended;
    loop {
        let at = *wake.borrow_and_update();
        let until = at.map(|at| (driver.origin() + at).into_std());
        match wait(until, ended.run_until(wake.changed())) {
            Some(None) => break,
            Some(Some(_)) => {}
            None => driver.send(Event::Tick),
        }
    }
    // Those that wait for the end conclude it themselves, as soon as everything is said. There may be nobody.
    let finished = driver.milestones().finished.raised();
    if wait(Some(Instant::now() + PATIENCE), finished).is_none() && driver.may_conclude() {
        driver.conclude();
    }
}

/// Waits for a future, at most until then.
fn wait<F: Future>(until: Option<Instant>, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = Pin::as_mut(&mut future).poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(left) if left.is_zero() => return None,
            Some(left) => thread::park_timeout(left),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
