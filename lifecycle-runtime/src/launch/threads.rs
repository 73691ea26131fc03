//! The threads of the runtime that `#[lifecycle::main]` builds: `flavor`, `worker_threads`, and the environment.

use std::env::VarError;
use std::num::NonZeroU16;

use super::environment::Environment;

const VARIABLE: &str = "LIFECYCLE_WORKER_THREADS";

/// `flavor` and `worker_threads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// `multi_thread`, with as many workers as there are cores unless a number is given.
    Multi {
        /// `worker_threads`.
        workers: Option<usize>,
    },
    /// `current_thread`.
    Current,
}

impl Threads {
    /// The environment overrides the code, so that an operator needs no rebuild.
    pub(super) fn resolve(self, environment: &Environment) -> Result<Self, String> {
        let expected = "expected the number of worker threads, from \"1\" to \"65535\"";
        let value = match environment.var(VARIABLE) {
            Err(VarError::NotPresent) => return Ok(self),
            Ok(value) => value,
            Err(VarError::NotUnicode(value)) => {
                return Err(format!("{VARIABLE}={value:?} is not valid UTF-8: {expected}"));
            }
        };
        match (self, value.parse::<NonZeroU16>()) {
            (_, Err(_)) => Err(format!("{VARIABLE}={value:?}: {expected}")),
            (Self::Current, Ok(_)) => Err(format!(
                "{VARIABLE}={value:?}: this program runs on a single thread (`flavor = \"current_thread\"`); unset the \
                 variable"
            )),
            (Self::Multi { .. }, Ok(workers)) => Ok(Self::Multi { workers: Some(workers.get().into()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(threads: Threads, value: &str) -> Result<Threads, String> {
        threads.resolve(&Environment::from_iter([(VARIABLE.into(), value.into())]))
    }

    #[test]
    fn the_environment_wins_over_the_code() {
        for workers in [None, Some(2)] {
            assert_eq!(resolve(Threads::Multi { workers }, "4"), Ok(Threads::Multi { workers: Some(4) }));
        }
    }

    #[test]
    fn unset_or_empty_leaves_what_the_code_says() {
        for threads in
            [Threads::Current, Threads::Multi { workers: None }, Threads::Multi { workers: Some(2) }]
        {
            assert_eq!(threads.resolve(&Environment::from_iter([])), Ok(threads));
            assert_eq!(resolve(threads, ""), Ok(threads));
        }
    }

    #[test]
    fn what_is_no_number_of_threads_is_refused_with_name_value_and_form() {
        for value in ["0", "-1", "four", "1.5", "65536"] {
            for threads in [Threads::Current, Threads::Multi { workers: None }] {
                let expected = format!(
                    "LIFECYCLE_WORKER_THREADS={value:?}: expected the number of worker threads, from \"1\" to \"65535\""
                );
                assert_eq!(resolve(threads, value), Err(expected));
            }
        }
    }

    #[test]
    fn a_single_thread_has_no_workers() {
        let refused = resolve(Threads::Current, "4").unwrap_err();
        assert!(refused.contains("flavor = \"current_thread\""), "{refused}");
    }
}
