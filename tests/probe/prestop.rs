//! `/prestop`: the drain delay before the signal.

use std::thread;
use std::time::{Duration, Instant};

use lifecycle_tests::harness::http::{answered, connect};
use rustix::process::Signal;

use crate::client::{get, get_until, request};
use crate::process::start;

#[test]
fn it_makes_unready_and_answers_when_the_delay_is_over() {
    let process = start(&[("PROBE", "prestop"), ("LIFECYCLE_DRAIN_DELAY", "3s")]);
    let probe = process.probe();
    process.line("body runs");
    assert_eq!(get(probe, "/readyz").code, 200);
    let head = request(probe, "HEAD", "/prestop");
    assert_eq!((head.code, head.header("allow")), (405, Some("GET")));
    assert_eq!(request(probe, "OPTIONS", "/prestop").code, 405);
    assert_eq!(get(probe, "/readyz").code, 200, "HEAD and OPTIONS change nothing");
    let began = Instant::now();
    let hook = thread::spawn(move || (get(probe, "/prestop").code, began.elapsed()));
    let unready = get_until(probe, "/readyz", |answer| answer.code == 503);
    assert_eq!(unready.body, "about to stop\n");
    assert_eq!(get(probe, "/servingz").code, 200, "the kubelet has to let traffic come");
    assert!(began.elapsed() < Duration::from_millis(2_900), "it is the first thing that happens");
    assert!(get(probe, "/status").body.contains(r#""phase":"running""#), "the application goes on");
    let Ok((code, took)) = hook.join() else { panic!("no answer") };
    assert_eq!(code, 200);
    assert!(took >= Duration::from_secs(3), "it answered after {took:?}");
    process.line("a preStop hook announces the stop");
    // What was waited for is not waited for again.
    let began = Instant::now();
    process.signal(Signal::TERM);
    process.line("server drains");
    assert!(began.elapsed() < Duration::from_millis(2_900), "the turns began after {:?}", began.elapsed());
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn a_signal_that_comes_early_leaves_the_rest_of_the_delay() {
    let process = start(&[("PROBE", "prestop"), ("LIFECYCLE_DRAIN_DELAY", "2s")]);
    let probe = process.probe();
    process.line("body runs");
    let began = Instant::now();
    let hook = thread::spawn(move || get(probe, "/prestop").code);
    get_until(probe, "/readyz", |answer| answer.code == 503);
    process.signal(Signal::TERM);
    process.line("server drains");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(4), "it was {took:?}");
    assert_eq!(hook.join().ok(), Some(200));
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

/// The drain delay has begun, so that clients are to go elsewhere (rule D4).
#[test]
fn from_then_on_responses_ask_clients_to_leave() {
    let process = start(&[("PROBE", "prestop"), ("WEB", "serve"), ("LIFECYCLE_DRAIN_DELAY", "3s")]);
    let probe = process.probe();
    let web = process.web();
    process.order("go request");
    process.line("body runs");
    let mut client = connect(web);
    assert!(!answered(client.get("/slow")).says_close());
    let hook = thread::spawn(move || get(probe, "/prestop").code);
    get_until(probe, "/readyz", |answer| answer.code == 503);
    assert!(answered(client.get("/slow")).says_close());
    client.wait_until_closed();
    process.stop();
    let _ = hook.join();
}

#[test]
fn it_has_nothing_to_wait_for_while_the_application_does_not_run() {
    let process = start(&[("PROBE", "prestop"), ("LIFECYCLE_DRAIN_DELAY", "8s"), ("HOLD", "acquire")]);
    let probe = process.probe();
    process.line("acquiring Db");
    let began = Instant::now();
    assert_eq!(get(probe, "/prestop").code, 200);
    assert!(began.elapsed() < Duration::from_secs(2));
    process.order("go acquire");
    process.line("body runs");
    assert_eq!(get(probe, "/readyz").code, 200);
}
