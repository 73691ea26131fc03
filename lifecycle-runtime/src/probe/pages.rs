//! Pages of the program's own, beside those of the probe.

use hyper::Uri;
use hyper::header::HeaderValue;

use super::answer;
use crate::handles::acquire::Acquire;
use crate::model::failure::Result;

impl<R> Acquire<R> {
    /// Adds a page to the probe (feature `probe`): a text for machines, such as metrics for Prometheus. It is there until
    /// the resource is released.
    ///
    /// ```
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// # struct Handle;
    /// # impl Handle { fn render(&self) -> String { String::new() } }
    /// # fn install() -> Result<Handle> { Ok(Handle) }
    /// #[resource(foundation)]
    /// struct Metrics;
    ///
    /// impl Resource for Metrics {
    ///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    ///         let handle = install()?; // such as `PrometheusBuilder::new().install_recorder()`
    ///         cx.page("/metrics", "text/plain; version=0.0.4", move || handle.render())?;
    ///         Ok(Metrics)
    ///     }
    /// }
    /// ```
    ///
    /// `render` is called for each request (GET or HEAD), on the blocking threads of the application's runtime and never
    /// twice at the same time. If it does not return within the time of a check ([`Probe::check_timeout`]), or if the one
    /// before it does not, the answer is 503; if it panics, it is 500. The page is for every client that reaches the
    /// probe. In an application without a probe nobody asks for it.
    ///
    /// [`Probe::check_timeout`]: crate::Probe::check_timeout
    ///
    /// # Errors
    ///
    /// If the path does not begin with `/`, has a query or a character that a path cannot have, is one of the probe's own,
    /// or is that of another page; or if `content_type` cannot be the value of a header.
    pub fn page(
        &self,
        path: &str,
        content_type: &str,
        render: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result {
        let is_path = path.starts_with('/') && path.parse::<Uri>().is_ok_and(|uri| uri.path() == path);
        if !is_path {
            return Err(
                format!("{path:?} is not the path of a page; one is written like \"/metrics\"").into()
            );
        }
        if answer::is_own(path) {
            return Err(format!("the probe itself answers {path}: choose another path for the page").into());
        }
        if HeaderValue::from_str(content_type).is_err() {
            return Err(format!(
                "{content_type:?} is not a content type; one is written like \"text/plain\""
            )
            .into());
        }
        if self.context.seat.add_page(path.to_owned(), content_type.to_owned(), Box::new(render)) {
            Ok(())
        } else {
            Err(format!("there is a page at {path} already: choose another path").into())
        }
    }
}
