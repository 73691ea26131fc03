//! Where an application is in its life, and what ended it.

use std::fmt;

/// Where an application is in its life. The phases follow one another in this order and none is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Resources are being acquired.
    Starting,
    /// Everything is acquired; the only phase in which the application is ready.
    Running,
    /// Shutdown was asked for. The deadline is fixed, readiness is false, work goes on for the drain delay.
    Draining,
    /// Resources have their turns: tasks finish, resources are released.
    Stopping,
    /// Every resource has had its turn.
    Stopped,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// A signal that asks an application to end.
///
/// On Windows, Ctrl-C is [`Interrupt`](Self::Interrupt), Ctrl-Break is [`Quit`](Self::Quit), and closing the
/// console, logging off and shutting down are [`Terminate`](Self::Terminate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGHUP.
    Hangup,
    /// SIGINT, the signal of Ctrl-C.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTERM, the signal of supervisors.
    Terminate,
}

impl Signal {
    /// The number that the signal has on Unix, and with which it enters an exit code.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::Terminate => 15,
        }
    }

    /// Whether the signal, when it is repeated, asks for haste (rule D8).
    pub(crate) const fn insists(self) -> bool {
        matches!(self, Self::Interrupt | Self::Quit)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// What ended an application (rule D1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A signal arrived.
    Signal(Signal),
    /// Somebody asked for it, with these words.
    Requested(String),
    /// Something failed; [`Report::failures`](crate::Report::failures) tells what.
    Failed,
    /// Nothing was left to live for: the body of `main` had returned and no supervised task was alive.
    Finished,
    /// The configuration was refused, and nothing was started.
    Configuration,
    /// The application was dropped before its end: nobody waited for it.
    Dropped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "{signal} received"),
            Self::Requested(words) => write!(f, "shutdown requested: {words}"),
            Self::Failed => f.write_str("something failed"),
            Self::Finished => f.write_str("nothing is left to do"),
            Self::Configuration => f.write_str("the configuration was refused"),
            Self::Dropped => f.write_str("the application was dropped"),
        }
    }
}
