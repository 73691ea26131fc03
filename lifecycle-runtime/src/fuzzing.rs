//! What takes bytes from outside, for `tests/fuzz`. There in a build for fuzzing only.

use std::ffi::OsString;
use std::time::Duration;

use crate::launch::config::Options;
use crate::launch::environment::Environment;
use crate::model::duration::parse;
use crate::model::platform::grace;

/// Reads a duration, or says why it is not one.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse(text).map_err(|error| error.to_string())
}

/// What a process with these variables would be told before it starts: what is refused, and whether anything is.
pub fn configuration(variables: Vec<(OsString, OsString)>) -> Result<(), Vec<String>> {
    let environment: Environment = variables.into_iter().collect();
    let platform = grace(|name| environment.get(name), |_| false);
    match Options::default().resolve(&environment, platform) {
        Ok(config) => {
            assert!(!config.shutdown_timeout.is_zero(), "nothing could be released");
            Ok(())
        }
        Err(refused) => Err(refused.iter().map(|failure| failure.cause().to_string()).collect()),
    }
}

/// Whether NOTIFY_SOCKET may have this value.
#[cfg(all(feature = "systemd", target_os = "linux"))]
pub fn notify_address(value: &std::ffi::OsStr) -> bool {
    crate::systemd::address(value).is_ok()
}
