//! The JSON of a report is read, or refused with words; what is read can be shown in every form, and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifecycle::private::program::read_report;

fuzz_target!(|text: &str| {
    match read_report(text) {
        Ok(report) => {
            let json = report.to_json();
            assert!(read_report(&json).is_ok(), "{json}");
            assert!(report.to_svg().starts_with("<svg"));
            assert!(!report.to_html().is_empty() && !report.to_timeline().is_empty());
        }
        Err(words) => assert!(!words.is_empty()),
    }
});
