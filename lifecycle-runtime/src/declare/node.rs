//! A declaration: written by `#[resource]`, constant, and known before the program starts.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use crate::driver::Hooks;
use crate::model::graph::Necessity;

/// Reserve of a resource that names none (rule D6).
pub(crate) const DEFAULT_RESERVE: Duration = Duration::from_secs(1);

/// The crate that an expansion is part of.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// `option_env!("CARGO_PKG_NAME")`: set by cargo.
    pub package: Option<&'static str>,
    /// `module_path!()`.
    pub module: &'static str,
}

impl Origin {
    /// The name of the package or, without cargo, that of the crate.
    #[must_use]
    pub fn package(self) -> &'static str {
        let krate = self.module.split("::").next().unwrap_or(self.module);
        self.package.unwrap_or(krate)
    }
}

/// The options of one `#[resource]`, as they were written.
#[derive(Debug)]
pub struct Declaration {
    /// `name = "…"`, or else the name of the type.
    pub name: &'static str,
    /// The file of the struct.
    pub file: &'static str,
    /// The line of the struct.
    pub line: u32,
    /// The crate of the struct.
    pub origin: Origin,
    /// `after = …`; functions, since references between statics of a cycle would be reported twice.
    pub after: &'static [fn() -> &'static Node],
    /// `acquire_timeout = "…"`.
    pub acquire_timeout: Option<Duration>,
    /// `drain_timeout = "…"`.
    pub drain_timeout: Option<Duration>,
    /// `reserve = "…"`.
    pub reserve: Option<Duration>,
    /// `optional` or `skippable`.
    pub necessity: Necessity,
    /// `foundation`.
    pub foundation: bool,
    /// `supplied`.
    pub supplied: bool,
}

/// One resource's declaration together with its hooks.
pub struct Node {
    pub(crate) declaration: Declaration,
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) hooks: Hooks,
}

impl Node {
    pub(crate) fn type_id(&self) -> TypeId {
        (self.hooks.type_id)()
    }

    pub(crate) fn reserve(&self) -> Duration {
        self.declaration.reserve.unwrap_or(DEFAULT_RESERVE)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("declaration", &self.declaration).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn without_cargo_a_crate_is_a_package() {
        let with_cargo = Origin { package: Some("shop-suite"), module: "shop::store" };
        assert_eq!(with_cargo.package(), "shop-suite");
        assert_eq!(Origin { package: None, ..with_cargo }.package(), "shop");
        assert_eq!(Origin { package: None, module: "shop" }.package(), "shop");
    }
}
