//! Whatever NOTIFY_SOCKET holds is an address or an error.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let is_address = lifecycle::fuzzing::notify_address(OsStr::from_bytes(bytes));
    assert!(!is_address || bytes.len() <= 108, "longer than any address of a socket");
});
