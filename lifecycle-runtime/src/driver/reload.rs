//! What handles, hooks and endpoints ask about reloads (§9).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Driver;
use crate::engine::event::{Event, Ticket};
use crate::engine::reload::ReloadStatus;
use crate::model::graph::Id;
use crate::model::reload::ReloadReason;

impl Driver {
    /// Asks for a reload. Once the ticket is answered, a reload that began after this call has ended.
    pub(crate) fn ask_to_reload(self: &Arc<Self>) -> Ticket {
        // A ticket with a higher number may be handed in first: the reload that answers it has begun later than this.
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed) + 1;
        self.call(Event::Reload(ticket));
        ticket
    }

    /// A receiver that sees each reload begin and end, though not every one if they follow quickly.
    pub(crate) fn watch_reloads(&self) -> watch::Receiver<ReloadStatus> {
        self.reloads.subscribe()
    }

    pub(crate) fn reload_reason(&self) -> Option<ReloadReason> {
        self.core().engine.reload_reason()
    }

    /// When the reload of a resource is dropped, if it is under way and has a limit.
    pub(crate) fn reload_deadline(&self, id: Id) -> Option<Instant> {
        let deadline = self.core().engine.reload_deadline(id);
        deadline.map(|deadline| self.origin + deadline)
    }
}
