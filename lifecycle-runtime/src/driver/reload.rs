//! What handles, hooks and endpoints ask about reloads (§9).

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::{Driver, lock};
use crate::engine::event::{Event, Ticket};
use crate::engine::reload::ReloadStatus;
use crate::model::graph::Id;
use crate::model::reload::{EndedReload, ReloadReason};

/// Those who wait for a reload that answers their request.
#[derive(Default)]
pub(super) struct Asking {
    last_ticket: Ticket,
    /// In the order of the tickets.
    waiting: Vec<(Ticket, oneshot::Sender<EndedReload>)>,
}

impl Driver {
    /// Asks for a reload. What is received is the end of the first that began after this call.
    pub(crate) fn ask_to_reload(self: &Arc<Self>) -> oneshot::Receiver<EndedReload> {
        let (sender, receiver) = oneshot::channel();
        let ticket = {
            let mut asking = lock(&self.asking);
            asking.last_ticket += 1;
            let ticket = asking.last_ticket;
            asking.waiting.push((ticket, sender));
            ticket
        };
        // A ticket with a higher number may be handed in first: the reload that answers it has begun later than this.
        self.call(Event::Reload(ticket));
        receiver
    }

    /// A reload has begun or ended.
    pub(super) fn tell_reloads(&self) {
        let (status, ended) = {
            let mut core = self.core();
            (core.engine.reload_status(), core.engine.take_ended_reloads())
        };
        self.reloads.send_replace(status);
        for (answers, ended) in ended {
            let answered = {
                let waiting = &mut lock(&self.asking).waiting;
                let count = waiting.partition_point(|(ticket, _)| *ticket <= answers);
                waiting.drain(..count).collect::<Vec<_>>()
            };
            for (_, sender) in answered {
                // Whoever asked may not wait any more.
                let _ = sender.send(ended.clone());
            }
        }
    }

    /// A receiver that sees each reload begin and end, though not every one if they follow quickly.
    #[allow(dead_code, reason = "systemd is told")]
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
