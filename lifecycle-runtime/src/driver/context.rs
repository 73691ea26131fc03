//! What the contexts of hooks stand on.

use std::any::TypeId;
use std::fmt;
use std::ops::Deref;

use super::{Instance, Seat};

/// What a resource comes after, by type: `None` stands for what is optional and missing.
pub(crate) type Dependencies = Vec<(TypeId, Option<Instance>)>;

/// The seat of a resource in the context of a hook, and what the hook is given.
///
/// The future of each hook holds it, and the compiler asks each whether it is `Send`. A seat leads to the whole driver,
/// which the compiler would look through again for each hook. It does not look behind a trait object.
pub(crate) struct Context(Box<dyn AsRef<Lent> + Send + Sync>);

pub(crate) struct Lent {
    pub(crate) seat: Seat,
    /// Held from the beginning of an acquisition, so that `get` cannot fail; empty for other hooks.
    pub(crate) dependencies: Dependencies,
}

impl Context {
    pub(crate) fn new(seat: Seat, dependencies: Dependencies) -> Self {
        Self(Box::new(Lent { seat, dependencies }))
    }
}

impl Deref for Context {
    type Target = Lent;

    fn deref(&self) -> &Lent {
        (*self.0).as_ref()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("seat", &self.seat).finish_non_exhaustive()
    }
}

impl AsRef<Self> for Lent {
    fn as_ref(&self) -> &Self {
        self
    }
}
