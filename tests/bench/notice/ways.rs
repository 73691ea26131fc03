//! The ways to wait for a notice.

use std::future::{Future, pending};
use std::sync::Arc;

use lifecycle::App;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};
use tokio_util::sync::CancellationToken;

use crate::application::{self, LIMIT, Shop};
use crate::latch::Latch;
use crate::peers::Peer;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It waits for nothing.
    Bare,
    Notify,
    Tokens,
    ChildTokens,
    Subsystems,
    Stopping,
    RunUntil,
    Supervised,
}

pub(super) const ALL: [Peer<Way>; 7] = [
    ("Notify::notify_waiters", Way::Notify),
    ("clones of a CancellationToken", Way::Tokens),
    ("child tokens", Way::ChildTokens),
    ("tokio-graceful-shutdown", Way::Subsystems),
    ("Stopping", Way::Stopping),
    ("Stopping::run_until", Way::RunUntil),
    ("Spawner::spawn", Way::Supervised),
];

/// Tasks that wait.
pub(super) struct Waiting {
    notice: Notice,
    /// The last of them counts it down to zero.
    ended: Option<Latch>,
}

/// How they are notified.
enum Notice {
    None,
    Notify(Arc<Notify>),
    Token(CancellationToken),
    Toplevel(CancellationToken, JoinHandle<()>),
    App(App),
}

impl Way {
    /// Spawns so many tasks. Each counts the latch down once it is about to wait.
    pub(super) async fn spawn(self, count: usize, begun: Option<&Latch>) -> Waiting {
        let ended = begun.map(|_| Latch::new(count));
        let latches = || begun.cloned().zip(ended.clone());
        let notice = match self {
            Self::Bare => {
                (0..count).for_each(|_| spawn(pending(), latches()));
                Notice::None
            }
            Self::Notify => {
                let notify = Arc::new(Notify::new());
                for _ in 0..count {
                    // It hears of a notice that comes before the task waits for it.
                    spawn(Arc::clone(&notify).notified_owned(), latches());
                }
                Notice::Notify(notify)
            }
            Self::Tokens => {
                let token = CancellationToken::new();
                for _ in 0..count {
                    let token = token.clone();
                    spawn(async move { token.cancelled().await }, latches());
                }
                Notice::Token(token)
            }
            Self::ChildTokens => {
                let token = CancellationToken::new();
                for _ in 0..count {
                    let token = token.child_token();
                    spawn(async move { token.cancelled().await }, latches());
                }
                Notice::Token(token)
            }
            Self::Subsystems => {
                let token = CancellationToken::new();
                let toplevel = subsystems(count, &token, begun.cloned());
                return Waiting { notice: Notice::Toplevel(token, toplevel), ended: None };
            }
            Self::Stopping => {
                let app = application::start().await;
                let stopping = app.get::<Shop>().stopping.clone();
                (0..count).for_each(|_| spawn(stopping.clone(), latches()));
                Notice::App(app)
            }
            Self::RunUntil => {
                let app = application::start().await;
                let stopping = app.get::<Shop>().stopping.clone();
                for _ in 0..count {
                    let stopping = stopping.clone();
                    spawn(
                        async move {
                            let _ = stopping.run_until(pending::<()>()).await;
                        },
                        latches(),
                    );
                }
                Notice::App(app)
            }
            Self::Supervised => {
                let app = application::start().await;
                let spawner = app.get::<Shop>().spawner.clone();
                for _ in 0..count {
                    match begun.cloned() {
                        None => spawner.spawn("one of many", |stopping| stopping),
                        Some(begun) => spawner.spawn("one of many", |stopping| async move {
                            begun.count_down();
                            stopping.await;
                        }),
                    }
                }
                // The application ends when the last of them has.
                return Waiting { notice: Notice::App(app), ended: None };
            }
        };
        Waiting { notice, ended }
    }
}

/// Spawns a task that waits. If it is timed, it counts down before and after that.
fn spawn(wait: impl Future<Output = ()> + Send + 'static, latches: Option<(Latch, Latch)>) {
    let Some((begun, ended)) = latches else {
        tokio::spawn(wait);
        return;
    };
    tokio::spawn(async move {
        begun.count_down();
        wait.await;
        ended.count_down();
    });
}

fn subsystems(count: usize, token: &CancellationToken, begun: Option<Latch>) -> JoinHandle<()> {
    let work = async move |subsystem: &mut SubsystemHandle| {
        for _ in 0..count {
            let begun = begun.clone();
            let work = async move |subsystem: &mut SubsystemHandle| {
                if let Some(begun) = begun {
                    begun.count_down();
                }
                subsystem.on_shutdown_requested().await;
                lifecycle::Result::<()>::Ok(())
            };
            subsystem.start(SubsystemBuilder::new("one of many", work));
        }
        subsystem.on_shutdown_requested().await;
    };
    let toplevel = Toplevel::<lifecycle::BoxError>::new_with_shutdown_token(work, token.clone());
    tokio::spawn(async move {
        toplevel.handle_shutdown_requests(LIMIT).await.expect("no subsystem fails");
    })
}

impl Waiting {
    /// Notifies the tasks, and waits until all of them are over.
    pub(super) async fn end(self) {
        match self.notice {
            Notice::None => {}
            Notice::Notify(notify) => notify.notify_waiters(),
            Notice::Token(token) => token.cancel(),
            Notice::Toplevel(token, toplevel) => {
                token.cancel();
                toplevel.await.expect("no subsystem panics");
            }
            Notice::App(app) => application::stop(app).await,
        }
        if let Some(ended) = self.ended {
            ended.wait().await;
        }
    }
}
