//! Every environment is accepted, or refused with words that name the variables.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;

// One variable in each line, as NAME=VALUE.
fuzz_target!(|bytes: &[u8]| {
    let split = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((text(&line[..at]), text(&line[at + 1..])))
    };
    let variables = bytes.split(|byte| *byte == b'\n').filter_map(split).collect();
    if let Err(refused) = lifecycle::fuzzing::configuration(variables) {
        assert!(!refused.is_empty());
        for words in refused {
            assert!(words.contains("LIFECYCLE_") || words.contains("_timeout"), "{words}");
        }
    }
});
