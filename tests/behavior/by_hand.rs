//! A virtual clock of tokio stands still while a thread is blocked. Tests with such threads move it themselves.

use std::panic::Location;
use std::time::Instant;

use lifecycle::{App, Report};
use tokio::task::yield_now;
use tokio::time::advance;

use crate::stage::{ms, secs};

/// Waits for an end, and moves the clock meanwhile.
pub(crate) async fn live_by_hand(app: App) -> Report {
    let end = tokio::spawn(app.run());
    while !end.is_finished() {
        advance_by_hand(10).await;
    }
    end.await.unwrap()
}

/// Moves the clock, and lets everybody see it.
pub(crate) async fn advance_by_hand(millis: u64) {
    advance(ms(millis)).await;
    // Time reaches the engine, its commands reach the tasks, and these reach the engine.
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Waits for another thread while the clock stands still, but not for ever.
#[track_caller]
pub(crate) fn until(is_so: impl Fn() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    let began = Instant::now();
    async move {
        while !is_so() {
            assert!(began.elapsed() < secs(10), "what is waited for at {caller} does not come");
            yield_now().await;
        }
    }
}
