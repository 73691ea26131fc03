//! Tasks whose beginning the engine has not been told of, because it may never have to know.
//!
//! A task that begins, and ends well before anything else happens, changes nothing while something else keeps the
//! application alive (rule R1). So the beginning of a task waits here for the next event, and a task that ends well
//! before that takes it away again. The engine stays the only one that decides: it is told of every task that is there
//! when anything else happens, before it is told of that.
//!
//! ```text
//!   begin ──► quiet? ──── no ───► the engine, at once
//!               │ yes
//!               ▼
//!            `tasks` ──── any event, or a look at the engine ───► the engine, before that
//!               │
//!               ▼
//!   end ────► still here, and it ended well? ──── no ───► the engine, which knows of the task by then
//!               │ yes
//!               ▼
//!            forgotten
//! ```
//!
//! Invariants:
//!
//! * The lock of the engine is taken first, and this one inside it. Both are held from the moment in which the tasks
//!   that wait are handed over until the engine has taken the event, and `is_quiet` says what it is at then.
//! * So while a task waits here, the engine is in the state in which it was found quiet. The task that it was found to
//!   live for, or the body, is still there as far as it knows: their end is an event, and would have taken the task out.
//!   To forget the task is to tell the engine of its beginning and its end at once, and to find that this changes
//!   nothing.
//! * The two ends of a race have one order, that of this lock. A task that begins before the last one's end is taken is
//!   handed over before it; one that begins later finds what became of that.
//!
//! There is no atomic here: whoever takes the lock sees what was done under it before. `tests/loom` runs this file in
//! every order of its threads.

#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use super::places::{Place, Places};
use crate::engine::event::{TaskId, TaskKind};
use crate::model::TaskName;
use crate::model::graph::Id;
use crate::process::lock;

/// More tasks than that do not wait: an event has to hand them over, and must not take long.
const MOST: usize = 16_384;

/// See the module.
#[derive(Default)]
pub(crate) struct Untold(Mutex<Waiting>);

#[derive(Default)]
pub(crate) struct Waiting {
    last_id: TaskId,
    /// As far as the engine knows, it would live on if a task that begins now ended at once, and nobody would hear of
    /// that.
    is_quiet: bool,
    tasks: Places<Begun>,
    /// By resource, the name of the task that was spawned last: many tasks of a resource have one name, and share it.
    last_names: Vec<Option<TaskName>>,
}

/// The beginning of a task: see [`Event::TaskStarted`](crate::engine::event::Event::TaskStarted).
pub(crate) struct Begun {
    pub(crate) owner: Id,
    pub(crate) task: TaskId,
    pub(crate) name: TaskName,
    pub(crate) kind: TaskKind,
}

/// The number of a task, in the order of their beginnings.
pub(crate) struct Number {
    pub(crate) task: TaskId,
    /// Where its beginning waits, or waited.
    place: Option<Place>,
}

impl Untold {
    /// A task begins, before it is spawned. Returns its beginning if the engine is to be told of it now: if somebody
    /// hears of its end, the engine has to know of it.
    pub(crate) fn begin(
        &self,
        owner: Id,
        name: &str,
        kind: TaskKind,
        is_heard: bool,
    ) -> (Number, Option<Begun>) {
        let mut waiting = lock(&self.0);
        waiting.last_id += 1;
        let task = waiting.last_id;
        let begun = Begun { owner, task, name: waiting.share(owner, name), kind };
        if waiting.is_quiet && !is_heard && waiting.tasks.len() < MOST {
            let place = waiting.tasks.add(begun);
            (Number { task, place: Some(place) }, None)
        } else {
            (Number { task, place: None }, Some(begun))
        }
    }

    /// A task has ended well. Says whether that is all: the engine does not know of it, and need not be told.
    pub(crate) fn forget(&self, Number { task, place }: &Number) -> bool {
        let Some(place) = *place else { return false };
        let mut waiting = lock(&self.0);
        // Once all have been handed over, others take their places.
        if waiting.tasks.get(place).is_none_or(|begun| begun.task != *task) {
            return false;
        }
        let begun = waiting.tasks.remove(place);
        drop(waiting);
        drop(begun);
        true
    }

    /// Hands over what waits, to an engine that is locked. Until the guard is dropped, no task begins or is forgotten.
    pub(crate) fn hand_over(&self, tell: impl FnMut(Begun)) -> MutexGuard<'_, Waiting> {
        let mut waiting = lock(&self.0);
        if waiting.tasks.len() > 0 {
            waiting.tasks.drain().for_each(tell);
        }
        waiting
    }
}

impl Waiting {
    fn share(&mut self, owner: Id, name: &str) -> TaskName {
        if self.last_names.len() <= owner {
            self.last_names.resize(owner + 1, None);
        }
        match &mut self.last_names[owner] {
            Some(last) if **last == *name => last.clone(),
            last => last.insert(name.into()).clone(),
        }
    }

    /// The engine has taken an event, after which it is quiet, or is not.
    pub(crate) fn set_quiet(&mut self, is_quiet: bool) {
        self.is_quiet = is_quiet;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn begin(untold: &Untold) -> (Number, Option<Begun>) {
        untold.begin(3, "task", TaskKind::Supervised, false)
    }

    fn hand_over(untold: &Untold) -> Vec<TaskId> {
        let mut told = Vec::new();
        drop(untold.hand_over(|begun| told.push(begun.task)));
        told
    }

    #[test]
    fn a_task_is_told_of_at_once_unless_it_is_quiet() {
        let untold = Untold::default();
        let (number, begun) = begin(&untold);
        assert_eq!(begun.map(|begun| (begun.owner, begun.task)), Some((3, number.task)));
        assert!(!untold.forget(&number) && hand_over(&untold).is_empty());
        untold.hand_over(|_| {}).set_quiet(true);
        assert!(begin(&untold).1.is_none());
        assert!(untold.begin(3, "heard", TaskKind::Supervised, true).1.is_some());
    }

    #[test]
    fn what_has_ended_is_forgotten_and_what_has_not_is_handed_over_once() {
        let untold = Untold::default();
        untold.hand_over(|_| {}).set_quiet(true);
        let [first, second, third] = [(); 3].map(|()| begin(&untold).0);
        assert!(untold.forget(&second));
        assert_eq!(hand_over(&untold), [first.task, third.task]);
        let fourth = begin(&untold).0;
        assert!(!untold.forget(&first) && !untold.forget(&third), "the engine knows of them");
        assert_eq!(hand_over(&untold), [fourth.task]);
        assert!(hand_over(&untold).is_empty());
    }

    #[test]
    fn only_so_many_wait() {
        let untold = Untold::default();
        untold.hand_over(|_| {}).set_quiet(true);
        let numbers: Vec<Number> = (0..MOST).map(|_| begin(&untold).0).collect();
        assert!(begin(&untold).1.is_some());
        assert!(untold.forget(&numbers[0]));
        assert!(begin(&untold).1.is_none());
        assert_eq!(hand_over(&untold).len(), MOST);
    }
}
