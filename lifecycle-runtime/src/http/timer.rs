//! tokio's timers for hyper, which keeps one for the pings of each connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use pin_project_lite::pin_project;

/// Like hyper-util's, but for a connection that one task polls, at each request several times: a timer that runs is not
/// told again whom to wake.
#[derive(Clone, Copy)]
pub(super) struct TaskTimer;

pin_project! {
    struct TaskSleep {
        #[pin]
        sleep: tokio::time::Sleep,
        is_waiting: bool,
    }
}

impl TaskSleep {
    fn until(deadline: tokio::time::Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Self { sleep: tokio::time::sleep_until(deadline), is_waiting: false })
    }
}

impl Sleep for TaskSleep {}

impl Future for TaskSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if std::mem::replace(this.is_waiting, true) && !this.sleep.is_elapsed() {
            return Poll::Pending;
        }
        this.sleep.poll(cx)
    }
}

impl Timer for TaskTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        TaskSleep::until(deadline.into())
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        if let Some(sleep) = sleep.as_mut().downcast_mut_pin::<TaskSleep>() {
            let this = sleep.project();
            this.sleep.reset(deadline.into());
            *this.is_waiting = false;
        }
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_waits_or_has_fired_can_be_reset() {
        let begin = TaskTimer.now();
        let mut sleep = TaskTimer.sleep(Duration::from_secs(1));
        let first = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        for seconds in [3, 5] {
            TaskTimer.reset(&mut sleep, begin + Duration::from_secs(seconds));
            sleep.as_mut().await;
            assert_eq!((TaskTimer.now() - begin).as_secs(), seconds);
        }
    }
}
