//! The kinds of files that are known.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Kubernetes,
    Systemd,
    Compose,
    Dockerfile,
    /// A shell script that starts the program
    Script,
    Pm2,
    Haproxy,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "Kubernetes",
            Self::Systemd => "systemd",
            Self::Compose => "Compose",
            Self::Dockerfile => "Dockerfile",
            Self::Script => "script",
            Self::Pm2 => "PM2",
            Self::Haproxy => "HAProxy",
        }
    }
}
