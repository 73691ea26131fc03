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

    /// Each kind but the tasks and the idle connections, and whether it counts when it is cut off.
    fn of_connections(&self) -> impl Iterator<Item = (String, bool)> {
        let Self { requests, streams, upgraded, tasks: _, idle: _ } = *self;
        let kinds = [
            (requests, "request", true),
            (streams, "stream", false),
            (upgraded, "upgraded connection", false),
        ];
        let present = kinds.into_iter().filter(|(count, ..)| *count > 0);
        present.map(|(count, what, counts)| (counted(count, what), counts))
    }

    fn idle(&self) -> Option<String> {
        (self.idle > 0).then(|| counted(self.idle, "idle connection"))
    }

    /// The tasks among other kinds, with those of their names that are known.
    fn tasks(&self, names: &[impl AsRef<str>]) -> Option<String> {
        let names = if names.is_empty() { String::new() } else { format!(": {}", join(names)) };
        (self.tasks > 0).then(|| counted(self.tasks, "task") + &names)
    }
}

/// What is in flight, and the names of the tasks among it: `3 in flight: 2 requests, 1 task: worker`.
pub(crate) fn in_flight(units: &Units, tasks: &[impl AsRef<str>]) -> String {
    let mut text = format!("{} in flight", units.in_flight());
    if units.in_flight() > units.tasks {
        let kinds: Vec<String> =
            units.of_connections().map(|(kind, _)| kind).chain(units.tasks(tasks)).collect();
        text += &format!(": {}", kinds.join(", "));
    } else if !tasks.is_empty() {
        text += &format!(": {}", join(tasks));
    }
    if let Some(idle) = units.idle() {
        text += &format!("; {idle}");
    }
    text
}

/// What was cut off, so many of which are excused: `3 cut off: 2 requests, 1 stream (not counted)`.
pub(crate) fn cut_off(units: &Units, excused: usize, tasks: &[impl AsRef<str>]) -> String {
    let not_counted = |what: String| what + " (not counted)";
    let tasks_count = excused < units.excused() + units.tasks;
    let tasks = if units.are_tasks() { (!tasks.is_empty()).then(|| join(tasks)) } else { units.tasks(tasks) };
    let of_connections =
        units.of_connections().map(|(kind, counts)| if counts { kind } else { not_counted(kind) });
    let kinds: Vec<String> = of_connections
        .chain(units.idle().map(not_counted))
        .chain(tasks.map(|tasks| if tasks_count { tasks } else { not_counted(tasks) }))
        .collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
    format!("{} cut off{kinds}", units.all())
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.of_connections().map(|(kind, _)| kind);
        let parts: Vec<String> = kinds.chain(self.idle()).chain(self.tasks(&[""; 0])).collect();
        if parts.is_empty() { f.write_str("nothing") } else { f.write_str(&parts.join(", ")) }
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn join(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Units = Units { requests: 2, streams: 1, upgraded: 0, tasks: 2, idle: 20 };
    const NONE: [&str; 0] = [];

    #[test]
    fn what_is_in_flight_is_told_apart() {
        let check = |units: Units, tasks: &[&str], expected: &str| {
            assert_eq!(in_flight(&units, tasks), expected);
        };
        check(UNITS, &NONE, "5 in flight: 2 requests, 1 stream, 2 tasks; 20 idle connections");
        check(UNITS, &["a", "b"], "5 in flight: 2 requests, 1 stream, 2 tasks: a, b; 20 idle connections");
        check(Units { idle: 1, ..Units::default() }, &NONE, "0 in flight; 1 idle connection");
        check(Units::of_tasks(2), &["a"], "2 in flight: a");
        check(Units::of_tasks(2), &NONE, "2 in flight");
        assert_eq!(UNITS.to_string(), "2 requests, 1 stream, 20 idle connections, 2 tasks");
        assert_eq!(Units::default().to_string(), "nothing");
    }

    #[test]
    fn what_was_cut_off_says_what_counts() {
        let check = |units: Units, excused: usize, tasks: &[&str], expected: &str| {
            assert_eq!(cut_off(&units, excused, tasks), expected);
        };
        let requests = Units { requests: 2, streams: 1, ..Units::default() };
        check(requests, 1, &NONE, "3 cut off: 2 requests, 1 stream (not counted)");
        let all =
            "25 cut off: 2 requests, 1 stream (not counted), 20 idle connections (not counted), 2 tasks: a";
        check(UNITS, 21, &["a"], all);
        check(
            Units { upgraded: 1, ..Units::default() },
            1,
            &NONE,
            "1 cut off: 1 upgraded connection (not counted)",
        );
        check(Units::of_tasks(2), 0, &["a", "b"], "2 cut off: a, b");
        check(Units::of_tasks(2), 0, &NONE, "2 cut off");
        check(Units::of_tasks(1), 1, &["server"], "1 cut off: server (not counted)");
    }
}
