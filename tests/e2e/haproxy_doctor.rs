//! What `lifecycle doctor` says of a balancer, played by HAProxy with the backend that it complains of, and the right one.

use crate::http::{answered, connect};
use crate::machine;
use crate::pairs::{pair, text};
use crate::servers::haproxy::HaProxy;
use crate::service::Setup;

#[test]
fn a_check_that_asks_the_port_of_the_application_never_passes() {
    let _machine = machine::shared();
    let payments = Setup::new().run();
    let (address, probe) = (payments.process.address(), payments.probe_address());
    // The application itself is well.
    assert_eq!(answered(connect(address).get("/")).status, 200);
    let backend = |file: &str| {
        let servers = text(file).replace("one 192.0.2.1:8080", &format!("s0 {address}"));
        let servers = servers.replace("port 8081", &format!("port {}", probe.port()));
        // There is one of it here.
        let one = servers.lines().filter(|line| !line.contains("server two"));
        one.map(|line| format!("{line}\n")).collect::<String>()
    };
    let [wrong, right] = pair("probe-elsewhere", "cfg").map(|file| HaProxy::with(&backend(&file)));
    right.wait_for_check(0, "L7OK");
    wrong.wait_for_check(0, "L7STS");
    wrong.wait_until_down(0);
    assert_eq!(answered(connect(wrong.address()).get("/")).status, 503);
    assert_eq!(answered(connect(right.address()).get("/")).status, 200);
}
