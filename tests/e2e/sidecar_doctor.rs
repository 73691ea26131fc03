//! What `lifecycle doctor` says of a proxy in the same pod, played with HAProxy between payments and PostgreSQL. The kubelet
//! is not here: the test sends the signals in its order.

use crate::machine;
use crate::pairs::{pair, text};
use crate::program::wait_until;
use crate::servers::haproxy::HaProxy;
use crate::servers::postgres::{Lock, Postgres};
use crate::service::Setup;

#[test]
fn a_proxy_that_is_signalled_too_is_gone_when_a_request_needs_it() {
    let _machine = machine::shared();
    let [wrong, right] = pair("sidecar-ends-first", "yaml");
    assert_ne!(answer(&wrong), Some(201));
    assert_eq!(answer(&right), Some(201));
}

/// What a payment is answered that is under way when its pod is deleted.
#[track_caller]
fn answer(file: &str) -> Option<u16> {
    let postgres = Postgres::start();
    let mut proxy = HaProxy::of_connections(postgres.address());
    let setup = Setup::new().env("DATABASE_URL", &postgres.url_by_way_of(proxy.address()));
    let payments = setup.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "20s").run();
    let lock = Lock::take(&postgres);
    let client = payments.pay_meanwhile("p");
    wait_until("a payment waits", || postgres.backends("wait_event_type = 'Lock'") == "1");
    let stopping = payments.terminate();
    // All containers get SIGTERM together; an init container that goes on, when those have ended.
    let ends_last = text(file).contains("restartPolicy: Always");
    if !ends_last {
        proxy.terminate();
    }
    drop(lock);
    let answer = client.join().expect("the client does not panic");
    let exit = stopping.wait().exit;
    if ends_last {
        assert_eq!(exit.code(), Some(0), "{}", exit.stdout());
        proxy.terminate();
    }
    answer.ok()
}
