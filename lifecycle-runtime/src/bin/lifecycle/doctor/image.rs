//! The image that containers run.

use super::variables::Variables;
use super::words::base;

/// What containers have of the image.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) variables: Variables,
    /// What it is made from, if there is neither a shell nor another program in that.
    pub(super) bare: Option<String>,
    /// The names of what was copied into it.
    pub(super) copied: Vec<String>,
    pub(super) entrypoint: Option<Vec<String>>,
}

impl Image {
    /// What it says of a program that it does not have, as far as is known: only of an image with nothing in it.
    pub(super) fn lacks(&self, words: &[String]) -> Option<String> {
        let (from, first) = (self.bare.as_ref()?, words.first()?);
        let name = base(first);
        let is_elsewhere =
            first.starts_with('/') && !["/bin/", "/usr/bin/"].iter().any(|it| first.starts_with(it));
        let is_there = is_elsewhere || self.copied.iter().any(|copied| copied == name);
        (!is_there).then(|| format!("`{name}` is not in an image that is made from {from}"))
    }
}
