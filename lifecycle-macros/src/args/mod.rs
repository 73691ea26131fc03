//! The options of an attribute: `name = value` and `flag`, separated by commas.
//!
//! Each mistake is reported and skipped, so that the options after it are still checked.

mod list;
mod resources;
mod value;

pub(crate) use self::list::parse;
pub(crate) use self::value::{Arg, Spanned, duration};
