//! The pages that resources add to the probe. Their text is the user's: it is made on a blocking thread of the runtime,
//! one at a time, and not waited for without a limit.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Driver, Panic, Seat, catch, lock};
use crate::model::graph::Id;

/// Makes the text of a page.
pub(crate) type Render = Box<dyn Fn() -> String + Send + Sync>;

/// One page.
pub(crate) struct Page {
    owner: Id,
    path: String,
    content_type: String,
    render: Render,
    /// One that hangs holds up its own page, and takes one thread.
    turn: Arc<Semaphore>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What became of a page.
pub(crate) enum Rendered {
    Text {
        content_type: String,
        text: String,
    },
    Panicked,
    TimedOut,
    /// The resource was released meanwhile.
    Gone,
}

/// All pages.
#[derive(Default)]
pub(super) struct Pages(Mutex<Vec<Arc<Page>>>);

impl Seat {
    /// Adds a page for as long as the resource is there. Returns whether the path was free.
    pub(crate) fn add_page(&self, path: String, content_type: String, render: Render) -> bool {
        let turn = Arc::new(Semaphore::new(1));
        let page = Arc::new(Page { owner: self.id, path, content_type, render, turn });
        let mut pages = lock(&self.driver.pages.0);
        let is_free = pages.iter().all(|other| other.path != page.path);
        if is_free {
            pages.push(Arc::clone(&page));
        }
        // What is not added is dropped without the lock.
        drop(pages);
        is_free
    }
}

impl Driver {
    pub(crate) fn has_page(&self, path: &str) -> bool {
        self.page(path).is_some()
    }

    /// A page and its turn. The page itself is held only where it may be dropped.
    fn page(&self, path: &str) -> Option<(Weak<Page>, Arc<Semaphore>)> {
        let pages = lock(&self.pages.0);
        let page = pages.iter().find(|page| page.path == path)?;
        Some((Arc::downgrade(page), Arc::clone(&page.turn)))
    }

    /// The text of a page, now.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has begun comes to its end, and is thrown away.
    pub(crate) async fn render(&self, path: &str, limit: Duration) -> Rendered {
        let Some((page, turn)) = self.page(path) else { return Rendered::Gone };
        let rendered = async {
            let turn = turn.acquire_owned().await;
            let rendered = self.runtime.spawn_blocking(move || {
                // Its resource may be gone by now.
                let Some(page) = page.upgrade() else { return Rendered::Gone };
                let text = catch(|| (page.render)());
                let content_type = page.content_type.clone();
                // This may be the last that holds it.
                let _ = catch(|| drop(page));
                drop(turn);
                match text {
                    Ok(text) => Rendered::Text { content_type, text },
                    Err(Panic(_)) => Rendered::Panicked,
                }
            });
            // A runtime that is gone renders nothing.
            rendered.await.unwrap_or(Rendered::TimedOut)
        };
        timeout(limit, rendered).await.unwrap_or(Rendered::TimedOut)
    }

    /// The resource is gone, or about to be: so are its pages. What they hold is the user's: see [`drop_all`].
    pub(super) fn take_pages(&self, id: Id) -> Vec<Arc<Page>> {
        let mut pages = lock(&self.pages.0);
        let (gone, left) = std::mem::take(&mut *pages).into_iter().partition(|page| page.owner == id);
        *pages = left;
        gone
    }
}

/// Drops pages, where blocking is allowed.
pub(super) fn drop_all(pages: Vec<Arc<Page>>) {
    for page in pages {
        let _ = catch(|| drop(page));
    }
}
