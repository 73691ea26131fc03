//! What went wrong in one operation of one resource.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Name;
use super::duration::Human;
use super::graph::{Graph, Id};

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A `Result` whose error is [`BoxError`] by default, so that `?` takes any error, including `anyhow::Error`.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// The error by which a `skippable` or `optional` resource says that its configuration switches it off, which is not a
/// failure: `return Err(lifecycle::Skip.into())`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip;

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("switched off by configuration")
    }
}

impl Error for Skip {}

/// The operation in which a resource failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// `acquire`.
    Acquire,
    /// A supervised task with this name.
    Task(String),
    /// `release`.
    Release,
    /// `abort`, the last resort.
    Abort,
    /// `reload`.
    Reload,
    /// The body of `main`.
    Main,
    /// Reading the configuration.
    Configure,
    /// Starting the threads and the runtime, for which the process lacked threads, descriptors or memory.
    Prepare,
    /// Binding the probe to its address.
    Probe,
}

/// One thing that went wrong, with the resource and the operation.
///
/// Its `Display` names the resource and the operation; [`cause`](Self::cause) has the cause as text, and
/// [`source`](Error::source) as an error. [`Report::failures`](crate::Report::failures) lists the failures of an
/// application; [`Outcome`](crate::Outcome) says in one word how it went with a resource.
#[derive(Clone, Debug)]
pub struct Failure {
    resource: Name,
    operation: Operation,
    cause: Cause,
    error: Option<SharedError>,
    /// Where the resource stands, for the chain of those that needed it.
    place: Option<(Arc<Graph>, Id)>,
    is_tolerated: bool,
}

/// Why an operation failed, as plain data: the user's error itself is kept elsewhere, or gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    Error(ErrorText),
    Panic(String),
    TimedOut(Limit),
    /// The future was dropped by something else: its runtime was shut down.
    Lost,
}

/// The error of a user, as the value that it was. To drop it may panic: that harms nobody here.
#[derive(Clone, Debug)]
pub(crate) struct SharedError(Option<Arc<dyn Error + Send + Sync>>);

impl SharedError {
    pub(crate) fn new(error: BoxError) -> Self {
        Self(Some(error.into()))
    }

    pub(crate) fn get(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.0.as_deref().expect("it is taken only when it is dropped")
    }
}

impl Drop for SharedError {
    fn drop(&mut self) {
        let error = self.0.take();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(error))) {
            // To drop what the panic carries may panic in turn.
            std::mem::forget(payload);
        }
    }
}

/// What an error said, with its sources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ErrorText {
    pub(crate) text: String,
    /// The number under which the error itself is kept, if it is.
    pub(crate) kept_as: Option<u64>,
    /// The error is a [`Misconfigured`](super::misconfigured::Misconfigured), or has one among its sources.
    pub(crate) is_misconfiguration: bool,
}

impl From<&str> for ErrorText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for ErrorText {
    fn from(text: String) -> Self {
        Self { text, kept_as: None, is_misconfiguration: false }
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for ErrorText {}

/// The limit that an operation exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    AcquireTimeout(Duration),
    StartupTimeout(Duration),
    /// The cut-off of the resource's turn (rule D6), this long after the operation began.
    Cutoff(Duration),
}

impl Limit {
    pub(crate) fn duration(self) -> Duration {
        match self {
            Self::AcquireTimeout(limit) | Self::StartupTimeout(limit) | Self::Cutoff(limit) => limit,
        }
    }
}

impl Failure {
    pub(crate) fn new(resource: Name, operation: Operation, cause: Cause) -> Self {
        Self { resource, operation, cause, error: None, place: None, is_tolerated: false }
    }

    /// The failure of a resource of a plan; it is tolerated if the resource is optional (rule S6).
    pub(crate) fn of(plan: &Arc<Graph>, id: Id, operation: Operation, cause: Cause) -> Self {
        Self {
            place: Some((Arc::clone(plan), id)),
            is_tolerated: plan.step(id).necessity.may_fail(),
            ..Self::new(plan.name(id), operation, cause)
        }
    }

    /// The failure of a reload. It is tolerated: the resource keeps what it had, and the application goes on (§9).
    pub(crate) fn of_reload(plan: &Arc<Graph>, id: Id, cause: Cause) -> Self {
        Self { is_tolerated: true, ..Self::of(plan, id, Operation::Reload, cause) }
    }

    /// The number under which the error itself is kept.
    pub(crate) fn kept_as(&self) -> Option<u64> {
        match &self.cause {
            Cause::Error(error) => error.kept_as,
            Cause::Panic(_) | Cause::TimedOut(_) | Cause::Lost => None,
        }
    }

    /// Whether an error said that the configuration is wrong, and that is why the application fails (rule E1).
    pub(crate) fn blames_configuration(&self) -> bool {
        let is_misconfiguration = match &self.cause {
            Cause::Error(error) => error.is_misconfiguration,
            Cause::Panic(_) | Cause::TimedOut(_) | Cause::Lost => false,
        };
        is_misconfiguration && !self.is_tolerated
    }

    /// Adds the error itself.
    pub(crate) fn attach(&mut self, error: Option<SharedError>) {
        self.error = error;
    }

    /// The same with other words in place of those of an error or a panic.
    #[allow(dead_code, reason = "the probe shows it")]
    pub(crate) fn in_other_words(mut self, words: &str) -> Self {
        match &mut self.cause {
            Cause::Error(error) => *error = words.into(),
            Cause::Panic(panic) => *panic = words.to_owned(),
            Cause::TimedOut(_) | Cause::Lost => {}
        }
        self
    }

    /// The name of the resource; `main` for the body of `main`.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.resource
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Whether the operation panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.cause, Cause::Panic(_))
    }

    /// Whether the operation exceeded a time limit.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause, Cause::TimedOut(_))
    }

    /// The longest chain of `after` that needed the resource: each comes after the next, and the failed one is last.
    #[must_use]
    pub fn chain(&self) -> Vec<&str> {
        match &self.place {
            Some((plan, id)) => plan.chain(*id).into_iter().map(|id| plan.name(id)).collect(),
            None => Vec::new(),
        }
    }

    /// Whether the application goes on in spite of it: the resource is optional (rule S6), or could not be reloaded and
    /// keeps what it had.
    #[must_use]
    pub fn is_tolerated(&self) -> bool {
        self.is_tolerated
    }

    /// The cause as text: the error with its sources, the message of the panic, or the limit that was exceeded.
    #[must_use]
    pub fn cause(&self) -> String {
        match &self.cause {
            Cause::Error(error) => error.to_string(),
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
            Cause::Lost => "dropped before it completed: its runtime was shut down".to_owned(),
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
            Operation::Reload => write!(f, "`{resource}` could not be reloaded"),
            Operation::Abort => write!(f, "`abort` of `{resource}` failed"),
            Operation::Main => write!(f, "`main` failed"),
            Operation::Configure => write!(f, "the configuration was refused"),
            Operation::Prepare => write!(f, "the process lacks what it needs to start"),
            Operation::Probe => write!(f, "the probe has no address to answer at"),
        }
    }
}

impl Error for Failure {
    /// The error that the operation returned, as the value that it was. If it had to be let go, because it may have
    /// held a [`Guard`](crate::Guard) that a stop was waiting for, this is its text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match (&self.error, &self.cause) {
            (Some(error), _) => Some(error.get()),
            (None, Cause::Error(text)) => Some(text),
            (None, Cause::Panic(_) | Cause::TimedOut(_) | Cause::Lost) => None,
        }
    }
}
