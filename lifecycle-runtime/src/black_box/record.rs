//! What a black box holds: lines that a person reads with `cat`, and the next start reads too.

use std::fmt;
use std::slice::from_ref;
use std::time::Duration;

use super::moment::{Forced, Moment};
use crate::engine::notice::Killing;
use crate::engine::reload::HookState;
use crate::engine::standing::{Busy, Reloading, Standing};
use crate::model::Name;
use crate::model::duration::Human;
use crate::model::moment::Moment as Time;
use crate::model::phase::{Phase, Reason};
use crate::model::units::{Units, in_flight};
use crate::process::oom::Kills;
use crate::process::procfs;

/// How a black box begins, and how it ends.
pub(super) const MAGIC: &str = "lifecycle black box 1\n";
const END: &str = "end of record";

/// No value is longer, whatever its names are.
const LONGEST: usize = 400;

/// A record. Everything is text, since what is read back may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) program: String,
    pub(super) pid: String,
    /// Which start of the machine it was written in.
    pub(super) boot: Option<String>,
    pub(super) started: String,
    pub(super) written: String,
    /// `stopping for 3.2 s`.
    pub(super) phase: String,
    /// Why the application stops, once it does.
    pub(super) reason: Option<String>,
    /// `4.1 s of 25.0 s`.
    pub(super) left: Option<String>,
    /// `Certificate for 1.2 s`.
    pub(super) reloading: Vec<String>,
    /// `Http (draining for 2.3 s, 3 in flight: 2 requests, 1 task)`.
    pub(super) waiting: Vec<String>,
    /// `Db (1 in flight)`.
    pub(super) working: Vec<String>,
    /// How many resources are not listed.
    pub(super) unlisted: Option<String>,
    /// How many units are in flight in all.
    pub(super) in_flight: String,
    /// Who ended the process, if it was not ended by a stranger.
    pub(super) ended: Option<String>,
    /// With which exit code, and what had gone wrong.
    pub(super) outcome: Option<String>,
    pub(super) kills: Kills,
    /// It was read to its end.
    pub(super) is_whole: bool,
}

impl Record {
    pub(super) fn new(moment: &Moment, kills: Kills) -> Self {
        let Moment { standing, now, at, forced } = moment;
        let Standing {
            phase,
            phase_since,
            reason,
            limit,
            reloading,
            waiting,
            working,
            unlisted,
            in_flight: all,
        } = standing;
        let after = |since: Duration| Human(now.saturating_sub(since));
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(|path| path.file_name()).unwrap_or_default();
        let left = |(ends, takes): &(Duration, Duration)| {
            format!("{} of {}", Human(ends.saturating_sub(*now)), Human(*takes))
        };
        let at_work = |(name, units): &(Name, Units)| escaped(&format!("{name} ({})", in_flight(units, "")));
        Self {
            program: escaped(&program.to_string_lossy()),
            pid: std::process::id().to_string(),
            boot: procfs::boot(),
            started: Time(at.saturating_sub(*now)).to_string(),
            written: Time(*at).to_string(),
            phase: format!("{phase} for {}", after(*phase_since)),
            reason: reason.as_ref().map(why),
            left: limit.as_ref().map(left),
            reloading: reloading.iter().map(|hook| escaped(&hook_in_words(hook, *now))).collect(),
            waiting: waiting.iter().map(|busy| escaped(&words(busy, *now))).collect(),
            working: working.iter().map(at_work).collect(),
            unlisted: (*unlisted > 0).then(|| unlisted.to_string()),
            in_flight: all.to_string(),
            ended: forced.as_ref().map(|Forced { why, .. }| ended(*why, *phase)),
            outcome: forced.as_ref().and_then(|Forced { trouble, .. }| Some(escaped(trouble.as_ref()?))),
            kills,
            is_whole: true,
        }
    }

    /// Reads what [`Display`](fmt::Display) has written, or what has become of it.
    pub(super) fn read(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines().skip(1) {
            if line == END {
                record.is_whole = true;
                break;
            }
            let Some((key, value)) = line.split_once(": ") else { continue };
            record.set(key, escaped(value));
        }
        record
    }

    fn set(&mut self, key: &str, value: String) {
        match key {
            "program" => self.program = value,
            "pid" => self.pid = value,
            "boot" => self.boot = Some(value),
            "started" => self.started = value,
            "written" => self.written = value,
            "phase" => self.phase = value,
            "reason" => self.reason = Some(value),
            "left" => self.left = Some(value),
            "reloading" => self.reloading.push(value),
            "waiting for" => self.waiting.push(value),
            "also in flight" => self.working.push(value),
            "not listed" => self.unlisted = Some(value),
            "in flight" => self.in_flight = value,
            "ended" => self.ended = Some(value),
            "outcome" => self.outcome = Some(value),
            "killed for memory" => {
                let group = value.split_once(" in ");
                self.kills.group = group.and_then(|(count, file)| Some((file.into(), count.parse().ok()?)));
            }
            "killed for memory on the machine" => self.kills.machine = value.parse().ok(),
            // A later version may say more.
            _ => {}
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            program,
            pid,
            boot,
            started,
            written,
            phase,
            reason,
            left,
            reloading,
            waiting,
            working,
            unlisted,
            in_flight,
            ended,
            outcome,
            kills: Kills { group, machine },
            is_whole: _,
        } = self;
        f.write_str(MAGIC)?;
        let mut all =
            |key: &str, values: &[String]| values.iter().try_for_each(|value| writeln!(f, "{key}: {value}"));
        all("program", from_ref(program))?;
        all("pid", from_ref(pid))?;
        all("started", from_ref(started))?;
        all("written", from_ref(written))?;
        all("phase", from_ref(phase))?;
        all("reason", reason.as_slice())?;
        all("left", left.as_slice())?;
        all("reloading", reloading)?;
        all("waiting for", waiting)?;
        all("also in flight", working)?;
        all("not listed", unlisted.as_slice())?;
        all("in flight", from_ref(in_flight))?;
        all("ended", ended.as_slice())?;
        all("outcome", outcome.as_slice())?;
        let group = group.as_ref().map(|(file, count)| format!("{count} in {}", file.display()));
        all("killed for memory", group.as_slice())?;
        all("killed for memory on the machine", machine.map(|count| count.to_string()).as_slice())?;
        all("boot", boot.as_slice())?;
        writeln!(f, "{END}")
    }
}

