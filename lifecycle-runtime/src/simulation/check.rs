//! The rules, read off the log. Nothing here asks the engine or its budget.

mod reload;
mod start;
mod told;
mod turn;

use std::time::Duration;

use super::scenario::{Dying, End, Outside, Scenario};
use super::world::{Entry, How, Log, Seen};
use crate::engine::command::{Command, Output};
use crate::engine::notice::Notice;
use crate::engine::settings::{BodyKind, Delay};
use crate::model::graph::Id;
use crate::model::phase::{Phase, Reason};
use crate::model::reload::Hangup;
use crate::model::report::Outcome;
use crate::model::signal::Signal;

/// Two signals within this time are one (rule D8).
const SAME: Duration = Duration::from_millis(500);

/// What rounding makes of a time.
const HAIR: Duration = Duration::from_micros(1);

type Verdict = Result<(), String>;

pub(super) fn check(scenario: &Scenario, log: &Log) -> Verdict {
    if log.is_stalled {
        return Err("the engine asks to be woken for what it should have done already".to_owned());
    }
    let book = Book::new(scenario, log);
    book.ends_once_and_in_time()?;
    book.phases_follow_one_another()?;
    book.ends_for_a_reason()?;
    for id in 0..scenario.resources.len() {
        book.is_acquired_after_what_it_needs(id)?;
        book.is_acquired_in_time(id)?;
        book.is_given_back_exactly_once(id)?;
        book.has_its_turn_after_its_dependents(id)?;
        book.has_its_reserve(id)?;
        book.is_cut_off_on_time(id)?;
        book.is_reported_as_it_was(id)?;
    }
    book.delay_is_kept()?;
    book.reloads_follow_the_rules()?;
    book.progress_is_told()?;
    book.report_is_told()?;
    book.exit_code_follows_the_rule()
}

/// The log, with what it says about the whole.
struct Book<'a> {
    scenario: &'a Scenario,
    log: &'a Log,
    /// The edges, those from foundations included.
    after: Vec<Vec<Id>>,
    /// When shutdown was triggered.
    trigger: Option<Duration>,
    /// Each deadline, and since when it holds.
    deadlines: Vec<(Duration, Duration)>,
    /// When somebody insisted, and with which signal.
    hurried: Option<(Duration, Option<Signal>)>,
    exit: Option<Signal>,
    reserves: Vec<Duration>,
    tails: Vec<Duration>,
}

impl<'a> Book<'a> {
    fn new(scenario: &'a Scenario, log: &'a Log) -> Self {
        let resources = &scenario.resources;
        let main = resources.len();
        let foundations: Vec<Id> = (0..main).filter(|&id| resources[id].foundation).collect();
        let mut after: Vec<Vec<Id>> = resources.iter().map(|spec| spec.after.clone()).collect();
        for id in (0..main).filter(|&id| !resources[id].foundation) {
            after[id].extend(&foundations);
        }
        after.push((0..main).collect());
        let main_reserve = if scenario.settings.body == BodyKind::Empty { 0 } else { 1 };
        let mut reserves: Vec<Duration> = resources.iter().map(|spec| spec.reserve).collect();
        reserves.push(Duration::from_secs(main_reserve));
        let half = scenario.settings.shutdown_timeout / 2;
        let path = |reserves: &[Duration], tails: &[Duration]| {
            (0..=main).map(|id| reserves[id] + tails[id]).max().unwrap_or_default()
        };
        let longest = path(&reserves, &tails(&after, &reserves));
        if longest > half {
            let factor = half.as_secs_f64() / longest.as_secs_f64();
            reserves = reserves.iter().map(|reserve| reserve.mul_f64(factor)).collect();
        }
        let tails = tails(&after, &reserves);
        let mut book = Self {
            scenario,
            log,
            after,
            trigger: None,
            deadlines: Vec::new(),
            hurried: None,
            exit: None,
            reserves,
            tails,
        };
        book.read();
        book
    }

    fn read(&mut self) {
        let (mut last_signal, hangup) = (None, self.scenario.settings.hangup);
        for (place, (at, entry)) in self.log.entries.iter().enumerate() {
            let (at, started) = (*at, self.trigger.is_some());
            match entry {
                Entry::Done(Command::Enter(Phase::Draining)) => {
                    self.trigger = Some(at);
                    self.deadlines.push((at, at + self.scenario.settings.shutdown_timeout));
                }
                // One that reloads, or is the program's own, asks for no stop.
                Entry::Seen(Seen::Signal(Signal::Hangup)) if hangup != Hangup::Stop => {}
                Entry::Seen(Seen::Signal(_)) if !started => last_signal = Some(at),
                Entry::Seen(Seen::Signal(signal)) => {
                    let insists = matches!(signal, Signal::Interrupt | Signal::Quit);
                    if insists && last_signal.is_none_or(|last| at - last >= SAME) {
                        last_signal = Some(at);
                        match self.hurried {
                            None => self.hurry(place, Some(*signal)),
                            Some(_) => self.exit = Some(*signal),
                        }
                    }
                }
                Entry::Seen(Seen::Insist) if self.hurried.is_none() => self.hurry(place, None),
                _ => {}
            }
        }
    }

