//! What is in flight of one resource, by kind.

use std::fmt;

/// What is in flight of one resource, by kind, and its idle connections.
///
/// Its `Display` lists what there is: `2 requests, 1 stream, 1 task`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Units {
    /// Requests whose response is not complete. Each stream of an HTTP/2 connection is a request of its own.
    pub requests: usize,
    /// Endless responses that have begun: event streams, gRPC, and what is marked with
    /// [`Endless`](crate::http::Endless).
    pub streams: usize,
    /// Upgraded connections, such as WebSockets, until their handlers have ended.
    pub upgraded: usize,
    /// Tasks, guards and checks. The task of `serve_http` that accepts connections is one of them.
    pub tasks: usize,
    /// Connections that are none of these: one that waits for a request, or is sending the head of one. An idle
    /// connection is not in flight.
    pub idle: usize,
}

impl Units {
    /// How many are in flight: all but the idle connections.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let Self { requests, streams, upgraded, tasks, idle: _ } = self;
        requests + streams + upgraded + tasks
    }

    pub(crate) fn of_tasks(tasks: usize) -> Self {
        Self { tasks, ..Self::default() }
    }

    /// Everything that a cut-off ends, idle connections included.
    pub(crate) fn all(&self) -> usize {
        self.in_flight() + self.idle
    }

    /// What may be cut off without an effect on the exit code (rule E1).
    pub(crate) fn excused(&self) -> usize {
        self.streams + self.upgraded + self.idle
    }

    /// Whether there is nothing but tasks, if anything.
    pub(crate) fn are_tasks(&self) -> bool {
        self.all() == self.tasks
    }
}

/// Kinds of what is in flight, put into words.
#[derive(Default)]
struct Kinds(Vec<String>);

impl Kinds {
    /// One more kind, if there is any of it.
    fn add(&mut self, count: usize, what: &str, remark: &str) {
        let plural = if count == 1 { "" } else { "s" };
        if count > 0 {
            self.0.push(format!("{count} {what}{plural}{remark}"));
        }
    }

    /// All but the tasks and the idle connections, with a remark on those that do not count when they are cut off.
    fn add_connections(&mut self, units: &Units, remark: &str) {
        self.add(units.requests, "request", "");
        self.add(units.streams, "stream", remark);
        self.add(units.upgraded, "upgraded connection", remark);
    }

    /// The tasks among other kinds, with those of their names that are known.
    fn add_tasks(&mut self, units: &Units, names: &str, remark: &str) {
        self.add(units.tasks, "task", &(behind_colon(names) + remark));
    }

    fn add_idle(&mut self, units: &Units, remark: &str) {
        self.add(units.idle, "idle connection", remark);
    }

    fn in_words(&self) -> String {
        self.0.join(", ")
    }
}

/// What is in flight, and the names of the tasks among it: `3 in flight: 2 requests, 1 task: worker`.
pub(crate) fn in_flight(units: &Units, tasks: &str) -> String {
    let (mut kinds, mut idle) = (Kinds::default(), Kinds::default());
    kinds.add_connections(units, "");
    if kinds.0.is_empty() {
        kinds.0.extend((!tasks.is_empty()).then(|| tasks.to_owned()));
    } else {
        kinds.add_tasks(units, tasks, "");
    }
    idle.add_idle(units, "");
    let idle = if units.idle > 0 { format!("; {}", idle.in_words()) } else { String::new() };
    format!("{} in flight{}{idle}", units.in_flight(), behind_colon(&kinds.in_words()))
}

/// What was cut off, so many of which are excused: `3 cut off: 2 requests, 1 stream (not counted)`.
pub(crate) fn cut_off(units: &Units, excused: usize, tasks: &str) -> String {
    const NOT_COUNTED: &str = " (not counted)";
    let of_tasks = if excused < units.excused() + units.tasks { "" } else { NOT_COUNTED };
    let mut kinds = Kinds::default();
    if units.are_tasks() {
        kinds.0.extend((!tasks.is_empty()).then(|| format!("{tasks}{of_tasks}")));
    } else {
        kinds.add_connections(units, NOT_COUNTED);
        kinds.add_idle(units, NOT_COUNTED);
        kinds.add_tasks(units, tasks, of_tasks);
    }
    format!("{} cut off{}", units.all(), behind_colon(&kinds.in_words()))
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds = Kinds::default();
        kinds.add_connections(self, "");
        kinds.add_idle(self, "");
        kinds.add_tasks(self, "", "");
        if kinds.0.is_empty() { f.write_str("nothing") } else { f.write_str(&kinds.in_words()) }
    }
}

fn behind_colon(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Units = Units { requests: 2, streams: 1, upgraded: 0, tasks: 2, idle: 20 };
    const NONE: &str = "";

    #[test]
    fn what_is_in_flight_is_told_apart() {
        let check = |units: Units, tasks: &str, expected: &str| {
            assert_eq!(in_flight(&units, tasks), expected);
        };
        check(UNITS, NONE, "5 in flight: 2 requests, 1 stream, 2 tasks; 20 idle connections");
        check(UNITS, "a, b", "5 in flight: 2 requests, 1 stream, 2 tasks: a, b; 20 idle connections");
        check(Units { idle: 1, ..Units::default() }, NONE, "0 in flight; 1 idle connection");
        check(Units::of_tasks(2), "a", "2 in flight: a");
        check(Units::of_tasks(2), NONE, "2 in flight");
        assert_eq!(UNITS.to_string(), "2 requests, 1 stream, 20 idle connections, 2 tasks");
        assert_eq!(Units::default().to_string(), "nothing");
    }

    #[test]
    fn what_was_cut_off_says_what_counts() {
        let check = |units: Units, excused: usize, tasks: &str, expected: &str| {
            assert_eq!(cut_off(&units, excused, tasks), expected);
        };
        let requests = Units { requests: 2, streams: 1, ..Units::default() };
        check(requests, 1, NONE, "3 cut off: 2 requests, 1 stream (not counted)");
        let all =
            "25 cut off: 2 requests, 1 stream (not counted), 20 idle connections (not counted), 2 tasks: a";
        check(UNITS, 21, "a", all);
        check(
            Units { upgraded: 1, ..Units::default() },
            1,
            NONE,
            "1 cut off: 1 upgraded connection (not counted)",
        );
        check(Units::of_tasks(2), 0, "a, b", "2 cut off: a, b");
        check(Units::of_tasks(2), 0, NONE, "2 cut off");
        check(Units::of_tasks(1), 1, "server", "1 cut off: server (not counted)");
    }
}
