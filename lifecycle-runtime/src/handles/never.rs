//! The type of what never ends, `!`, which cannot be named on stable Rust.

/// What a function returns.
pub trait Returns {
    /// The type of it.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// `!`: the output of a task that is an endless loop.
pub(crate) type Never = <fn() -> ! as Returns>::Output;
