//! One life of the server, which a signal ends while a request is under way.

use std::cell::Cell;
use std::ffi::OsString;
use std::process::ExitStatus;
use std::time::Duration;

use lifecycle::private::program::in_words;
use nix::sys::signal::{Signal, kill};
use tokio::pin;
use tokio::time::{Instant, sleep, timeout_at};

use super::check::{Checks, show, show_output};
use super::client::{Answer, NoAnswer, Server};
use super::sending::Sent;
use super::sockets;
use crate::group::{self, Group};

/// What is tested, and how.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) server: Server,
    pub(crate) request: String,
    pub(crate) ready: Option<String>,
    pub(crate) grace: Duration,
    pub(crate) startup: Duration,
    pub(crate) command: Vec<OsString>,
}

/// A round with one signal.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    setting: &'a Setting,
    signal: Signal,
    checks: Checks,
}

/// Between two looks.
const MOMENT: Duration = Duration::from_millis(10);
/// Between two clients who connect during the stop.
const BETWEEN: Duration = Duration::from_millis(25);
/// Within this time the system shows a connection, if it does at all.
const SEEN: Duration = Duration::from_millis(300);

/// The request that is under way.
type Request<'r> = std::pin::Pin<&'r mut dyn Future<Output = Result<Answer, String>>>;

/// How it went with those who connected during the stop, one after the other.
#[derive(Debug, Default)]
struct Newcomers {
    answered: Cell<u32>,
    lost: Cell<u32>,
    refused: Cell<u32>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(setting: &'a Setting, signal: Signal) -> Self {
        Self { setting, signal, checks: Checks::default() }
    }

    /// Returns how many checks have failed.
    pub(crate) async fn run(mut self) -> Result<usize, String> {
        let Setting { server, command, .. } = self.setting;
        if server.connect().await.is_ok() {
            let address = server.address();
            return Err(format!(
                "something listens at {address} already, and would be tested in place of the server: \
                 stop it, or choose another port with --port"
            ));
        }
        let mut group = Group::start(command, &[])?;
        let pid = group.id().map_or(0, nix::unistd::Pid::as_raw);
        show(&format!("{}: {}, pid {pid}\n", self.signal, command[0].to_string_lossy()));
        if self.starts(&mut group).await {
            self.stops(&mut group).await?;
        }
        let (stdout, stderr) = group.printed().await;
        if self.checks.failed() > 0 {
            show_output(&stdout, &stderr);
        }
        show("\n");
        Ok(self.checks.failed())
    }

    /// Waits until the server is up.
    async fn starts(&mut self, group: &mut Group) -> bool {
        let Setting { server, ready, startup, .. } = self.setting;
        let (began, address) = (Instant::now(), server.address());
        loop {
            if let Some(status) = group.ended() {
                let what = format!("it {} before anything listened at {address}", group::in_words(status));
                self.checks.add("start", Err(what));
                return false;
            }
            let what = match self.is_up(began + *startup).await {
                Ok(()) => {
                    let took = in_words(began.elapsed());
                    let does = if ready.is_some() { "answers" } else { "listens" };
                    self.checks.add("start", Ok(format!("{does} at {address} after {took}")));
                    return true;
                }
                Err(what) => what,
            };
            if began.elapsed() >= *startup {
                let what = format!("not up at {address} within {}: {what}", in_words(*startup));
                self.checks.add("start", Err(what));
                return false;
            }
            sleep(MOMENT).await;
        }
    }

    async fn is_up(&self, until: Instant) -> Result<(), String> {
        let Setting { server, ready, .. } = self.setting;
        let Some(path) = ready else {
            return server.connect().await.map(drop).map_err(NoAnswer::into_words);
        };
        match timeout_at(until, server.ask(path)).await {
            Ok(Ok(Answer { status: 200..300, .. })) => Ok(()),
            Ok(Ok(Answer { status, .. })) => Err(format!("{path} answers {status}")),
            Ok(Err(no_answer)) => Err(no_answer.into_words()),
            Err(_) => Err(format!("{path} does not answer")),
        }
    }

