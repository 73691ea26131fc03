//! What the code of a test says in the log.

use super::difference::difference;
use super::director::Director;

/// The notes of a [`World`](super::World): lines that the code of a test adds to the log of its application, between those
/// of the library.
///
/// The log of the library says when a hook is called and when it has returned. What happens within, only the code of the
/// hook can say: a fake notes that it has written its buffer, a task that it has seen its notice, a future that it was
/// dropped. [`Event::noted`](super::Event::noted) is such a line, for assertions and for
/// [`World::when`](super::World::when).
///
/// A clone is a handle of the same notes.
///
/// ```
/// use lifecycle::testing::{Event, Notes, World};
/// use lifecycle::{Acquire, App, Release, Resource, Result, Signal, Supplied, resource};
///
/// #[resource(supplied)]
/// struct Buffer(Notes);
///
/// impl Supplied for Buffer {
///     async fn release(&self, _: &Release) -> Result {
///         self.0.add("half of it is written");
///         tokio::time::sleep(std::time::Duration::from_secs(1)).await;
///         self.0.add("all of it is written");
///         Ok(())
///     }
/// }
///
/// # lifecycle::testing::block_on(a_signal_in_the_middle_does_not_end_it());
/// // #[tokio::test(start_paused = true)]
/// async fn a_signal_in_the_middle_does_not_end_it() {
///     let world = World::new();
///     let app = App::builder().resources::<Buffer>().supply(Buffer(world.notes()));
///     let ended = world
///         .when(Event::noted("half of it is written"), |app| app.deliver(Signal::Terminate))
///         .run(app, async |_app| {})
///         .await;
///     ended.assert_in_order([Event::noted("all of it is written"), Event::released::<Buffer>()]);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Notes(pub(super) Director);

impl Notes {
    /// Adds a line to the log of the application.
    pub fn add(&self, line: impl Into<String>) {
        self.0.note(line.into());
    }

    /// Adds the line when what this returns is dropped: with the future that holds it, say.
    pub fn on_drop(&self, line: impl Into<String>) -> NoteOnDrop {
        NoteOnDrop { notes: self.clone(), line: Some(line.into()) }
    }

    /// The lines so far, without those of the library.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.notes().into_iter().map(|(_, line)| line).collect()
    }

    /// The lines so far, each behind its time in milliseconds from the start of the application: `1500 written`.
    #[must_use]
    pub fn timed_lines(&self) -> Vec<String> {
        self.0.notes().into_iter().map(|(at, line)| format!("{} {line}", at.as_millis())).collect()
    }

    /// Whether the line is among them.
    #[must_use]
    pub fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|there| there == line)
    }

    /// Leaves out what was noted so far, so that a test of the stop need not repeat the start. It stays in the log of the
    /// application.
    pub fn clear(&self) {
        self.0.clear_notes();
    }

    /// Asserts that these lines were noted, in this order. Others may be before, between and after them.
    ///
    /// # Panics
    ///
    /// If that is not so. The message shows both, line by line, with `-` before what is missing.
    #[track_caller]
    pub fn assert_in_order(&self, expected: impl IntoIterator<Item: Into<String>>) {
        let (expected, lines) = (expected.into_iter().map(Into::into).collect::<Vec<_>>(), self.lines());
        let mut rest = lines.iter();
        let is_in_order = expected.iter().all(|line| rest.any(|there| there == line));
        assert!(
            is_in_order,
            "the notes are not in order (- expected, + noted):\n{}",
            difference(&expected, &lines)
        );
    }
}

/// A line that [`Notes`] get when this is dropped.
#[derive(Debug)]
#[must_use = "the line is noted when this is dropped"]
pub struct NoteOnDrop {
    notes: Notes,
    line: Option<String>,
}

impl NoteOnDrop {
    /// Drops it without its line: what it was a witness of has come to its end.
    pub fn dismiss(mut self) {
        self.line = None;
    }
}

impl Drop for NoteOnDrop {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.notes.add(line);
        }
    }
}
