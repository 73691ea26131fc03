//! The checks of resources: when they run, how often, and what they do to readiness.

use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::client::{get, get_until};
use crate::process::start;

#[test]
fn many_callers_share_one_run() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check hang");
    let began = Instant::now();
    let callers: Vec<_> = (0..40).map(|_| thread::spawn(move || get(probe, "/readyz").code)).collect();
    process.line("checking Db");
    process.order("go check");
    for caller in callers {
        assert_eq!(caller.join().ok(), Some(200));
    }
    assert_eq!(get(probe, "/readyz").code, 200);
    // One run, and what it found is remembered for a second.
    let most = 1 + began.elapsed().as_secs();
    let printed = process.stop();
    assert!(printed.matches("checking Db").count() as u64 <= most, "one run was enough:\n{printed}");
}

#[test]
fn a_failing_check_makes_unready_until_it_passes() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check fail");
    let answer = get(probe, "/readyz");
    assert_eq!((answer.code, answer.body.as_str()), (503, "the check fails of Db\n"));
    assert_eq!(get(probe, "/livez").code, 200, "a restart would not help");
    process.line("the check of Db fails");
    process.order("check panic");
    get_until(probe, "/status", |answer| {
        answer.body.contains("panicked") || get(probe, "/readyz").code == 200
    });
    process.order("check pass");
    get_until(probe, "/readyz", |answer| answer.code == 200);
    process.line("the check of Db passes again");
    process.stop();
}

#[test]
fn a_check_that_takes_too_long_fails_in_time() {
    let process = start(&[("PROBE", "hasty")]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check hang");
    let began = Instant::now();
    assert_eq!(get(probe, "/readyz").code, 503);
    assert!(began.elapsed().as_millis() >= 300, "it has 300 ms, and failed after {:?}", began.elapsed());
    assert!(get(probe, "/status").body.contains(r#""result":"timed out""#));
    process.stop();
}

#[test]
fn a_check_that_blocks_its_thread_is_not_begun_again() {
    let process = start(&[("PROBE", "hasty")]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check block");
    for _ in 0..3 {
        assert_eq!(get(probe, "/readyz").code, 503);
        let at = |text: &str| {
            text.split(r#""at":""#).nth(1).map(|rest| rest.split('"').next().unwrap_or("").to_owned())
        };
        let before = at(&get(probe, "/status").body);
        get_until(probe, "/status", |answer| get(probe, "/readyz").code == 503 && at(&answer.body) != before);
    }
    assert_eq!(get(probe, "/livez").code, 200, "the other worker works");
    process.order("check pass");
    process.order("go check");
    get_until(probe, "/readyz", |answer| answer.code == 200);
    process.stop();
}

#[test]
fn a_resource_that_is_optional_does_not_count() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    process.order("extra fails");
    assert_eq!(get(probe, "/readyz").code, 200);
    process.line("the check of Extra fails");
    assert!(get(probe, "/status").body.contains(r#""result":"failed""#));
    process.stop();
}

#[test]
fn a_resource_is_not_released_under_a_check_that_blocks() {
    let process = start(&[("PROBE", "hasty")]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check block");
    assert_eq!(get(probe, "/readyz").code, 503);
    process.signal(Signal::TERM);
    get_until(probe, "/status", |answer| answer.body.contains(r#""name":"Db","state":"draining""#));
    process.order("go check");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("released Db"), "{printed}");
}

/// A check holds its resource: if the stop did not wait for its end, there would be a handle that outlives it.
#[test]
fn a_check_under_way_ends_with_the_trigger_and_before_the_release() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check hang");
    let caller = thread::spawn(move || get(probe, "/readyz").code);
    process.line("checking Db");
    process.signal(Signal::TERM);
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains("has been released, but"), "{printed}");
    assert_ne!(caller.join().ok(), Some(200));
}
