//! nginx.

use std::fmt::Write;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use lifecycle_tests::harness::scratch::Scratch;
use rustix::process::Signal;

use super::{Server, free_port, search_path, spawn};
use crate::program::wait_until;

/// For how long nginx avoids a server after a request to it has failed.
const FAIL_TIMEOUT: Duration = Duration::from_secs(2);

/// Where it speaks HTTP/2; elsewhere it is HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http2 {
    Nowhere,
    /// With the clients.
    InFront,
    /// With the clients and the servers: `grpc_pass`.
    Throughout,
}

/// A proxy without active checks, as the open-source nginx is. Every response says in `X-Served-By` who gave it.
pub(crate) struct Nginx {
    server: Server,
    port: u16,
    http2: Http2,
    servers: Vec<u16>,
    scratch: Scratch,
}

impl Nginx {
    /// Starts one, and waits until it works.
    #[track_caller]
    pub(crate) fn start(http2: Http2, servers: &[u16]) -> Self {
        let (port, scratch) = (free_port(), Scratch::new());
        fs::write(scratch.path().join("nginx.conf"), config(port, http2, servers, None))
            .expect("there is room for a file");
        let log = File::create(scratch.path().join("log")).expect("there is room for a file");
        let mut command = Command::new("nginx");
        command
            .env("PATH", search_path())
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(scratch.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let server = Server::new(spawn(&mut command, "nginx-light"));
        let mut nginx = Self { server, port, http2, servers: servers.to_owned(), scratch };
        // It listens before it has handlers for signals, and has them before there is a worker.
        wait_until("nginx has a worker", || {
            assert!(!nginx.server.has_ended(), "nginx has ended: {}", nginx.log());
            !nginx.server.children().is_empty()
        });
        nginx
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Writes this server into the configuration as `down`, or none; reloads, and waits until everything that the old
    /// configuration had sent is answered.
    #[track_caller]
    pub(crate) fn reload(&self, down: Option<u16>) {
        let before = self.server.children();
        let config = config(self.port, self.http2, &self.servers, down);
        fs::write(self.scratch.path().join("nginx.conf"), config).expect("there is room for a file");
        // As `nginx -s reload` does.
        self.server.signal(Signal::HUP);
        wait_until("the workers with the old configuration have ended", || {
            let now = self.server.children();
            !now.is_empty() && before.iter().all(|worker| !now.contains(worker))
        });
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }
}

fn config(port: u16, http2: Http2, servers: &[u16], down: Option<u16>) -> String {
    let mut upstream = String::new();
    for server in servers {
        let is_down = if down == Some(*server) { " down" } else { "" };
        let fail_timeout = FAIL_TIMEOUT.as_secs();
        let _ = writeln!(
            upstream,
            "    server 127.0.0.1:{server} max_fails=1 fail_timeout={fail_timeout}s{is_down};"
        );
    }
    // After so many requests, nginx closes a connection of HTTP/2: that is between it and its clients.
    let listen = if http2 == Http2::Nowhere { "" } else { " http2; keepalive_requests 1000000" };
    let pass = match http2 {
        Http2::Throughout => "grpc_pass grpc://payments;\n      grpc_next_upstream error timeout http_503;",
        Http2::Nowhere | Http2::InFront => {
            "proxy_pass http://payments;\n      proxy_http_version 1.1;\n      \
             proxy_set_header Connection \"\";\n      proxy_next_upstream error timeout http_503;"
        }
    };
    // A request that could not be delivered goes to the next server, whatever its method. Without `non_idempotent`, a
    // POST that was delivered is not repeated, whatever becomes of it.
    format!(
        r#"daemon off;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream payments {{
{upstream}    keepalive 8;
  }}
  server {{
    listen 127.0.0.1:{port}{listen};
    location / {{
      {pass}
      add_header X-Served-By $upstream_addr always;
    }}
  }}
}}
"#
    )
}
