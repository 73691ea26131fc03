//! A duration is read exactly, or refused with words.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match lifecycle::fuzzing::duration(text) {
        Ok(duration) => {
            // Written in its smallest units it is the same.
            let millis = duration.as_millis();
            let rest = duration.subsec_nanos() % 1_000_000;
            let again = format!("{millis}.{rest:06}ms");
            assert_eq!(lifecycle::fuzzing::duration(&again), Ok(duration), "{text:?} as {again}");
            assert!(text.contains(|letter: char| letter.is_ascii_digit()), "{text:?} has no number");
        }
        Err(words) => assert!(!words.is_empty()),
    }
});
