//! The never type `!`, which has no name on stable Rust.

/// The return type of a function.
pub trait Returns {
    /// The return type.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// `!`: the output of a task that is an endless loop.
pub(crate) type Never = <fn() -> ! as Returns>::Output;
