//! The image that containers run.

use super::variables::Variables;

/// What containers have of the image.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) variables: Variables,
    /// What it is made from, if there is neither a shell nor another program in that.
    pub(super) bare: Option<String>,
    pub(super) entrypoint: Option<Vec<String>>,
}
