//! What is answered to which path.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::time::timeout;

use super::checks::Checks;
use super::json::{self, Row};
use super::{Audience, Probe};
use crate::control::heartbeat::Heartbeat;
use crate::driver::Driver;
use crate::model::phase::Phase;

pub(super) type Answer = Response<Full<Bytes>>;

/// Knows every answer.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    driver: Arc<Driver>,
    probe: Probe,
    heartbeat: Heartbeat,
    checks: Arc<Checks>,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Livez,
    Readyz,
    Startupz,
    Status,
    Prestop,
}

impl Path {
    fn read(path: &str, has_prestop: bool) -> Option<Self> {
        match path {
            "/livez" => Some(Self::Livez),
            "/readyz" => Some(Self::Readyz),
            "/startupz" => Some(Self::Startupz),
            "/status" => Some(Self::Status),
            "/prestop" if has_prestop => Some(Self::Prestop),
            _ => None,
        }
    }

    /// To ask for the head alone must not take the application out of service.
    fn allowed(self) -> &'static str {
        match self {
            Self::Livez | Self::Readyz | Self::Startupz | Self::Status => "GET, HEAD",
            Self::Prestop => "GET",
        }
    }

    fn allows(self, method: &Method) -> bool {
        self.allowed().split(", ").any(|allowed| method.as_str() == allowed)
    }
}

impl Answers {
    pub(super) fn new(driver: Arc<Driver>, probe: Probe, heartbeat: Heartbeat) -> Self {
        let checks = Checks::new(Arc::clone(&driver), probe.check_timeout);
        Self { driver, probe, heartbeat, checks }
    }

    /// Answers one request. `wait_longer` is called if the answer takes longer than answers usually may.
    pub(super) async fn answer(
        &self,
        peer: SocketAddr,
        method: &Method,
        path: &str,
        wait_longer: impl FnOnce(Duration),
    ) -> Answer {
        let Some(path) = Path::read(path, self.probe.has_prestop) else {
            return say(
                StatusCode::NOT_FOUND,
                "not found: the paths are /livez, /readyz, /startupz and /status".to_owned(),
            );
        };
        if !path.allows(method) {
            let allowed = path.allowed();
            let mut answer = say(StatusCode::METHOD_NOT_ALLOWED, format!("allowed: {allowed}"));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return answer;
        }
        match path {
            Path::Livez => self.livez(),
            Path::Readyz => self.readyz().await,
            Path::Startupz => self.startupz(),
            Path::Status => self.status(peer),
            Path::Prestop => self.prestop(wait_longer).await,
        }
    }

    fn livez(&self) -> Answer {
        let silence = self.heartbeat.silence();
        let phase = *self.driver.phase().borrow();
        if phase == Phase::Running && silence >= self.probe.stuck_after {
            say(StatusCode::SERVICE_UNAVAILABLE, format!("stuck for {} s", silence.as_secs()))
        } else {
            say(StatusCode::OK, "alive".to_owned())
        }
    }

    async fn readyz(&self) -> Answer {
        if let Some(answer) = self.unready() {
            return answer;
        }
        let failing = self.checks.failing().await;
        if let Some(answer) = self.unready() {
            // The stop began while the checks ran.
            answer
        } else if failing.is_empty() {
            say(StatusCode::OK, "ready".to_owned())
        } else {
            let names = self.driver.plan().names(failing).join(", ");
            say(StatusCode::SERVICE_UNAVAILABLE, format!("the check fails of {names}"))
        }
    }

    /// The answer while no traffic may come, whatever the resources say.
    fn unready(&self) -> Option<Answer> {
        if self.driver.is_ready() {
            return None;
        }
        // Not the watched phase, which changes a moment later.
        let phase = self.driver.current_phase();
        let why = if phase == Phase::Running { "about to stop".to_owned() } else { phase.to_string() };
        Some(say(StatusCode::SERVICE_UNAVAILABLE, why))
    }

    fn startupz(&self) -> Answer {
        if self.driver.has_started() {
            say(StatusCode::OK, "started".to_owned())
        } else {
            say(StatusCode::SERVICE_UNAVAILABLE, "starting".to_owned())
        }
    }

    fn status(&self, peer: SocketAddr) -> Answer {
        if self.probe.status_for == Audience::Loopback && !peer.ip().to_canonical().is_loopback() {
            return say(StatusCode::FORBIDDEN, "the status is only for clients on this machine".to_owned());
        }
        let status = self.driver.status();
        let checked: Vec<_> = self.driver.plan().resources().map(|id| self.checks.last(id)).collect();
        let rows: Vec<Row<'_>> = status
            .resources
            .iter()
            .zip(&checked)
            .enumerate()
            .map(|(id, (resource, checked))| Row {
                resource,
                in_flight: self.driver.seat(id).in_flight(),
                checked: checked.as_ref(),
            })
            .collect();
        let document = json::document(&status, &rows, SystemTime::now(), self.probe.errors);
        response(StatusCode::OK, "application/json", document)
    }

    /// Waits until load balancers have noticed, or the turns begin.
    async fn prestop(&self, wait_longer: impl FnOnce(Duration)) -> Answer {
        let delay = self.driver.pre_stop();
        wait_longer(delay);
        let mut phase = self.driver.phase();
        let _ = timeout(delay, phase.wait_for(|phase| *phase >= Phase::Stopping)).await;
        say(StatusCode::OK, "go on".to_owned())
    }
}

fn say(status: StatusCode, words: String) -> Answer {
    response(status, "text/plain; charset=utf-8", words + "\n")
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
