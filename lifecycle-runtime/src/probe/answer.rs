//! What is answered to which question.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::time::timeout;

use super::checks::Checks;
use super::hooks::Hooks;
use super::json::{self, Process, Row, Told};
use super::page::{PAGE, POLICY};
use super::{Audience, Errors, Probe, accept};
use crate::control::heartbeat::Heartbeat;
use crate::driver::{Driver, Rendered, Words};
use crate::model::graph::Id;
use crate::model::phase::Phase;

pub(super) type Answer = Response<Full<Bytes>>;

/// Knows every answer.
#[derive(Clone)]
pub(super) struct Answers {
    driver: Arc<Driver>,
    probe: Probe,
    heartbeat: Heartbeat,
    checks: Arc<Checks>,
    process: Arc<Process>,
    hooks: Hooks,
}

/// One request.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) peer: SocketAddr,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

impl Question<'_> {
    /// Whether the server was asked for by a name that only this machine gives to it, or by none. Under any other name,
    /// the request may come from a web page whose name was made to point here (DNS rebinding).
    fn names_this_machine(&self) -> bool {
        let is_ours = |name: &Authority| {
            let host = name.host();
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
        };
        let is_ours_as_header =
            |name: &HeaderValue| Authority::try_from(name.as_bytes()).is_ok_and(|name| is_ours(&name));
        self.uri.authority().is_none_or(is_ours) && self.headers.get_all(HOST).iter().all(is_ours_as_header)
    }
}

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Livez,
    Readyz,
    Servingz,
    Startupz,
    Status,
    Prestop,
}

impl Path {
    fn read(method: &Method, path: &str, has_prestop: bool) -> Option<Self> {
        match path {
            "/livez" => Some(Self::Livez),
            "/readyz" => Some(Self::Readyz),
            // What HAProxy asks by default.
            "/" if method == Method::OPTIONS => Some(Self::Readyz),
            "/servingz" => Some(Self::Servingz),
            "/startupz" => Some(Self::Startupz),
            "/status" => Some(Self::Status),
            "/prestop" if has_prestop => Some(Self::Prestop),
            _ => None,
        }
    }

    /// Only GET may take the application out of service.
    fn allowed(self) -> &'static str {
        match self {
            Self::Livez | Self::Readyz | Self::Servingz | Self::Startupz | Self::Status => {
                "GET, HEAD, OPTIONS"
            }
            Self::Prestop => "GET",
        }
    }

    fn allows(self, method: &Method) -> bool {
        self.allowed().split(", ").any(|allowed| method.as_str() == allowed)
    }
}

/// Whether the probe itself answers a path, or may.
pub(super) fn is_own(path: &str) -> bool {
    path == "/" || Path::read(&Method::GET, path, true).is_some()
}

impl Answers {
    pub(super) fn new(driver: Arc<Driver>, probe: Probe, heartbeat: Heartbeat) -> Self {
        let checks = Checks::new(Arc::clone(&driver), probe.check_timeout);
        let process = Process {
            program: program(),
            pid: std::process::id(),
            started: SystemTime::now() - driver.origin().elapsed(),
        };
        Self { driver, probe, heartbeat, checks, process: Arc::new(process), hooks: Hooks::default() }
    }

    pub(super) fn hooks(&self) -> Hooks {
        self.hooks.clone()
    }

    /// Answers one request. `wait_longer` is called if the answer takes longer than answers usually may.
    pub(super) async fn answer(&self, question: Question<'_>, wait_longer: impl FnOnce(Duration)) -> Answer {
        let Question { method, uri, .. } = question;
        let Some(path) = Path::read(method, uri.path(), self.probe.has_prestop) else {
            return self.page(uri.path(), method).await;
        };
        let allowed = path.allowed();
        if !path.allows(method) {
            return with_allow(allowed, say(StatusCode::METHOD_NOT_ALLOWED, format!("allowed: {allowed}")));
        }
        let answer = self.answer_path(path, question, wait_longer).await;
        if method == Method::OPTIONS { with_allow(allowed, answer.map(|_| Full::default())) } else { answer }
    }

