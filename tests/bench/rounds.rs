//! Runs what is compared in turn, so that a busy machine is busy for all of it.

use std::time::{Duration, Instant};

/// What one run, or several, took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    /// Of all threads of this process. Zero where the system does not tell.
    pub(crate) cpu: Duration,
}

/// One round is cut into so many slices. The medians of the slices stand for the round, so that a moment in which the
/// machine does something else is not seen.
const SLICES: usize = 10;

/// What takes long has fewer slices.
const ENOUGH: Duration = Duration::from_secs(1);

/// One round: calls `run` for each of `peers`, slice by slice, and returns what the slices gave. The order is turned
/// around in every second slice: nobody is always first.
pub(crate) fn round<P: Copy, T, const N: usize>(peers: [P; N], mut run: impl FnMut(P) -> T) -> [Vec<T>; N] {
    let mut taken = [const { Vec::new() }; N];
    let began = Instant::now();
    for slice in 0..SLICES {
        for position in 0..N {
            let position = if slice % 2 == 0 { position } else { N - 1 - position };
            taken[position].push(run(peers[position]));
        }
        if began.elapsed() > ENOUGH {
            break;
        }
    }
    taken
}

/// Calls `act`, and says what that took.
pub(crate) fn time<T>(act: impl FnOnce() -> T) -> (T, Taken) {
    time_by(process_time, act)
}

/// The same, but the CPU time is only that of this thread.
pub(crate) fn time_of_thread<T>(act: impl FnOnce() -> T) -> (T, Taken) {
    time_by(thread_time, act)
}

fn time_by<T>(cpu_time: fn() -> Duration, act: impl FnOnce() -> T) -> (T, Taken) {
    let (began, cpu) = (Instant::now(), cpu_time());
    let value = act();
    (value, Taken { wall: began.elapsed(), cpu: cpu_time() - cpu })
}

#[cfg(unix)]
fn process_time() -> Duration {
    clock(rustix::time::ClockId::ProcessCPUTime)
}

#[cfg(unix)]
fn thread_time() -> Duration {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

#[cfg(unix)]
fn clock(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::try_from(time).expect("nobody has used less than no time")
}

#[cfg(not(unix))]
fn process_time() -> Duration {
    Duration::ZERO
}

#[cfg(not(unix))]
fn thread_time() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stay_in_their_places_whoever_runs_first() {
        let mut order = String::new();
        let results = round(['a', 'b'], |peer| {
            order.push(peer);
            peer
        });
        assert!(order.starts_with("abbaab"), "{order}");
        assert_eq!(results.map(|slices| slices.into_iter().all(|peer| peer == 'a')), [true, false]);
        assert_eq!(order.len(), 2 * SLICES);
    }
}
