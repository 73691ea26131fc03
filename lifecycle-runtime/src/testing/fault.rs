//! What goes wrong on purpose.

use std::fmt;
use std::future::pending;
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::time::sleep;

use crate::driver::BoxFuture;
use crate::driver::kit::Work;
use crate::model::failure::BoxError;

/// Something that goes wrong in a [`Hook`] of a resource: see [`World::fault`](super::World::fault).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The hook never ends, and is not begun.
    Hang,
    /// The hook fails with this error, and is not begun.
    Error(String),
    /// The hook panics with this message, and is not begun.
    Panic(String),
    /// The hook begins so much later.
    Slow(Duration),
}

/// What of a resource a [`Fault`] is in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hook {
    /// `acquire`.
    Acquire,
    /// `release`.
    Release,
    /// `reload`.
    Reload,
    /// The supervised or background task with this name.
    Task(String),
}

impl Fault {
    /// The hook fails with this error.
    #[must_use]
    pub fn error(why: impl Into<String>) -> Self {
        Self::Error(why.into())
    }

    /// The hook panics with this message.
    #[must_use]
    pub fn panic(words: impl Into<String>) -> Self {
        Self::Panic(words.into())
    }

    /// What comes before the hook.
    pub(super) fn happen(self) -> BoxFuture<Result<(), BoxError>> {
        Box::pin(async {
            match self {
                Self::Hang => pending().await,
                Self::Error(why) => Err(why.into()),
                Self::Panic(words) => resume_unwind(Box::new(words)),
                Self::Slow(duration) => {
                    sleep(duration).await;
                    Ok(())
                }
            }
        })
    }
}

impl Hook {
    /// The task with this name.
    #[must_use]
    pub fn task(name: impl Into<String>) -> Self {
        Self::Task(name.into())
    }

    pub(super) fn is(&self, work: Work<'_>) -> bool {
        match (self, work) {
            (Self::Acquire, Work::Acquire)
            | (Self::Release, Work::Release)
            | (Self::Reload, Work::Reload) => true,
            (Self::Task(name), Work::Task(task)) => name == task,
            _ => false,
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acquire => f.write_str("`acquire`"),
            Self::Release => f.write_str("`release`"),
            Self::Reload => f.write_str("`reload`"),
            Self::Task(name) => write!(f, "task `{name}`"),
        }
    }
}
