//! An address that is malformed, taken or not this machine's.

use std::net::TcpListener;

use crate::process::start;

#[test]
fn a_taken_address_stops_the_start_before_anything_is_acquired() {
    let taken = TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, _listener) = taken.unwrap_or_else(|error| panic!("no address: {error}"));
    let address = address.to_string();
    let (code, printed) = start(&[("LIFECYCLE_PROBE_ADDR", &address)]).end();
    assert_eq!(code, Some(1), "{printed}");
    let expected = format!("cannot listen on {address}: Address already in use");
    assert!(printed.contains(&expected), "{printed}");
    assert!(printed.contains("the application did not start: the probe has no address to answer at"));
    assert!(!printed.contains("acquiring"), "{printed}");
}

#[test]
fn an_address_of_somebody_else_is_told() {
    let (code, printed) = start(&[("LIFECYCLE_PROBE_ADDR", "192.0.2.1:8081")]).end();
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("cannot listen on 192.0.2.1:8081"), "{printed}");
}

#[test]
fn a_malformed_address_is_a_configuration_error_with_all_others() {
    let variables = [("LIFECYCLE_PROBE_ADDR", "localhost:8081"), ("LIFECYCLE_DRAIN_DELAY", "soon")];
    let (code, printed) = start(&variables).end();
    assert_eq!(code, Some(78), "{printed}");
    let expected = "LIFECYCLE_PROBE_ADDR=\"localhost:8081\" is no socket address; \
                    it is written like \"0.0.0.0:8081\" or \"[::]:8081\"";
    assert!(printed.contains(expected), "{printed}");
    assert!(printed.contains("LIFECYCLE_DRAIN_DELAY=\"soon\""), "{printed}");
}
