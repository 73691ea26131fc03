//! The errors of hooks and tasks: put into words at once, and kept as values for the report.

use std::error::Error;
use std::sync::{Arc, Mutex};

use super::catch::{Panic, catch};
use super::cell::lock;
use crate::model::failure::{BoxError, Cause, ErrorText};

type SharedError = Arc<dyn Error + Send + Sync>;

/// Errors that are kept. Nothing of them is called or dropped under the lock.
#[derive(Debug, Default)]
pub(super) struct Errors(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    errors: Vec<(u64, SharedError)>,
    next: u64,
}

impl Errors {
    /// The error in words, with the number under which it is kept.
    pub(super) fn keep(&self, error: BoxError) -> Cause {
        let error: SharedError = error.into();
        let text = words(&*error);
        let mut kept = lock(&self.0);
        let number = kept.next;
        kept.next += 1;
        kept.errors.push((number, error));
        Cause::Error(ErrorText::new(text, Some(number)))
    }

    pub(super) fn get(&self, number: u64) -> Option<SharedError> {
        let kept = lock(&self.0);
        let place = kept.errors.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(Arc::clone(&kept.errors[place].1))
    }

    /// Takes out all that are kept. The caller drops them, where the code of a user may run.
    pub(super) fn take(&self) -> Vec<SharedError> {
        std::mem::take(&mut lock(&self.0).errors).into_iter().map(|(_, error)| error).collect()
    }
}

/// Drops each error; one whose drop panics keeps no other from being dropped.
pub(super) fn drop_all(errors: Vec<SharedError>) {
    for error in errors {
        let _ = catch(|| drop(error));
    }
}

/// An error and its sources in words. They are the user's code, and may panic.
pub(crate) fn words(error: &dyn Error) -> String {
    let panicked = |Panic(words)| format!("an error that cannot be shown: it panicked in turn: {words}");
    catch(|| chain(error)).unwrap_or_else(panicked)
}

/// An error and its sources, outermost first. A source whose text the wrapper already contains is not repeated.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        source = error.source();
    }
    text
}