    fn hurry(&mut self, place: usize, by: Option<Signal>) {
        let at = self.log.entries[place].0;
        self.hurried = Some((at, by));
        let is_left = |id: &Id| self.is_left(*id, place);
        let path = (0..self.after.len()).filter(is_left).map(|id| self.reserves[id] + self.tails[id]).max();
        // A trigger by `insist` is seen before it is answered: then the deadline is the path itself.
        let deadline = self.deadlines.last().map_or(Duration::MAX, |(_, deadline)| *deadline);
        let deadline = deadline.min(at + self.scenario.settings.shutdown_timeout);
        self.deadlines.push((at, deadline.min(at + path.unwrap_or_default())));
    }

    fn deadline(&self, at: Duration) -> Duration {
        let valid = self.deadlines.iter().filter(|(since, _)| *since <= at);
        valid.map(|(_, deadline)| *deadline).min().unwrap_or(Duration::MAX)
    }

    /// When something was seen or done first.
    fn when(&self, matches: impl Fn(&Entry) -> bool) -> Option<Duration> {
        self.log.entries.iter().find(|(_, entry)| matches(entry)).map(|(at, _)| *at)
    }

    fn place(&self, matches: impl Fn(&Entry) -> bool) -> Option<usize> {
        self.log.entries.iter().position(|(_, entry)| matches(entry))
    }

    fn seen(&self, seen: &Seen) -> Option<Duration> {
        self.when(|entry| *entry == Entry::Seen(seen.clone()))
    }

    fn count(&self, command: &Command) -> usize {
        self.log.entries.iter().filter(|(_, entry)| *entry == Entry::Done(command.clone())).count()
    }

    fn done(&self, command: &Command) -> Option<Duration> {
        self.when(|entry| *entry == Entry::Done(command.clone()))
    }

    /// Whether a turn is still to come or under way at a place in the log.
    fn is_left(&self, id: Id, place: usize) -> bool {
        let has = |wanted: &Entry| self.log.entries[..place].iter().any(|(_, entry)| entry == wanted);
        if id == self.scenario.resources.len() {
            let is_running = has(&Entry::Done(Command::Enter(Phase::Running)));
            let is_draining = has(&Entry::Done(Command::Drain(id)));
            let is_empty = self.scenario.settings.body == BodyKind::Empty;
            return is_running && !(is_draining && (is_empty || self.body_is_over(place)));
        }
        let was_begun = has(&Entry::Done(Command::Acquire(id)));
        was_begun && (!has(&Entry::Done(Command::Drain(id))) || self.is_over(id, place).is_err())
    }

