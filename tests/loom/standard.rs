//! `Arc`, `Weak` and `OnceLock` as the standard library has them: the same steps in the same order, and with the same
//! orderings, on loom's atomics. loom's own `Arc` has no `Weak`.

use std::fmt;
use std::ops::Deref;
use std::sync;

use loom::sync::Mutex;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};

pub(crate) struct Arc<T> {
    /// `None` once the value was taken out, or given up.
    parts: Option<(sync::Arc<AtomicUsize>, sync::Arc<T>)>,
}

pub(crate) struct Weak<T> {
    strong: sync::Arc<AtomicUsize>,
    value: sync::Weak<T>,
}

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { parts: Some((sync::Arc::new(AtomicUsize::new(1)), sync::Arc::new(value))) }
    }

    pub(crate) fn downgrade(this: &Self) -> Weak<T> {
        let (strong, value) = this.parts();
        Weak { strong: sync::Arc::clone(strong), value: sync::Arc::downgrade(value) }
    }

    pub(crate) fn into_inner(mut this: Self) -> Option<T> {
        let (strong, value) = this.parts.take()?;
        if strong.fetch_sub(1, Release) != 1 {
            return None;
        }
        fence(Acquire);
        Some(sync::Arc::into_inner(value).expect("as many references as were counted"))
    }

    fn parts(&self) -> &(sync::Arc<AtomicUsize>, sync::Arc<T>) {
        self.parts.as_ref().expect("the value is there")
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        let (strong, value) = self.parts();
        strong.fetch_add(1, Relaxed);
        Self { parts: Some((sync::Arc::clone(strong), sync::Arc::clone(value))) }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        let Some((strong, value)) = self.parts.take() else { return };
        if strong.fetch_sub(1, Release) == 1 {
            fence(Acquire);
        }
        drop(value);
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.parts().1
    }
}

impl<T> Weak<T> {
    pub(crate) fn upgrade(&self) -> Option<Arc<T>> {
        let one_more = |strong| if strong == 0 { None } else { Some(strong + 1) };
        self.strong.fetch_update(Acquire, Relaxed, one_more).ok()?;
        let value = self.value.upgrade().expect("as many references as were counted");
        Some(Arc { parts: Some((sync::Arc::clone(&self.strong), value)) })
    }

    pub(crate) fn strong_count(&self) -> usize {
        self.strong.load(Relaxed)
    }
}

pub(crate) struct OnceLock<T> {
    is_set: AtomicBool,
    value: sync::OnceLock<T>,
    setting: Mutex<()>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { is_set: AtomicBool::new(false), value: sync::OnceLock::new(), setting: Mutex::new(()) }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        if !self.is_set.load(Acquire) {
            let _setting = self.setting.lock().unwrap();
            self.value.get_or_init(init);
            self.is_set.store(true, Release);
        }
        self.value.get().expect("it is set")
    }
}

impl<T> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Arc")
    }
}

impl<T> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Weak")
    }
}

impl<T> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnceLock")
    }
}
