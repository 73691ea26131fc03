//! What went wrong in one operation of one resource.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::BoxError;
use crate::report::Human;

/// What a resource was doing when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// It was being acquired.
    Acquire,
    /// A supervised task of this name was running.
    Task(String),
    /// It was being released.
    Release,
    /// Its last resort, `abort`, was running.
    Abort,
    /// The body of `main` was running.
    Main,
    /// The application was being configured.
    Configure,
}

/// One thing that went wrong. Displayed, it names the resource and the operation;
/// [`source`](Error::source) is the cause.
#[derive(Clone, Debug)]
pub struct Failure {
    resource: String,
    operation: Operation,
    cause: Arc<Cause>,
    chain: Vec<String>,
    is_tolerated: bool,
}

/// Why an operation failed.
#[derive(Debug)]
pub(crate) enum Cause {
    Error(BoxError),
    Panic(Panic),
    TimedOut(Limit),
    /// The future was dropped by somebody else: the runtime went away under it.
    Lost,
}

/// Which limit an operation ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    AcquireTimeout(Duration),
    StartupTimeout(Duration),
    /// The cut-off of the resource's turn (rule D6), this long after the operation began.
    Cutoff(Duration),
}

/// What a panic said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panic(String);

impl Panic {
    pub(crate) fn new(payload: &(dyn Any + Send)) -> Self {
        let words = payload.downcast_ref::<&str>().map(ToString::to_string);
        let words = words.or_else(|| payload.downcast_ref::<String>().cloned());
        Self(words.unwrap_or_else(|| "a value that is no text".to_owned()))
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Failure {
    pub(crate) fn new(resource: &str, operation: Operation, cause: Cause) -> Self {
        Self {
            resource: resource.to_owned(),
            operation,
            cause: Arc::new(cause),
            chain: Vec::new(),
            is_tolerated: false,
        }
    }

    pub(crate) fn with_chain(self, chain: Vec<String>) -> Self {
        Self { chain, ..self }
    }

    pub(crate) fn tolerated(self) -> Self {
        Self { is_tolerated: true, ..self }
    }

    /// The resource that failed; `main` for the body of `main`.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// What the resource was doing.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Whether it panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(*self.cause, Cause::Panic(_))
    }

    /// Whether it took longer than it may.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(*self.cause, Cause::TimedOut(_))
    }

    /// The longest chain of `after` that needed the resource: each comes after the next, and it is the last.
    #[must_use]
    pub fn chain(&self) -> &[String] {
        &self.chain
    }

    /// Whether the application goes on all the same, since the resource is optional (rule S6).
    #[must_use]
    pub fn is_tolerated(&self) -> bool {
        self.is_tolerated
    }

    /// The cause, in words: the error and its sources, the panic's message or the limit that was reached.
    #[must_use]
    pub fn cause(&self) -> String {
        match &*self.cause {
            Cause::Error(error) => chain(&**error),
            Cause::Panic(panic) => format!("panicked: {panic}"),
            Cause::TimedOut(Limit::AcquireTimeout(limit)) => {
                format!("timed out: acquire_timeout is {}", Human(*limit))
            }
            Cause::TimedOut(Limit::StartupTimeout(limit)) => {
                format!("timed out: startup_timeout is {}", Human(*limit))
            }
            Cause::TimedOut(Limit::Cutoff(after)) => {
                format!("cut off after {}, when its share of the deadline was used up", Human(*after))
            }
            Cause::Lost => "dropped before it was done: its runtime was shut down".to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, operation, .. } = self;
        match operation {
            Operation::Acquire => write!(f, "`{resource}` could not be acquired"),
            Operation::Task(task) => write!(f, "task `{task}` of `{resource}` failed"),
            Operation::Release => write!(f, "`{resource}` could not be released"),
            Operation::Abort => write!(f, "`abort` of `{resource}` failed"),
            Operation::Main => write!(f, "`main` failed"),
            Operation::Configure => write!(f, "the configuration was refused"),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.cause {
            Cause::Error(error) => Some(&**error),
            Cause::Panic(_) | Cause::TimedOut(_) | Cause::Lost => None,
        }
    }
}

/// An error and its sources, outermost first, without the repetition of a wrapper that says what its source says.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        source = error.source();
    }
    text
}
