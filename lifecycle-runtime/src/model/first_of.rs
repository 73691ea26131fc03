//! Waiting for several futures at once. tokio's `select!` needs its feature `macros`, and with it all of syn: every program would
//! build both.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// What the first of the futures that is ready yields. They are polled in their order, and none of them after that.
pub(crate) async fn first_of<T>(futures: &mut [Pin<&mut (dyn Future<Output = T> + Send)>]) -> T {
    poll_fn(|cx| {
        for future in &mut *futures {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn the_one_that_stands_first_wins() {
        let polled = |futures: &mut [Pin<&mut (dyn Future<Output = u8> + Send)>]| {
            pin!(first_of(futures)).poll(&mut Context::from_waker(Waker::noop()))
        };
        assert_eq!(polled(&mut [pin!(pending()), pin!(ready(1)), pin!(ready(2))]), Poll::Ready(1));
        assert_eq!(polled(&mut [pin!(pending()), pin!(pending())]), Poll::Pending);
    }
}
