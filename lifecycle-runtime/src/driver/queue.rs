//! Things to be done one after the other, by one thread at a time.

/// A queue with at most one thread that empties it.
///
/// Invariant: while `is_being_emptied`, some thread has got `Some` from [`claim`](Self::claim) or something from
/// [`next`](Self::next), or is about to call one of them, and will look at the queue once more before it leaves. So a
/// thread that adds something either becomes the one that empties it, or can rely on it.
pub(super) struct Queue<T> {
    waiting: Vec<T>,
    is_being_emptied: bool,
    /// How many things were ever put into it.
    pushed: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), is_being_emptied: false, pushed: 0 }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, thing: T) {
        self.waiting.push(thing);
        self.pushed += 1;
    }

    /// How many things were ever put into it.
    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Whether the caller is to empty the queue: something waits, and nobody is at it. If so, it has to call
    /// [`next`](Self::next) until there is nothing left.
    pub(super) fn claim(&mut self) -> bool {
        let is_mine = !self.is_being_emptied && !self.waiting.is_empty();
        self.is_being_emptied |= is_mine;
        is_mine
    }

    /// The caller has claimed it, and cannot empty it: the next that claims it will.
    pub(super) fn give_back(&mut self) {
        self.is_being_emptied = false;
    }

    /// Puts all that waits into `batch`, which is empty, for the one that empties the queue. Nothing in it ends that.
    pub(super) fn next(&mut self, batch: &mut Vec<T>) {
        std::mem::swap(&mut self.waiting, batch);
        self.is_being_emptied = !batch.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_empties_it_and_others_rely_on_it() {
        let (mut queue, mut batch) = (Queue::default(), Vec::new());
        assert!(!queue.claim(), "there is nothing to do");
        queue.push(1);
        assert!(queue.claim());
        queue.push(2);
        assert!(!queue.claim(), "somebody is at it");
        queue.next(&mut batch);
        assert_eq!(std::mem::take(&mut batch), [1, 2]);
        queue.push(3);
        assert!(!queue.claim(), "somebody is still at it");
        queue.next(&mut batch);
        assert_eq!(std::mem::take(&mut batch), [3]);
        queue.next(&mut batch);
        assert!(batch.is_empty());
        queue.push(4);
        assert!(queue.claim(), "nobody is at it any more");
        assert_eq!(queue.pushed(), 4);
        queue.give_back();
        assert!(queue.claim(), "what waited still does");
        queue.next(&mut batch);
        assert_eq!(batch, [4]);
    }
}
