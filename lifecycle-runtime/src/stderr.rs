//! Words that must reach stderr if they can, and must not hold up anything if they cannot.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Writing to a full pipe blocks; nobody waits longer than this for it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes `text`, on a thread that is left behind if stderr blocks. An stderr that is closed is no error.
pub(crate) fn write(text: String) {
    let (done, is_done) = mpsc::sync_channel::<()>(1);
    let written = thread::Builder::new().name("lifecycle-stderr".to_owned()).spawn(move || {
        let _ = io::stderr().write_all(text.as_bytes());
        drop(done);
    });
    if written.is_ok() {
        // Either the thread lets go of its end, or time is up.
        let _ = is_done.recv_timeout(PATIENCE);
    }
}
