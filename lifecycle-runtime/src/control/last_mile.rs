//! The end of a process whose `main` returned the report of an application.

use std::fmt;
use std::sync::Arc;

use super::{Control, Handling};
use crate::driver::Driver;
use crate::model::report::Exit;

/// The application has ended, and the program around it went on; now its `main` has returned the report.
pub(crate) struct LastMile {
    driver: Arc<Driver>,
}

impl LastMile {
    pub(crate) fn make(driver: Arc<Driver>) -> Arc<dyn Exit> {
        Arc::new(Self { driver })
    }
}

impl Exit for LastMile {
    fn begin(&self) {
        self.driver.process_ends();
        // Without a thread for them, signals end the process by themselves.
        if let Ok(control) = Control::start(Handling::Ours) {
            control.take_to_the_end(&self.driver);
        }
    }
}

impl fmt::Debug for LastMile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastMile").finish_non_exhaustive()
    }
}
