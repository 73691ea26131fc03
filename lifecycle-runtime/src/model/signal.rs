//! The signals that ask an application to end.

use std::fmt;

/// A signal that asks a process to end.
///
/// On Windows, Ctrl-C is [`Interrupt`](Self::Interrupt), Ctrl-Break is [`Quit`](Self::Quit), and closing the console,
/// logging off and shutting down are [`Terminate`](Self::Terminate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGHUP.
    Hangup,
    /// SIGINT, sent by Ctrl-C.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTERM, sent by supervisors.
    Terminate,
}

/// Signals that do not reach the application any more, because something else in the process took them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The crate `ctrlc` did, which replaces what others have installed.
    ByCtrlc,
    /// Something took the handlers for these away.
    Lost(Vec<Signal>),
}

impl Signal {
    /// The number of the signal on Unix, which appears in exit codes as 128+n.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::Terminate => 15,
        }
    }

    /// The exit code of a process that the signal interrupted, as a shell counts it: 128+n (rule E1).
    ///
    /// A body of `main` that heeds its notice returns [`Interrupted`](crate::Interrupted). This is for a program that
    /// makes its own exit code: of [`Report::reason`](crate::Report::reason), if that is a signal.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        128 + self.number()
    }

    /// Whether the signal insists when it arrives during a stop (rule D8).
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
