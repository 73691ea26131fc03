//! Exit codes (rule E1).

use super::signal::Signal;

/// Something failed: the start, `main`, a supervised task or a release.
pub(crate) const FAILED: u8 = 1;

/// The configuration is wrong: `EX_CONFIG` of `sysexits.h`. A restart will not help.
pub(crate) const CONFIGURATION: u8 = 78;

/// The deadline cut something off; as with `timeout(1)`.
pub(crate) const CUT_OFF: u8 = 124;

/// Everything that decides about the exit code of an application that was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// An error said that the configuration is wrong.
    pub(crate) is_misconfigured: bool,
    /// The signal that interrupted the body of `main`, or insisted.
    pub(crate) interrupted_by: Option<Signal>,
    pub(crate) was_cut: bool,
    pub(crate) has_failed: bool,
    /// The body's own `ExitCode`.
    pub(crate) body: Option<u8>,
}

impl Ending {
    /// Of several codes the gravest wins; the body's own code stands if nothing went wrong.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self { is_misconfigured: true, .. } => CONFIGURATION,
            Self { interrupted_by: Some(signal), .. } => signal.exit_code(),
            Self { was_cut: true, .. } => CUT_OFF,
            Self { has_failed: true, .. } => FAILED,
            Self { body, .. } => body.unwrap_or(0),
        }
    }
}
