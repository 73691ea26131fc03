//! The handshake of a connection, and how long it may take.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::limits::FIRST_BYTE;

/// Waits for a handshake, for `limit` at most. Returns `None` if it took too long.
///
/// Once `stopping` is ready, one that still waits for the first byte of its client has no longer than any other
/// connection. What a handshake does cannot be seen; but one that has waited and is woken has something to read.
pub(super) async fn shake_hands<H: Future>(
    handshake: H,
    limit: Option<Duration>,
    stopping: impl Future<Output = ()>,
) -> Option<H::Output> {
    let accepted = Instant::now();
    let limit = limit.unwrap_or(Duration::MAX);
    let (mut handshake, mut stopping) = (pin!(handshake), pin!(stopping));
    // Most have nothing to wait for.
    let first = poll_fn(|cx| Poll::Ready(handshake.as_mut().poll(cx))).await;
    if let Poll::Ready(output) = first {
        return Some(output);
    }
    let mut timer = pin!(sleep(Duration::ZERO));
    let has_begun = Arc::new(AtomicBool::new(false));
    let mut is_stopping = false;
    poll_fn(|cx| {
        let bell = Arc::new(Bell { task: cx.waker().clone(), has_rung: Arc::clone(&has_begun) });
        let bell = Waker::from(bell);
        loop {
            if let Poll::Ready(output) = handshake.as_mut().poll(&mut Context::from_waker(&bell)) {
                return Poll::Ready(Some(output));
            }
            if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                // First read what has arrived by now.
                continue;
            }
            let is_silent = is_stopping && !has_begun.load(Ordering::Relaxed);
            let limit = if is_silent { limit.min(FIRST_BYTE) } else { limit };
            let Some(due) = accepted.checked_add(limit) else { return Poll::Pending };
            if due <= Instant::now() {
                return Poll::Ready(None);
            }
            timer.as_mut().reset(due);
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Wakes the task of the connection, and keeps that it did.
struct Bell {
    task: Waker,
    has_rung: Arc<AtomicBool>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // The task sees it, as it is woken after that.
        self.has_rung.store(true, Ordering::Relaxed);
        self.task.wake_by_ref();
    }
}
