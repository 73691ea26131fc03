//! What is answered in which phase, and in which form.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{get, get_until, parse, request, send};
use crate::process::start;

#[test]
fn during_the_start() {
    let process = start(&[("HOLD", "acquire")]);
    let probe = process.probe();
    process.line("acquiring Db");
    assert_eq!(get(probe, "/livez").code, 200);
    let ready = get(probe, "/readyz");
    assert_eq!((ready.code, ready.body.as_str()), (503, "starting\n"));
    let serving = get(probe, "/servingz");
    assert_eq!((serving.code, serving.body.as_str()), (503, "starting\n"));
    assert_eq!(get(probe, "/startupz").code, 503);
    assert!(get(probe, "/status").body.contains(r#""phase":"starting""#));
    process.order("go acquire");
    process.line("body runs");
    assert_eq!(get(probe, "/livez").code, 200);
    assert_eq!(get(probe, "/readyz").code, 200);
    assert_eq!(get(probe, "/servingz").code, 200);
    assert_eq!(get(probe, "/startupz").code, 200);
    process.stop();
}

#[test]
fn readiness_is_over_with_the_trigger_while_the_drain_goes_on() {
    let process = start(&[("HOLD", "drain"), ("LIFECYCLE_DRAIN_DELAY", "3s")]);
    let probe = process.probe();
    process.line("body runs");
    assert_eq!(get(probe, "/readyz").code, 200);
    process.signal(Signal::TERM);
    let unready = get_until(probe, "/readyz", |answer| answer.code == 503);
    assert_eq!(unready.body, "draining\n");
    process.line("server drains");
    assert_eq!(get(probe, "/readyz").body, "stopping\n");
    assert_eq!(get(probe, "/livez").code, 200);
    assert_eq!(get(probe, "/startupz").code, 200, "it was started once");
    let status = get(probe, "/status").body;
    assert!(status.contains(r#""phase":"stopping""#) && status.contains(r#""left_ms":1"#), "{status}");
    process.order("go drain");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn serving_goes_on_until_the_drain_delay_is_over() {
    let process = start(&[("HOLD", "drain"), ("LIFECYCLE_DRAIN_DELAY", "5s")]);
    let probe = process.probe();
    process.line("body runs");
    process.signal(Signal::TERM);
    get_until(probe, "/readyz", |answer| answer.code == 503);
    let serving = get(probe, "/servingz");
    assert_eq!((serving.code, serving.body.as_str()), (200, "serving\n"));
    process.line("server drains");
    let stopping = get(probe, "/servingz");
    assert_eq!((stopping.code, stopping.body.as_str()), (503, "stopping\n"));
    process.order("go drain");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

/// There is a delay for whatever makes a running application stop (rule D4), so there is traffic in it.
#[test]
fn serving_goes_on_in_the_delay_of_a_stop_that_no_signal_asked_for() {
    for (order, why) in [("shut down", "shutdown requested"), ("serving fails", "something failed")] {
        let process = start(&[("LIFECYCLE_DRAIN_DELAY", "5s")]);
        let probe = process.probe();
        process.line("body runs");
        process.order(order);
        get_until(probe, "/readyz", |answer| answer.body == "draining\n");
        let serving = get(probe, "/servingz");
        assert_eq!((serving.code, serving.body.as_str()), (200, "serving\n"), "{order}");
        assert!(get(probe, "/status").body.contains(why), "{order}");
        let (code, printed) = process.end();
        assert_eq!(code, Some(u8::from(order != "shut down").into()), "{printed}");
    }
}

/// With nothing left to live for, there is no delay (rule D4), and a failure ends one.
#[test]
fn serving_is_over_with_the_delay() {
    let process = start(&[("HOLD", "release"), ("LIFECYCLE_DRAIN_DELAY", "8s")]);
    let probe = process.probe();
    process.line("body runs");
    process.order("shut down");
    get_until(probe, "/readyz", |answer| answer.body == "draining\n");
    assert_eq!(get(probe, "/servingz").code, 200);
    process.order("serving fails");
    process.line("Db waits");
    let over = get(probe, "/servingz");
    assert_eq!((over.code, over.body.as_str()), (503, "stopping\n"));
    process.order("go release");
    assert_eq!(process.end().0, Some(1));
}

#[test]
fn a_failing_check_ends_serving_while_the_application_runs_and_not_during_the_drain_delay() {
    let process = start(&[("HOLD", "drain"), ("LIFECYCLE_DRAIN_DELAY", "5s")]);
    let probe = process.probe();
    process.line("body runs");
    process.order("check fail");
    let failing = get(probe, "/servingz");
    assert_eq!((failing.code, failing.body.as_str()), (503, "the check fails of Db\n"));
    process.signal(Signal::TERM);
    get_until(probe, "/readyz", |answer| answer.body == "draining\n");
    assert_eq!(get(probe, "/servingz").code, 200, "nothing is checked any more");
    process.order("go drain");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn liveness_ends_when_every_worker_is_stuck_and_comes_back() {
    let process = start(&[("PROBE", "hasty")]);
    let probe = process.probe();
    process.line("body runs");
    assert_eq!(get(probe, "/livez").code, 200);
    let began = Instant::now();
    process.order("block workers");
    let stuck = get_until(probe, "/livez", |answer| answer.code == 503);
    assert!(stuck.body.starts_with("stuck for"), "{stuck:?}");
    assert!(began.elapsed() >= Duration::from_millis(1000), "it was stuck for {:?} only", began.elapsed());
    assert_eq!(get(probe, "/startupz").code, 200);
    assert!(get(probe, "/status").body.contains(r#""phase":"running""#));
    let unready = get(probe, "/readyz");
    assert_eq!(unready.code, 503, "whoever cannot work is not ready: {unready:?}");
    process.order("go workers");
    get_until(probe, "/livez", |answer| answer.code == 200);
    get_until(probe, "/readyz", |answer| answer.code == 200);
    process.stop();
}

#[test]
fn stuck_workers_do_not_make_a_stop_look_dead() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    process.order("block workers");
    get_until(probe, "/livez", |answer| answer.code == 503);
    process.signal(Signal::TERM);
    get_until(probe, "/livez", |answer| answer.code == 200);
    assert_eq!(get(probe, "/readyz").code, 503);
}

#[test]
fn the_form_of_an_answer() {
    let process = start(&[]);
    let probe = process.probe();
    process.line("body runs");
    for path in ["/livez", "/readyz", "/servingz", "/startupz", "/status", "/nothing"] {
        let answer = get(probe, path);
        let content_type = if path == "/status" { "application/json" } else { "text/plain; charset=utf-8" };
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("connection"), Some("close"), "{path}");
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()), "{path}");
        let head = request(probe, "HEAD", path);
        assert_eq!((head.code, head.body.as_str()), (answer.code, ""), "{path}");
    }
    assert_eq!(get(probe, "/").code, 404);
    assert_eq!(get(probe, "/livez/").code, 404);
    assert_eq!(get(probe, "/prestop").code, 404, "it is off");
    assert_eq!(get(probe, "/livez?verbose").code, 200);
    for method in ["POST", "PUT", "DELETE", "BREW"] {
        let answer = request(probe, method, "/readyz");
        assert_eq!((answer.code, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    // As HAProxy asks with `option httpchk GET /readyz`.
    let old = send(probe, "GET /readyz HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n"), "{old}");
    process.stop();
}

#[test]
fn options_answers_as_get_does_without_a_body() {
    let process = start(&[("HOLD", "acquire")]);
    let probe = process.probe();
    process.line("acquiring Db");
    let paths = ["/livez", "/readyz", "/servingz", "/startupz", "/status"];
    for phase in ["starting", "running"] {
        for path in paths {
            let answer = request(probe, "OPTIONS", path);
            assert_eq!((answer.code, answer.body.as_str()), (get(probe, path).code, ""), "{path}, {phase}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{path}, {phase}");
            assert_eq!(answer.header("content-length"), Some("0"), "{path}, {phase}");
        }
        if phase == "starting" {
            process.order("go acquire");
            process.line("body runs");
        }
    }
    assert_eq!(request(probe, "OPTIONS", "/nothing").code, 404);
    process.stop();
}

#[test]
fn the_default_check_of_haproxy_asks_for_readiness() {
    let process = start(&[("HOLD", "acquire drain")]);
    let probe = process.probe();
    let check = || parse(&send(probe, "OPTIONS / HTTP/1.0\r\n\r\n")).map(|answer| answer.code);
    process.line("acquiring Db");
    assert_eq!(check(), Some(503));
    process.order("go acquire");
    process.line("body runs");
    assert_eq!(check(), Some(200));
    process.order("check fail");
    get_until(probe, "/readyz", |answer| answer.code == 503);
    assert_eq!(check(), Some(503));
    process.signal(Signal::TERM);
    process.line("server drains");
    assert_eq!(check(), Some(503));
    process.order("go drain");
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}