/// Why the application stops. The words of a request are the program's own, and may repeat an error.
pub(super) fn why(reason: &Reason) -> String {
    match reason {
        Reason::Requested(_) => "shutdown requested".to_owned(),
        reason => reason.to_string(),
    }
}

fn ended(killing: Killing, phase: Phase) -> String {
    match killing {
        Killing::TimeIsUp if phase == Phase::Stopped => {
            "by the watchdog, since the process did not end when the application had".to_owned()
        }
        Killing::TimeIsUp => "by the watchdog, after the deadline".to_owned(),
        Killing::Insisted(signal) => format!("by {signal}, which insisted again"),
    }
}

/// Who is waited for, and for what.
fn words(Busy { name, doing, since, units, tasks }: &Busy, now: Duration) -> String {
    let units =
        if units.all() > 0 { format!(", {}", in_flight(units, &tasks.join(", "))) } else { String::new() };
    format!("{name} ({doing} for {}{units})", Human(now.saturating_sub(*since)))
}

/// Which hook of a reload runs, or was cut off and is still there.
fn hook_in_words(Reloading { name, since, state }: &Reloading, now: Duration) -> String {
    let cut_off = match state {
        HookState::Running => "",
        HookState::CutOff => ", and cut off",
    };
    format!("{name} for {}{cut_off}", Human(now.saturating_sub(*since)))
}

/// On one line, and not too long. Names are chosen in code, and what is read back may be anything.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if escaped.len() >= LONGEST {
            return escaped + "…";
        }
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::activity::Activity;
    use crate::model::signal::Signal;

    fn moment() -> Moment {
        let seconds = Duration::from_secs;
        let standing = Standing {
            phase: Phase::Stopping,
            phase_since: seconds(60),
            reason: Some(Reason::Signal(Signal::Terminate)),
            limit: Some((seconds(85), seconds(25))),
            reloading: vec![Reloading { name: "Certificate", since: seconds(55), state: HookState::CutOff }],
            waiting: vec![Busy {
                name: "Http",
                doing: Activity::Draining,
                since: seconds(61),
                units: Units { requests: 2, tasks: 1, ..Units::default() },
                tasks: vec!["serve\npid: 1".into()],
            }],
            working: vec![("Db", Units::of_tasks(1))],
            unlisted: 0,
            in_flight: 4,
        };
        Moment { standing, now: seconds(81), at: seconds(1_735_689_681), forced: None }
    }

    fn record() -> Record {
        let kills = Kills { group: Some(("/sys/fs/cgroup/memory.events".into(), 0)), machine: Some(12) };
        let record = Record::new(&moment(), kills);
        Record { program: "shop".to_owned(), pid: "4711".to_owned(), boot: Some("8c1f".to_owned()), ..record }
    }

    #[test]
    fn a_record_is_for_people() {
        let expected = r"lifecycle black box 1
program: shop
pid: 4711
started: 2025-01-01T00:00:00.000Z
written: 2025-01-01T00:01:21.000Z
phase: stopping for 21.0 s
reason: SIGTERM received
left: 4.0 s of 25.0 s
reloading: Certificate for 26.0 s, and cut off
waiting for: Http (draining for 20.0 s, 3 in flight: 2 requests, 1 task: serve\npid: 1)
also in flight: Db (1 in flight)
in flight: 4
killed for memory: 0 in /sys/fs/cgroup/memory.events
killed for memory on the machine: 12
boot: 8c1f
end of record
";
        assert_eq!(record().to_string(), expected);
    }

    #[test]
    fn what_is_read_back_is_what_was_written() {
        let mut record = record();
        assert_eq!(Record::read(&record.to_string()), record);
        record.ended = Some(ended(Killing::TimeIsUp, Phase::Stopping));
        record.outcome = Some("exit code 124: `Db` could not be released".to_owned());
        record.unlisted = Some("3".to_owned());
        assert_eq!(Record::read(&record.to_string()), record);
    }

    /// Whatever there is, nothing panics, and each value stays on one line.
    #[test]
    fn anything_can_be_read() {
        let whole = record().to_string();
        for end in 0..whole.len() {
            assert!(!Record::read(&whole[..end]).is_whole || end + 1 == whole.len());
        }
        let odd = "phase: \u{1b}[31m\u{7}\nkilled for memory: x in y\nno key\npid: ";
        let read = Record::read(&format!("{MAGIC}{odd}"));
        assert_eq!((read.phase.as_str(), read.kills), (r"\u{1b}[31m\u{7}", Kills::default()));
        let long = Record::read(&format!("{MAGIC}phase: {}\n", "é".repeat(100_000)));
        assert!(long.phase.len() < LONGEST + 10, "{}", long.phase.len());
    }

    #[test]
    fn the_words_of_a_request_stay_in_the_process() {
        assert_eq!(why(&Reason::Requested("postgres://user:secret@db".to_owned())), "shutdown requested");
    }
}