    /// The application ends, by its deadline, once, and not before it was asked to.
    fn ends_once_and_in_time(&self) -> Verdict {
        let ends = self.count(&Command::End);
        let exits = self
            .log
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::Done(Command::Exit(_))))
            .count();
        if ends + exits != 1 {
            return Err(format!("it ended {ends} times and exited {exits} times"));
        }
        if let Some(exit) = self.exit {
            let done = self.done(&Command::Exit(exit));
            return done.map(|_| ()).ok_or(format!("it should have ended the process with {exit}"));
        }
        let end = self.done(&Command::End).ok_or("it did not end")?;
        if self.trigger.is_none() {
            return Err("it ended without a trigger".to_owned());
        }
        let deadline = self.deadline(end);
        if end > deadline + self.slack() {
            return Err(format!("it ended at {end:?}, after its deadline {deadline:?}"));
        }
        Ok(())
    }

    fn phases_follow_one_another(&self) -> Verdict {
        let mut last = Phase::Starting;
        for (_, entry) in &self.log.entries {
            if let Entry::Done(Command::Enter(phase)) = entry {
                let follows = *phase > last && (*phase != Phase::Stopped || last == Phase::Stopping);
                if !follows {
                    return Err(format!("{phase} came after {last}"));
                }
                last = *phase;
            }
        }
        Ok(())
    }

    /// S6: what fails in an optional resource ends nothing. D4: any other failure ends the delay.
    fn ends_for_a_reason(&self) -> Verdict {
        // The failure that is itself the trigger may have its delay: it is for what still works.
        let is_failure = |entry: &Entry| match entry {
            Entry::Seen(Seen::AcquireFailed(id) | Seen::TaskEnded(id, How::Failed)) => {
                !self.scenario.resources[*id].necessity.may_fail()
            }
            Entry::Seen(Seen::BodyEnded(How::Failed)) => true,
            _ => false,
        };
        let has_failed = self.log.report.failures.iter().any(|failure| !failure.is_tolerated());
        if self.log.report.reason == Reason::Failed && !has_failed {
            return Err("it ended for a failure that is tolerated".to_owned());
        }
        let draining = self.place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)));
        let stopping = self.done(&Command::Enter(Phase::Stopping));
        for (place, (at, _)) in
            self.log.entries.iter().enumerate().filter(|(_, (_, entry))| is_failure(entry))
        {
            let has_ended_the_delay = stopping.is_some_and(|stopping| stopping <= *at);
            let is_the_trigger =
                self.trigger == Some(*at) && draining.is_some_and(|draining| place < draining);
            if self.exit.is_none() && !has_ended_the_delay && !is_the_trigger {
                return Err("it went on after a failure".to_owned());
            }
        }
        Ok(())
    }

    /// D4: the delay lasts as long as was asked for, or half of what the reserves leave, unless something ends it.
    fn delay_is_kept(&self) -> Verdict {
        let (draining, stopping) = (Command::Enter(Phase::Draining), Command::Enter(Phase::Stopping));
        let (Some(draining), Some(stopping)) = (self.done(&draining), self.done(&stopping)) else {
            return Ok(());
        };
        let settings = &self.scenario.settings;
        let reason = &self.log.report.reason;
        let is_ctrl_c = settings.at_terminal && *reason == Reason::Signal(Signal::Interrupt);
        let was_running = self.done(&Command::Enter(Phase::Running)).is_some();
        let asked = match settings.drain_delay {
            Delay::Given(delay) if was_running && !is_ctrl_c && *reason != Reason::Finished => delay,
            Delay::Given(_) | Delay::IfServing(_) => Duration::ZERO,
        };
        let paths = self.reserves.iter().zip(&self.tails).map(|(reserve, tail)| *reserve + *tail);
        let left = settings.shutdown_timeout.saturating_sub(paths.max().unwrap_or_default());
        let (delay, took) = (asked.min(left / 2), stopping - draining);
        let is_ended_early = self.hurried.is_some_and(|(hurried, _)| hurried <= stopping)
            || self.log.report.failures.iter().any(|failure| !failure.is_tolerated());
        if took > delay + HAIR || took + HAIR < delay && !is_ended_early {
            return Err(format!("the delay took {took:?}, and not {delay:?}"));
        }
        Ok(())
    }

    /// Whether a release ended by itself, well or not, before anybody lost patience with it.
    fn release_was_answered(&self, id: Id, is_well: bool) -> bool {
        let abort = self.place(|entry| *entry == Entry::Done(Command::Abort(id)));
        let answer = self.place(|entry| *entry == Entry::Seen(Seen::Released(id, is_well)));
        answer.is_some_and(|answer| abort.is_none_or(|abort| answer < abort))
    }

    fn release_was_cut(&self, id: Id) -> bool {
        let was_answered = self.release_was_answered(id, true) || self.release_was_answered(id, false);
        self.count(&Command::CutRelease(id)) > 0 && !was_answered
    }

    /// Deadlines are kept but for the moments in which answers are awaited where there is no reserve.
    fn slack(&self) -> Duration {
        Duration::from_millis(self.after.len() as u64) + HAIR
    }
}

fn tails(after: &[Vec<Id>], reserves: &[Duration]) -> Vec<Duration> {
    let mut tails: Vec<Duration> = Vec::new();
    for edges in after {
        tails.push(edges.iter().map(|&beneath| reserves[beneath] + tails[beneath]).max().unwrap_or_default());
    }
    tails
}

/// Whether there is a task of the resource whose end was not told, or a reload, at the end of a part of the log.
fn has_tasks(entries: &[(Duration, Entry)], id: Id) -> bool {
    count_tasks(
        entries,
        |seen| matches!(seen, Seen::TaskEnded(of, _) | Seen::Reloaded(of, _) | Seen::ReloadDropped(of) if *of == id),
        id,
    )
}

/// Whether there is a task of the resource that has not left the count, or a reload, at the end of a part of the log.
fn has_tasks_in_flight(entries: &[(Duration, Entry)], id: Id) -> bool {
    count_tasks(
        entries,
        |seen| matches!(seen, Seen::TaskLeft(of, _) | Seen::Reloaded(of, _) | Seen::ReloadDropped(of) if *of == id),
        id,
    )
}

/// Whether more tasks of the resource were started than have ended, as `ended` says.
fn count_tasks(entries: &[(Duration, Entry)], ended: impl Fn(&Seen) -> bool, id: Id) -> bool {
    let count = |matches: &dyn Fn(&Seen) -> bool| {
        let matches = |entry: &Entry| matches!(entry, Entry::Seen(seen) if matches(seen));
        entries.iter().filter(|(_, entry)| matches(entry)).count()
    };
    count(&|seen| [Seen::TaskStarted(id), Seen::ReloadStarted(id)].contains(seen)) > count(&ended)
}

/// Whether the future of an acquisition that was begun is gone at the end of a part of the log.
fn acquisition_has_ended(entries: &[(Duration, Entry)], id: Id) -> bool {
    entries.iter().any(|(_, entry)| {
        matches!(entry, Entry::Seen(
                Seen::Acquired(of)
                    | Seen::AcquireFailed(of)
                    | Seen::AcquireDropped(of)
                    | Seen::AcquireSkipped(of),
            ) if *of == id)
    })
}
