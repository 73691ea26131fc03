//! Who should wait for the end of an application.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::body::Body;
use crate::driver::{Driver, lock};
use crate::engine::event::Event;
use crate::engine::settings::Ending;
use crate::model::report::Report;

/// How long the end waits for the record to be written: a disk may be slow, and must not keep the process.
const RECORD: Duration = Duration::from_secs(1);

/// The one that should wait for the end of an application, be it `#[lifecycle::main]`, a call of `run`, or the handles
/// that `start` gave. All others are visitors.
///
/// When it is dropped before the end, nobody is left to wait: the application stops at once and in a hurry. Here alone
/// the watchdog is retired: once nobody waits, or everything has ended, the process is not ours to end. Where the
/// application is the whole process, that is never the case.
pub(crate) struct Owner {
    driver: Arc<Driver>,
    /// The body of `main`, if the host itself is the body.
    host: Mutex<Option<Body>>,
}

impl Owner {
    pub(crate) fn new(driver: &Arc<Driver>, host: Option<Body>) -> Self {
        Self { driver: Arc::clone(driver), host: Mutex::new(host) }
    }

    /// Waits for the end, and tells what happened. The application around us has nothing else to do.
    ///
    /// In a box, so that it is made here, and not in each program.
    pub(crate) fn end(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>> {
        Box::pin(async {
            let host = lock(&self.host).take();
            if let Some(host) = host {
                host.complete();
            }
            self.driver.end().await;
            self.driver.keep_record(RECORD);
            self.driver.report().ends_with(self.driver.exit_of_main())
        })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.driver.ending() == Ending::Application {
            self.driver.retire_watchdog();
        }
        if !self.driver.milestones().ended.is_raised() {
            self.driver.call(Event::OwnerDropped);
        }
        self.driver.close_errors();
    }
}
