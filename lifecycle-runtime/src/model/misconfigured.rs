//! The error that says that the configuration is wrong.

use std::error::Error;
use std::fmt;

use super::failure::BoxError;

/// The error by which a program says that its configuration is wrong: a restart will not help, so the exit code is 78
/// instead of 1 (rule E1).
///
/// Return it from [`Resource::acquire`](crate::Resource::acquire), by itself or as the source of another error (as
/// `anyhow::Context` makes it). It says what the error or the text says that it was made from. The start fails as for any
/// other error, and the exit code counts if the failure does: that of an `optional` resource is tolerated.
///
/// Use it for what an operator wrote (a variable, a file, an argument), and not for a server that cannot be reached.
///
/// ```
/// use std::env;
///
/// use lifecycle::{Acquire, Misconfigured, Resource, Result, resource};
/// use tokio::net::TcpListener;
///
/// #[resource]
/// struct Listener(TcpListener);
///
/// impl Resource for Listener {
///     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
///         let port = env::var("PORT").map_err(|error| Misconfigured::new(format!("PORT: {error}")))?;
///         let port: u16 = port.parse().map_err(Misconfigured::new)?;
///         if port == 0 {
///             return Err(Misconfigured::new("PORT is 0: nobody would find the server").into());
///         }
///         Ok(Self(TcpListener::bind(("0.0.0.0", port)).await?))
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Misconfigured(Mistake);

/// The mistake itself, as the source of the error: where a wrapper hides the error and shows its sources, it is still
/// found.
#[derive(Debug)]
struct Mistake(BoxError);

impl Misconfigured {
    /// From a text that names what is wrong, or from the error that reading it gave.
    pub fn new(mistake: impl Into<BoxError>) -> Self {
        Self(Mistake(mistake.into()))
    }

    /// Whether `error` is one, without its sources.
    pub(crate) fn is(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.is::<Mistake>()
    }
}

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Misconfigured {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Mistake {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