    async fn answer_path(
        &self,
        path: Path,
        question: Question<'_>,
        wait_longer: impl FnOnce(Duration),
    ) -> Answer {
        match path {
            Path::Livez => self.livez(),
            Path::Readyz => self.readyz().await,
            Path::Servingz => self.servingz().await,
            Path::Startupz => self.startupz(),
            Path::Status => self.status(question),
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
        // The stop may have begun while the checks ran.
        self.unready().unwrap_or_else(|| self.verdict(failing, "ready"))
    }

    /// Whether traffic that comes is still served. A stop that has begun runs no checks any more.
    async fn servingz(&self) -> Answer {
        if let Some(answer) = self.unchecked() {
            return answer;
        }
        let failing = self.checks.failing().await;
        self.unchecked().unwrap_or_else(|| self.verdict(failing, "serving"))
    }

    /// The answer to `/servingz` while the resources have no say in it.
    fn unchecked(&self) -> Option<Answer> {
        let (phase, is_serving) = self.driver.serving();
        match phase {
            Phase::Running => None,
            _ if is_serving => Some(say(StatusCode::OK, "serving".to_owned())),
            _ => Some(say(StatusCode::SERVICE_UNAVAILABLE, phase.to_string())),
        }
    }

    fn verdict(&self, failing: Vec<Id>, well: &str) -> Answer {
        if failing.is_empty() {
            say(StatusCode::OK, well.to_owned())
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

    fn status(&self, question: Question<'_>) -> Answer {
        let is_for_all = self.probe.status_for == Audience::All;
        if !is_for_all && !question.peer.ip().to_canonical().is_loopback() {
            return say(
                StatusCode::FORBIDDEN,
                "the status is only for clients on this machine: ask from there, or set \
                 `Probe::status_for_all` in the code"
                    .to_owned(),
            );
        }
        if !is_for_all && !question.names_this_machine() {
            return say(
                StatusCode::FORBIDDEN,
                "the Host header names neither an IP address nor localhost, as if a web page of another host \
                 asked: ask for http://localhost, with the port of the probe, or set `Probe::status_for_all` in \
                 the code"
                    .to_owned(),
            );
        }
        // A browser has no other way to ask for the JSON.
        let wants_json = question.uri.query() == Some("json");
        let mut answer = if !wants_json && accept::prefers_html(question.headers) {
            page()
        } else {
            response(StatusCode::OK, "application/json", self.document())
        };
        answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
        answer
    }

    fn document(&self) -> String {
        let (status, now) = (self.driver.status(), SystemTime::now());
        let plan = self.driver.plan();
        let checked: Vec<_> = plan.resources().map(|id| self.checks.last(id)).collect();
        let row = |id: Id, resource, checked| Row::<'_> {
            resource,
            after: plan.names(plan.after(id).iter().copied()),
            is_foundation: plan.step(id).foundation,
            units: self.driver.seat(id).units(),
            connected: self.driver.seat(id).connected(),
            checked,
        };
        let resources = status.resources.iter().zip(&checked).enumerate();
        let words = if self.probe.errors == Errors::Shown { Words::All } else { Words::Discreet };
        let told = Told {
            process: &self.process,
            status: &status,
            now,
            main: Row { after: Vec::new(), ..row(plan.main(), &status.main, None) },
            resources: resources
                .map(|(id, (resource, checked))| row(id, resource, checked.as_ref()))
                .collect(),
            lines: self.driver.lines(words),
        };
        json::document(&told, self.probe.errors)
    }

    /// A page of the program's own.
    async fn page(&self, path: &str, method: &Method) -> Answer {
        if !self.driver.has_page(path) {
            return not_found();
        }
        if method != Method::GET && method != Method::HEAD {
            return with_allow(
                "GET, HEAD",
                say(StatusCode::METHOD_NOT_ALLOWED, "allowed: GET, HEAD".to_owned()),
            );
        }
        let limit = self.probe.check_timeout;
        match self.driver.render(path, limit).await {
            Rendered::Text { content_type, text } => {
                let mut answer = response(StatusCode::OK, "text/plain", text);
                if let Ok(content_type) = HeaderValue::from_str(&content_type) {
                    answer.headers_mut().insert(CONTENT_TYPE, content_type);
                }
                answer
            }
            Rendered::Panicked => say(StatusCode::INTERNAL_SERVER_ERROR, "the page panicked".to_owned()),
            Rendered::TimedOut => {
                say(StatusCode::SERVICE_UNAVAILABLE, format!("the page did not answer within {limit:?}"))
            }
            Rendered::Gone => not_found(),
        }
    }

    /// What is answered when the place is needed by another connection.
    pub(super) fn gives_way() -> Answer {
        let words = "too many requests are waiting for an answer, and this one was the oldest";
        say(StatusCode::SERVICE_UNAVAILABLE, words.to_owned())
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

/// The file name of the program, as it was called.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    std::path::Path::new(&called).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn page() -> Answer {
    let mut page = response(StatusCode::OK, "text/html; charset=utf-8", PAGE);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    page
}

fn with_allow(allowed: &'static str, mut answer: Answer) -> Answer {
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn not_found() -> Answer {
    let words = "not found: the paths are /livez, /readyz, /servingz, /startupz and /status";
    say(StatusCode::NOT_FOUND, words.to_owned())
}

fn say(status: StatusCode, words: String) -> Answer {
    response(status, "text/plain; charset=utf-8", words + "\n")
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