    /// Sends the request and then the signal, and looks at what happens.
    async fn stops(&mut self, group: &mut Group) -> Result<(), String> {
        let Setting { server, request: path, startup, grace, .. } = self.setting;
        let stream = server.connect().await.map_err(NoAnswer::into_words)?;
        let here = stream.local_addr().map_err(|error| error.to_string())?.port();
        let sent = Sent::default();
        let request = server.ask_on(stream, path, sent.clone());
        pin!(request);
        let until = Instant::now() + *startup;
        let under_way = timeout_at(until, self.is_under_way(here, &sent, request.as_mut())).await;
        let Ok(early) = under_way else {
            let what = format!("the server has not read it within {}", in_words(*startup));
            self.checks.add("request", Err(what));
            return Ok(());
        };
        if let Some(status) = group.ended() {
            let what = format!("the server {} before it was asked to stop", group::in_words(status));
            self.checks.add("request", Err(what));
            return Ok(());
        }
        let id = group.id().ok_or("the process has no id")?;
        kill(id, self.signal).map_err(|error| format!("{} cannot be sent: {error}", self.signal))?;
        let asked = Instant::now();
        let until = asked + *grace;

        let (ended, newcomers) = (Cell::new(false), Newcomers::default());
        let end = async {
            let status = timeout_at(until, group.end()).await;
            let took = asked.elapsed();
            if status.is_err() {
                group.kill();
            }
            ended.set(true);
            (status, took)
        };
        let was_early = early.is_some();
        let answer = async {
            match early {
                Some(answer) => Ok(answer),
                None => timeout_at(until, request).await,
            }
        };
        let connecting = newcomers.connect(self.setting, &ended, until);
        let ((status, took), answer, ()) = tokio::join!(end, answer, connecting);
        self.checks.add("request", answered(path, answer.ok(), was_early, *grace));
        self.checks.add("new connections", newcomers.judged());
        let status = status.ok().transpose()?;
        self.checks.add("exit code", exit_code(status));
        self.checks.add("time", in_time(status.is_some(), took, *grace));
        Ok(())
    }

    /// Waits until the server has read the request, or has answered it already.
    async fn is_under_way(
        &self,
        here: u16,
        sent: &Sent,
        mut request: Request<'_>,
    ) -> Option<Result<Answer, String>> {
        let Setting { server, ready, .. } = self.setting;
        let seen = async {
            while !sent.is_sent() {
                sleep(MOMENT).await;
            }
            let began = Instant::now();
            loop {
                match sockets::is_read(here, server.port()) {
                    Some(true) => return,
                    None if began.elapsed() > SEEN => break,
                    Some(false) | None => sleep(MOMENT).await,
                }
            }
            // Connections are accepted in order: when a later one is answered, the earlier one was read.
            let _ = server.ask(ready.as_deref().unwrap_or("/")).await;
        };
        tokio::select! {
            biased;
            answer = &mut request => Some(answer),
            () = seen => None,
        }
    }
}

impl Newcomers {
    /// Connects again and again until the server has ended.
    async fn connect(&self, setting: &Setting, ended: &Cell<bool>, until: Instant) {
        let path = setting.ready.as_deref().unwrap_or("/");
        loop {
            sleep(BETWEEN).await;
            if ended.get() {
                return;
            }
            let asked = timeout_at(until, setting.server.ask(path)).await;
            let count = match asked {
                Ok(Ok(_)) => &self.answered,
                Ok(Err(NoAnswer::Refused(_))) => &self.refused,
                Ok(Err(NoAnswer::Lost(_))) | Err(_) => &self.lost,
            };
            count.set(count.get() + 1);
        }
    }

    /// One may be lost when the listener is closed: the server has not accepted its connection, or has it without a
    /// request. No server can help that. Those who come later are refused, so that a second one is the server's fault.
    fn judged(&self) -> Result<String, String> {
        let (answered, lost, refused) = (self.answered.get(), self.lost.get(), self.refused.get());
        let mut words = vec![format!("{answered} answered")];
        words.extend((lost > 0).then(|| format!("{lost} accepted without an answer")));
        words.extend((refused > 0).then(|| "then refused".to_owned()));
        let words = match (answered + lost, refused) {
            (0, 0) => "none: the server had ended before".to_owned(),
            (0, _) => "refused at once".to_owned(),
            _ => words.join(", "),
        };
        if lost > 1 {
            return Err(format!("{words}; expected each to be answered, or refused"));
        }
        Ok(words)
    }
}

fn answered(
    path: &str,
    answer: Option<Result<Answer, String>>,
    was_early: bool,
    grace: Duration,
) -> Result<String, String> {
    match answer {
        None => Err(format!("{path} has no complete answer within {}", in_words(grace))),
        Some(Err(what)) => Err(format!("{path} was under way, and was not answered in full: {what}")),
        Some(Ok(Answer { status, .. })) if !(200..300).contains(&status) => {
            Err(format!("{path} was answered with {status}; expected 2xx"))
        }
        Some(Ok(_)) if was_early => Err(format!(
            "{path} was answered before the signal was sent: give --request a path that takes a second or two"
        )),
        Some(Ok(Answer { status, bytes, has_known_end: true })) => {
            Ok(format!("{path} was under way, and answered in full: {status}, {bytes} bytes"))
        }
        Some(Ok(Answer { status, bytes, has_known_end: false })) => Ok(format!(
            "{path} was under way, and answered: {status}, {bytes} bytes; the head does not say where the body ends"
        )),
    }
}

fn exit_code(status: Option<ExitStatus>) -> Result<String, String> {
    match status {
        Some(status) if status.success() => Ok("0".to_owned()),
        Some(status) => Err(format!("expected 0; the server {}", group::in_words(status))),
        None => Err("expected 0; the server did not end, and was killed".to_owned()),
    }
}

fn in_time(has_ended: bool, took: Duration, grace: Duration) -> Result<String, String> {
    let grace = in_words(grace);
    if has_ended {
        Ok(format!("{} of {grace}", in_words(took)))
    } else {
        Err(format!("still there after {grace}"))
    }
}
