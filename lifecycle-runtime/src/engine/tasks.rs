//! The tasks of one resource whose end was not told yet.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::event::{TaskId, TaskKind};
use crate::model::TaskName;
use crate::model::order::order_by;

/// Tasks come and go by the million, and are listed hardly ever: so they are not kept in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    tasks: HashMap<TaskId, Task, BuildHasherDefault<OfNumber>>,
}

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) name: TaskName,
    pub(super) kind: TaskKind,
}

impl Tasks {
    pub(super) fn insert(&mut self, task: TaskId, name: TaskName, kind: TaskKind) {
        self.tasks.insert(task, Task { name, kind });
    }

    pub(super) fn remove(&mut self, task: TaskId) -> Option<Task> {
        self.tasks.remove(&task)
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// In the order in which they were spawned.
    pub(super) fn in_order(&self) -> Vec<(TaskId, &Task)> {
        let tasks: Vec<_> = self.tasks.iter().map(|(&id, task)| (id, task)).collect();
        let order = order_by(tasks.len(), &|one, other| tasks[one].0.cmp(&tasks[other].0));
        order.into_iter().map(|place| tasks[place]).collect()
    }

    /// The names, in the order in which the tasks were spawned.
    pub(super) fn names(&self) -> Vec<TaskName> {
        self.in_order().into_iter().map(|(_, task)| task.name.clone()).collect()
    }
}

/// The hash of a number that nobody outside chooses: a product spreads it over all bits.
#[derive(Clone, Copy, Debug, Default)]
struct OfNumber(u64);

impl Hasher for OfNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_listed_in_the_order_in_which_they_were_spawned() {
        let mut tasks = Tasks::default();
        for id in 0..100 {
            let name = if id % 10 == 0 { "rare" } else { "often" };
            tasks.insert(id, name.into(), TaskKind::Supervised);
        }
        for id in (0..100).filter(|id| ![7, 20, 93].contains(id)) {
            assert!(tasks.remove(id).is_some() && tasks.remove(id).is_none());
        }
        let names: Vec<_> = tasks.names().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["often", "rare", "often"]);
        assert!(!tasks.is_empty());
    }
}
