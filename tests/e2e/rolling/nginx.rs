//! Behind the open-source nginx, which does not check by itself.

use std::time::Duration;

use super::{CLIENTS, INSTANCES, Instance, Site, rolls};
use crate::load::{Connections, Load};
use crate::machine;
use crate::servers::nginx::{Http2, Nginx};

/// nginx knows nothing of the drain, and goes on sending requests until it finds the port closed; those that it could
/// not deliver go to the next server. The delay is for the connections that it keeps: the responses during the delay
/// close them (rule D4), one after the other. Otherwise the server would close them at its turn, maybe while a request
/// is on its way, and a POST in this situation is repeated by nobody: nginx cannot know that it may.
#[test]
fn twenty_rolling_restarts_with_passive_checks_lose_no_request() {
    let _machine = machine::shared();
    roll("nginx, passive checks", Http2::Nowhere, &CLIENTS, rolls());
}

/// The clients have long connections to nginx, and nginx has others to the servers.
#[test]
fn with_http2_in_front_rolling_restarts_lose_no_request() {
    let _machine = machine::shared();
    roll("nginx, HTTP/2 in front", Http2::InFront, &[(Connections::Http2, 8)], INSTANCES);
}

#[test]
fn with_http2_throughout_rolling_restarts_lose_no_request() {
    let _machine = machine::shared();
    roll("nginx, HTTP/2 throughout", Http2::Throughout, &[(Connections::Http2, 8)], INSTANCES);
}

#[track_caller]
fn roll(what: &str, http2: Http2, clients: &[(Connections, usize)], rolls: usize) {
    let site = Site::open(Duration::from_secs(1));
    let mut instances = site.start_all();
    let nginx = Nginx::start(http2, &ports(&instances));
    let load = Load::start(&[nginx.address()], clients);
    for roll in 0..rolls {
        let place = roll % INSTANCES;
        site.restart(&mut instances, place);
        // It is avoided until `fail_timeout` is over. If all were, there would be nobody left.
        load.wait_until_served_by(instances[place].address());
    }
    site.assert_nothing_is_lost(what, rolls, &load.end());
}

/// The order of the deployment does it: nothing is sent to the server any more when it is stopped, and it needs no
/// delay.
///
/// The clients do not keep their connections: on a reload nginx closes those that are idle, at a moment when a client
/// may be sending a request. That is between nginx and its clients, whoever is behind it. Its setting for this is
/// `keepalive_min_timeout`, since nginx 1.27.4.
#[test]
fn a_server_that_is_taken_out_first_needs_no_delay() {
    let _machine = machine::shared();
    let site = Site::open(Duration::ZERO);
    let mut instances = site.start_all();
    let nginx = Nginx::start(Http2::Nowhere, &ports(&instances));
    let load = Load::start(&[nginx.address()], &[(Connections::Fresh, 8)]);
    for place in 0..INSTANCES {
        nginx.reload(Some(instances[place].port));
        site.restart(&mut instances, place);
        nginx.reload(None);
        load.wait_until_served_by(instances[place].address());
    }
    site.assert_nothing_is_lost("nginx, down and reload", INSTANCES, &load.end());
}

fn ports(instances: &[Instance]) -> Vec<u16> {
    instances.iter().map(|instance| instance.port).collect()
}
