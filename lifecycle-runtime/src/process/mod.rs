//! The process we run in: its signals, its stderr, its `/proc`, and its end when nothing else ends it.

pub(crate) mod procfs;
pub(crate) mod signals;
pub(crate) mod stderr;
pub(crate) mod watchdog;
