//! §9: reloads, one at a time, in order, while the application runs.

use super::book::Current;
use super::rules::ensure;
use super::state::Reload;
use super::world::{Verdict, World};
use crate::engine::command::Command;
use crate::engine::reload::TO_LEAVE;
use crate::model::graph::Id;
use crate::model::phase::Phase;
use std::time::Duration;

impl World<'_> {
    /// What may be commanded, and when.
    pub(super) fn check_reload(&mut self, command: &Command) -> Verdict {
        let is_running = self.book.phase == Phase::Running && self.book.trigger.is_none();
        match (command, self.book.reload) {
            (Command::BeginReload, None) => {
                let is_due = std::mem::take(&mut self.book.must_reload) && is_running;
                ensure(is_due, || "a reload began, and none is due".into())
            }
            (Command::Reload(id), Some(current)) => {
                let is_next = self.has_left(current) && current.last.is_none_or(|last| last < *id);
                let is_free = self.things[*id].reload == Reload::None && self.can_reload(*id);
                ensure(is_running && is_next && is_free, || format!("no reload of r{id} is due"))?;
                self.check_passed(current.last, *id)
            }
            (Command::CancelReload(id), Some(current)) => {
                let is_late = match self.things[*id].reload {
                    Reload::UnderWay { since } => self.is_past(self.reload_limit(*id, since)),
                    Reload::None | Reload::CalledBack { .. } => false,
                };
                let is_called_back = matches!(self.things[*id].reload, Reload::CalledBack { .. });
                self.look_for_a_reason();
                let has_reason = is_late || self.book.trigger.is_some() && !is_called_back;
                ensure(current.hook == Some(*id) && has_reason, || {
                    format!("the reload of r{id} was cancelled before its time was over")
                })
            }
            (Command::EndReload, Some(current)) => {
                if self.book.trigger.is_some() {
                    return Ok(());
                }
                ensure(self.has_left(current), || "a reload ended, and something is under way".into())?;
                self.check_passed(current.last, self.frame.main())
            }
            (command, _) => Err(format!("{command:?} came out of its order")),
        }
    }

    /// A reload goes on as soon as it can, and at its limits at the latest.
    pub(super) fn check_reload_goes_on(&self) -> Verdict {
        let Some(current) = self.book.reload else {
            return ensure(!self.book.must_reload, || "a reload is due, and does not begin".into());
        };
        let Some(id) = current.hook else { return Err("a reload waits for nothing".to_owned()) };
        let limit = match self.things[id].reload {
            Reload::None => return Err(format!("the reload waits for r{id}, and that is over")),
            Reload::UnderWay { since } => self.reload_limit(id, since),
            Reload::CalledBack { since } => Some(since + TO_LEAVE),
        };
        ensure(!self.is_past(limit), || format!("the reload of r{id} is late, and goes on"))?;
        self.check_wake(limit, || format!("the reload of r{id}"))
    }

    /// Nothing is under way. What was called back is waited for, for a while.
    fn has_left(&self, current: Current) -> bool {
        current.hook.is_none_or(|id| match self.things[id].reload {
            Reload::CalledBack { since } => self.is_past(Some(since + TO_LEAVE)),
            Reload::None | Reload::UnderWay { .. } => false,
        })
    }

    /// Only what is still busy with an earlier reload is passed over.
    fn check_passed(&self, last: Option<Id>, before: Id) -> Verdict {
        let first = last.map_or(0, |last| last + 1);
        let passed =
            (first..before).find(|&id| self.can_reload(id) && self.things[id].reload == Reload::None);
        ensure(passed.is_none(), || format!("r{passed:?} was not reloaded"))
    }

    fn can_reload(&self, id: Id) -> bool {
        let thing = &self.things[id];
        let is_there = thing.has_instance && thing.turn.is_none() && !thing.was_called_back;
        self.frame.app.resources[id].reloads && is_there
    }

    /// A reload has the time that an acquisition has.
    fn reload_limit(&self, id: Id, since: Duration) -> Option<Duration> {
        let own = self.frame.app.resources[id].acquire_timeout;
        own.or(self.frame.app.settings.startup_timeout).map(|limit| since + limit)
    }
}
