//! The errors of hooks and tasks: put into words at once, and kept as values for the report.

use std::error::Error;
use std::iter;
use std::sync::Mutex;

use super::catch::{Panic, catch};
use crate::model::failure::{BoxError, Cause, ErrorText, SharedError};
use crate::model::misconfigured::Misconfigured;
use crate::process::lock;

/// An error has no more sources than this, unless it is its own.
const MOST_SOURCES: usize = 64;

/// Errors that are kept. Nothing of them is called or dropped under the lock.
#[derive(Debug, Default)]
pub(super) struct Errors(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    errors: Vec<(u64, SharedError)>,
    next: u64,
    /// The report is handed over: nobody will ask for an error that comes now.
    is_closed: bool,
}

impl Errors {
    /// The error in words, with the number under which it is kept, if it is.
    pub(super) fn keep(&self, error: BoxError) -> Cause {
        let error = SharedError::new(error);
        let text = words(error.get());
        let is_misconfiguration = catch(|| blames_configuration(error.get())).unwrap_or(false);
        let mut kept = lock(&self.0);
        if kept.is_closed {
            return Cause::Error(ErrorText { text, kept_as: None, is_misconfiguration });
        }
        let number = kept.next;
        kept.next += 1;
        kept.errors.push((number, error));
        Cause::Error(ErrorText { text, kept_as: Some(number), is_misconfiguration })
    }

    pub(super) fn get(&self, number: u64) -> Option<SharedError> {
        let kept = lock(&self.0);
        let place = kept.errors.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(kept.errors[place].1.clone())
    }

    /// Takes out all that are kept. The caller drops them, where the code of a user may run.
    pub(super) fn take(&self) -> impl Send + 'static + use<> {
        std::mem::take(&mut lock(&self.0).errors)
    }

    /// The same, and keeps none that comes later.
    pub(super) fn close(&self) -> impl Send + 'static + use<> {
        let mut kept = lock(&self.0);
        kept.is_closed = true;
        std::mem::take(&mut kept.errors)
    }
}

/// An error and its sources in words. They are the user's code, and may panic.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    let panicked = |Panic(words)| format!("an error that cannot be shown: it panicked in turn: {words}");
    catch(|| chain(error)).unwrap_or_else(panicked)
}

/// An error and its sources, outermost first, without the repetition of a wrapper that says what its source says.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for error in sources(error) {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
    }
    text
}

/// Whether the error, or one of its sources, says that the configuration is wrong.
fn blames_configuration(error: &(dyn Error + 'static)) -> bool {
    Misconfigured::is(error) || sources(error).any(Misconfigured::is)
}

/// The sources of an error, outermost first.
fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(error.source(), |&error| error.source()).take(MOST_SOURCES)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_is_kept_until_the_report_is_handed_over() {
        let errors = Errors::default();
        let number = |cause| match cause {
            Cause::Error(text) => text.kept_as,
            _ => None,
        };
        let kept = number(errors.keep(io::Error::from(io::ErrorKind::AddrInUse).into())).unwrap();
        let error = errors.get(kept).unwrap();
        assert_eq!(error.get().downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::AddrInUse);
        drop(errors.close());
        assert!(errors.get(kept).is_none());
        assert_eq!(number(errors.keep("late".into())), None);
    }
}
