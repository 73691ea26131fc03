//! When a connection of HTTP/2 is asked to leave before the turn: in the drain delay (rule D4), and when it is old.

use std::collections::hash_map::RandomState;
use std::future::pending;
use std::hash::BuildHasher;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::driver::Seat;

/// When a connection that begins now is old. Connections that began together are not old together: the age differs by a
/// tenth in either direction.
pub(super) fn end_of(max_age: Duration) -> Option<Instant> {
    let tenth = max_age / 10;
    Instant::now().checked_add((max_age - tenth).checked_add(any_below(tenth * 2))?)
}

/// Waits until a connection is to be asked to leave: when it is old, or at some moment in the first half of the drain
/// delay. Each connection has a moment of its own, so that the clients do not all come to another instance at once.
///
/// In the second half nobody is asked: where the clients went to is the same for those that come back.
pub(super) async fn is_due(seat: &Seat, old: Option<Instant>) {
    if seat.leaving().run_until_in_task(reached(old)).await.is_some() {
        return;
    }
    let now = Instant::now();
    let middle = seat.driver.middle_of_delay().filter(|middle| *middle > now);
    let moment = middle.map(|middle| now + any_below(middle - now));
    reached(old.into_iter().chain(moment).min()).await;
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

/// Some duration that is shorter than `limit`, or zero. The keys of the standard library's hashes are random, which is
/// good enough to spread things.
fn any_below(limit: Duration) -> Duration {
    let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(RandomState::new().hash_one(()) % nanos.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(100);

    #[tokio::test(start_paused = true)]
    async fn ages_differ_by_a_tenth_at_most() {
        let ages: Vec<_> = (0..1000).map(|_| end_of(AGE).unwrap() - Instant::now()).collect();
        let (least, most) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
        assert!(*least >= AGE * 9 / 10 && *most < AGE * 11 / 10, "{least:?} to {most:?}");
        assert!(*most - *least > AGE / 10, "they are spread: {least:?} to {most:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_age_may_be_nothing_or_for_ever() {
        assert_eq!(end_of(Duration::ZERO), Some(Instant::now()));
        assert_eq!(end_of(Duration::MAX), None);
    }
}
