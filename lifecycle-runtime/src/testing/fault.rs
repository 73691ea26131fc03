//! What goes wrong on purpose.

use std::fmt;
use std::future::pending;
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::time::sleep;

use crate::driver::kit::Work;
use crate::model::failure::{BoxError, Skip};

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
    /// The hook is skipped, as with `Err(Skip.into())`: see [`Skip`]. For `acquire`.
    Skip,
    /// The hook begins so much later.
    Slow(Duration),
    /// The other fault, so much later: see [`after`](Self::after).
    Late(Duration, Box<Self>),
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

    /// The fault comes about so much later.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::Late(delay, Box::new(self))
    }

    /// Comes about here: for fakes, whose fault is not before the hook but in the middle of it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use lifecycle::testing::{Fault, World};
    /// use lifecycle::{App, Release, Resource, Result, Supplied, resource};
    ///
    /// #[resource(supplied)]
    /// struct Broker(Fault);
    ///
    /// impl Supplied for Broker {
    ///     async fn release(&self, _: &Release) -> Result {
    ///         // … what the real one does first
    ///         self.0.clone().happen().await
    ///     }
    /// }
    ///
    /// # lifecycle::testing::block_on(a_broker_that_closes_the_connection_is_reported());
    /// // #[tokio::test(start_paused = true)]
    /// async fn a_broker_that_closes_the_connection_is_reported() {
    ///     let broker = Broker(Fault::error("connection closed").after(Duration::from_secs(2)));
    ///     let app = App::builder().resources::<Broker>().supply(broker);
    ///     let ended = World::new().run(app, async |_app| {}).await;
    ///     ended.assert_failures(["`Broker` could not be released: connection closed"]);
    ///     assert_eq!(ended.stop_took, Some(Duration::from_secs(2)));
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// That of [`Error`](Self::Error), and [`Skip`].
    ///
    /// # Panics
    ///
    /// With the words of [`Panic`](Self::Panic).
    pub async fn happen(self) -> Result<(), BoxError> {
        let (delay, fault) = match self {
            Self::Slow(delay) => (delay, None),
            Self::Late(delay, fault) => (delay, Some(*fault)),
            fault => (Duration::ZERO, Some(fault)),
        };
        // What takes no time is ready at once.
        if !delay.is_zero() {
            sleep(delay).await;
        }
        match fault {
            None => Ok(()),
            Some(Self::Hang) => pending().await,
            Some(Self::Error(why)) => Err(why.into()),
            Some(Self::Panic(words)) => resume_unwind(Box::new(words)),
            Some(Self::Skip) => Err(Skip.into()),
            Some(later @ (Self::Slow(_) | Self::Late(..))) => Box::pin(later.happen()).await,
        }
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
