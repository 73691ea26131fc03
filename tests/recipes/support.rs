//! Work that a test holds up, and an application that is stopped meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use lifecycle::{App, Phase, Report};
use lifecycle_tests::harness::http::{answered, connect, wait_until_refused};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// No wait takes longer: what has not happened by then will not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Work that begins, and ends when the test lets it.
pub(crate) struct Work {
    begun: Semaphore,
    may_end: Semaphore,
}

impl Work {
    pub(crate) const fn new() -> Self {
        Self { begun: Semaphore::const_new(0), may_end: Semaphore::const_new(0) }
    }

    pub(crate) async fn run(&self) {
        self.begun.add_permits(1);
        self.may_end.acquire().await.expect("it is not closed").forget();
    }

    /// Waits until so many pieces of work have begun.
    pub(crate) async fn begun(&self, count: u32) {
        let begun = timeout(PATIENCE, self.begun.acquire_many(count)).await.expect("work has begun");
        begun.expect("it is not closed").forget();
    }

    pub(crate) fn may_end(&self, count: usize) {
        self.may_end.add_permits(count);
    }
}

/// Sends a request, and returns the body of its answer.
pub(crate) fn ask(address: SocketAddr, path: &'static str) -> JoinHandle<String> {
    spawn_blocking(move || answered(connect(address).get(path)).body)
}

/// Asks the application to stop, and returns when it is stopping, with its end.
pub(crate) async fn stop(app: App) -> JoinHandle<Report> {
    let mut phase = app.watch_phase();
    app.shutdown("the test is over");
    let end = tokio::spawn(app.run());
    timeout(PATIENCE, phase.wait_for(|phase| *phase >= Phase::Stopping))
        .await
        .expect("it stops")
        .expect("its phase is known");
    end
}

/// The same, once a server has had its notice: it takes no new connections.
pub(crate) async fn stop_server(app: App, address: SocketAddr) -> JoinHandle<Report> {
    let end = stop(app).await;
    spawn_blocking(move || wait_until_refused(address)).await.expect("it closes its listener");
    end
}

/// Stops the application while a request is under way, lets that end, and returns the body of its answer.
pub(crate) async fn answer_under_way(
    app: App,
    address: SocketAddr,
    work: &Work,
    path: &'static str,
) -> String {
    let answer = ask(address, path);
    work.begun(1).await;
    let end = stop_server(app, address).await;
    work.may_end(1);
    let body = answer.await.expect("it is answered");
    assert_clean(&end.await.expect("it ends"));
    body
}

#[track_caller]
pub(crate) fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.exit_code, 0);
}
