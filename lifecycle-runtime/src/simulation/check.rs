//! The rules, read off the log. Nothing here asks the engine or its budget.

use std::time::Duration;

use super::scenario::{Dying, Outside, Scenario};
use super::world::{Entry, How, Log, Seen};
use crate::engine::BodyKind;
use crate::engine::command::{Command, Notice};
use crate::phase::{Phase, Signal};
use crate::plan::Id;
use crate::report::Outcome;

/// Two signals within this time are one (rule D8).
const SAME: Duration = Duration::from_millis(500);

/// How long an answer to `CutRelease` is waited for at the least.
const MOMENT: Duration = Duration::from_millis(1);

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
    book.progress_is_told()?;
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
        let mut last_signal = None;
        for (place, (at, entry)) in self.log.entries.iter().enumerate() {
            let (at, started) = (*at, self.trigger.is_some());
            match entry {
                Entry::Done(Command::Enter(Phase::Draining)) => {
                    self.trigger = Some(at);
                    self.deadlines.push((at, at + self.scenario.settings.shutdown_timeout));
                }
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
            let has_ended =
                self.log.entries[..place].iter().any(|(_, e)| matches!(e, Entry::Seen(Seen::BodyEnded(_))));
            let is_running = has(&Entry::Done(Command::Enter(Phase::Running)));
            let is_draining = has(&Entry::Done(Command::Drain(id)));
            let is_empty = self.scenario.settings.body == BodyKind::Empty;
            return is_running && !(is_draining && (has_ended || is_empty));
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
                !self.scenario.resources[*id].optional
            }
            Entry::Seen(Seen::BodyEnded(How::Failed)) => true,
            _ => false,
        };
        let has_failed = self.log.report.failures.iter().any(|failure| !failure.is_tolerated());
        if self.log.report.reason == crate::Reason::Failed && !has_failed {
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

    /// S2: a resource is acquired once, after everything that it needs, and as soon as that is there.
    fn is_acquired_after_what_it_needs(&self, id: Id) -> Verdict {
        let acquire = self.place(|entry| *entry == Entry::Done(Command::Acquire(id)));
        if self.count(&Command::Acquire(id)) > 1 {
            return Err(format!("r{id} was acquired twice"));
        }
        let settled = self.after[id].iter().map(|&beneath| (beneath, self.settled(beneath)));
        let settled: Vec<(Id, Option<usize>)> = settled.collect();
        for (beneath, settled) in &settled {
            if acquire.is_some_and(|acquire| settled.is_none_or(|settled| settled > acquire)) {
                return Err(format!("r{id} was acquired before r{beneath}"));
            }
        }
        let places: Option<Vec<usize>> = settled.into_iter().map(|(_, settled)| settled).collect();
        let Some(places) = places else { return Ok(()) };
        let due = places.into_iter().max().map_or(Duration::ZERO, |last| self.log.entries[last].0);
        let is_on_time = acquire.is_some_and(|acquire| self.log.entries[acquire].0 == due);
        let is_stopping = self.trigger.is_some_and(|trigger| trigger <= due);
        if is_on_time || is_stopping {
            Ok(())
        } else {
            Err(format!("r{id} was not acquired at {due:?}, when all that it needs was there"))
        }
    }

    /// S3: an acquisition that is under way is cancelled when its time is up, and not before.
    fn is_acquired_in_time(&self, id: Id) -> Verdict {
        let Some(began) = self.done(&Command::Acquire(id)) else { return Ok(()) };
        let own = self.scenario.resources[id].acquire_timeout.map(|timeout| began + timeout);
        let whole = self.scenario.settings.startup_timeout;
        let limit = own.into_iter().chain(whole).min().unwrap_or(Duration::MAX).max(began);
        let draining = self.place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)));
        let cancel = self.place(|entry| *entry == Entry::Done(Command::CancelAcquire(id)));
        if let Some(cancel) = cancel.filter(|cancel| draining.is_none_or(|draining| *cancel < draining)) {
            let at = self.log.entries[cancel].0;
            let is_on_time = at == limit;
            return if is_on_time {
                Ok(())
            } else {
                Err(format!("r{id} was timed out at {at:?}, not at {limit:?}"))
            };
        }
        let in_time = self.log.entries.iter().take_while(|(at, _)| *at <= limit).count();
        let has_ended = acquisition_has_ended(&self.log.entries[..in_time], id);
        let is_stopping = self.trigger.is_some_and(|trigger| trigger <= limit);
        if has_ended || is_stopping { Ok(()) } else { Err(format!("r{id} was not timed out at {limit:?}")) }
    }

    /// S3, D11: every five seconds of the start and of each phase of the stop, and at no other time.
    fn progress_is_told(&self) -> Verdict {
        const EVERY: Duration = Duration::from_secs(5);
        let is_start =
            |entry: &Entry| matches!(entry, Entry::Done(Command::Tell(Notice::StartProgress { .. })));
        let started = self.done(&Command::Enter(Phase::Running)).or(self.trigger).unwrap_or_default();
        let due = started.as_nanos().div_ceil(EVERY.as_nanos()).saturating_sub(1);
        // What is said before the foundations are there is in the log later, but it is there.
        let told = self.log.entries.iter().filter(|(_, entry)| is_start(entry)).count();
        if told as u128 != due {
            return Err(format!("the progress of a start of {started:?} was told {told} times"));
        }
        let mut last = None;
        for (at, entry) in &self.log.entries {
            let is_told = match entry {
                Entry::Done(Command::Tell(Notice::StopProgress { .. })) => true,
                Entry::Done(Command::Enter(Phase::Draining | Phase::Stopping | Phase::Stopped)) => false,
                _ => continue,
            };
            let gap = *at - last.unwrap_or(*at);
            if gap > EVERY || is_told && gap < EVERY {
                return Err(format!("{gap:?} of the stop went by, and its progress was told: {is_told}"));
            }
            last = Some(*at);
        }
        Ok(())
    }

    /// From where in the log on the dependents of a resource may begin.
    fn settled(&self, id: Id) -> Option<usize> {
        let is_optional = self.scenario.resources[id].optional;
        self.place(|entry| match entry {
            Entry::Seen(Seen::Acquired(of) | Seen::AcquireSkipped(of)) => *of == id,
            Entry::Seen(Seen::AcquireFailed(of)) => is_optional && *of == id,
            Entry::Done(Command::CancelAcquire(of)) => is_optional && *of == id,
            _ => false,
        })
    }

    fn is_given_back_exactly_once(&self, id: Id) -> Verdict {
        let has_instance = self.seen(&Seen::Acquired(id)).is_some();
        let releases = self.count(&Command::Release(id));
        let aborts = self.count(&Command::Abort(id));
        let has_ended_well = self.release_was_answered(id, true);
        if releases > 1 || aborts > 1 {
            return Err(format!("r{id} was released {releases} times and aborted {aborts} times"));
        }
        if !has_instance && releases + aborts > 0 {
            return Err(format!("r{id} was given back, but was never there"));
        }
        if has_ended_well && aborts > 0 {
            return Err(format!("r{id} was aborted although it was released"));
        }
        let is_exited = self.exit.is_some();
        if has_instance && releases + aborts == 0 && !is_exited {
            return Err(format!("r{id} was never given back"));
        }
        if releases == 1 && !has_ended_well && aborts == 0 && !is_exited {
            return Err(format!("the release of r{id} did not complete, and abort was not called"));
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

    /// D5: a turn begins once everything that comes after the resource has had its own.
    fn has_its_turn_after_its_dependents(&self, id: Id) -> Verdict {
        let Some(turn) = self.place(|entry| *entry == Entry::Done(Command::Drain(id))) else { return Ok(()) };
        // An optional resource that is not there has its turn at once: nobody has it.
        let is_early = self.log.entries[turn].0 < self.trigger.unwrap_or(Duration::MAX)
            || self
                .place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)))
                .is_none_or(|t| t > turn);
        if is_early {
            return if self.scenario.resources[id].optional && self.count(&Command::Release(id)) == 0
                || self.seen(&Seen::Acquired(id)).is_some() && self.count(&Command::CancelAcquire(id)) == 1
            {
                Ok(())
            } else {
                Err(format!("the turn of r{id} came before there was a reason"))
            };
        }
        for above in (0..self.scenario.resources.len()).filter(|&above| self.after[above].contains(&id)) {
            if self.count(&Command::Acquire(above)) == 0 {
                continue;
            }
            self.is_over(above, turn)
                .map_err(|why| format!("the turn of r{id} came before r{above} was done: {why}"))?;
        }
        if !self.body_is_over(turn) {
            return Err(format!("the turn of r{id} came before the body of main was done"));
        }
        let turn = self.log.entries[turn].0;
        match self.turn_is_due(id) {
            Some(due) if due < turn => {
                Err(format!("the turn of r{id} came at {turn:?}, and could have come at {due:?}"))
            }
            _ => Ok(()),
        }
    }

    /// When everything above a resource was done, if all of it was done by itself.
    fn turn_is_due(&self, id: Id) -> Option<Duration> {
        let mut due = self.done(&Command::Enter(Phase::Stopping))?;
        for above in (0..self.scenario.resources.len()).filter(|&above| self.after[above].contains(&id)) {
            if self.count(&Command::Acquire(above)) == 1 {
                due = due.max(self.turn_ended(above)?);
            }
        }
        let was_begun = self.count(&Command::RunMain) == 1;
        if was_begun && self.scenario.settings.body != BodyKind::Empty {
            due = due.max(self.when(|entry| matches!(entry, Entry::Seen(Seen::BodyEnded(_))))?);
        }
        Some(due)
    }

    /// When the turn of a resource whose acquisition was begun was over, if it came to its end by itself.
    fn turn_ended(&self, id: Id) -> Option<Duration> {
        let turn = self.done(&Command::Drain(id))?;
        if self.seen(&Seen::Acquired(id)).is_some() {
            return if self.count(&Command::Abort(id)) == 0 {
                self.seen(&Seen::Released(id, true))
            } else {
                self.when(|entry| matches!(entry, Entry::Seen(Seen::Aborted(of, _)) if *of == id))
            };
        }
        let ends = self.log.entries.iter().filter_map(|(at, entry)| match entry {
            Entry::Seen(
                Seen::AcquireFailed(of)
                | Seen::AcquireDropped(of)
                | Seen::AcquireSkipped(of)
                | Seen::TaskEnded(of, _),
            ) => (*of == id).then_some(*at),
            _ => None,
        });
        let is_left = !acquisition_has_ended(&self.log.entries, id) || has_tasks(&self.log.entries, id);
        if is_left { None } else { ends.chain([turn]).max() }
    }

    /// Whether the body of `main`, which comes after everything, was not there any more at a place in the log, or had
    /// its time.
    fn body_is_over(&self, place: usize) -> bool {
        let now = self.log.entries[place].0;
        let entries = &self.log.entries[..place];
        let has = |matches: &dyn Fn(&Entry) -> bool| entries.iter().any(|(_, entry)| matches(entry));
        let main = self.scenario.resources.len();
        let was_begun = has(&|entry| *entry == Entry::Done(Command::RunMain));
        let has_ended = has(&|entry| matches!(entry, Entry::Seen(Seen::BodyEnded(_))));
        let is_cut_off = now + HAIR >= self.deadline(now).saturating_sub(self.tails[main]);
        !was_begun || has_ended || is_cut_off
    }

    /// Whether the turn of a resource whose acquisition was begun is over at a place in the log.
    fn is_over(&self, id: Id, place: usize) -> Verdict {
        let now = self.log.entries[place].0;
        let entries = &self.log.entries[..place];
        let has = |matches: &dyn Fn(&Entry) -> bool| entries.iter().any(|(_, entry)| matches(entry));
        let is_cut_off = now >= self.deadline(now).saturating_sub(self.tails[id] + HAIR);
        let has_instance = has(&|entry| *entry == Entry::Seen(Seen::Acquired(id)));
        let is_acquiring = !acquisition_has_ended(entries, id);
        if is_acquiring && !is_cut_off {
            return Err("its acquisition was under way".to_owned());
        }
        if has_instance && !has(&|entry| *entry == Entry::Done(Command::Release(id))) && !is_acquiring {
            // An instance that came when the turn was over is aborted, in place of a release.
            return if has(&|entry| *entry == Entry::Done(Command::Abort(id))) {
                Ok(())
            } else {
                Err("it was there".to_owned())
            };
        }
        if !has_instance && has_tasks(entries, id) && !is_cut_off {
            return Err("its tasks were there".to_owned());
        }
        if has_instance {
            // What comes when `abort` was called already is no end of the turn: that is the return of `abort`.
            let mut answered =
                entries.iter().take_while(|(_, entry)| *entry != Entry::Done(Command::Abort(id)));
            let is_released = answered.any(|(_, entry)| *entry == Entry::Seen(Seen::Released(id, true)));
            let is_aborted = has(&|entry| matches!(entry, Entry::Seen(Seen::Aborted(of, _)) if *of == id));
            if !(is_released || is_aborted || is_cut_off) {
                return Err("its release was under way".to_owned());
            }
        }
        Ok(())
    }

    /// D6: whoever is beneath begins its turn with its whole reserve left, and its release with a part of it.
    fn has_its_reserve(&self, id: Id) -> Verdict {
        let slack = self.slack();
        let Some(turn) = self.done(&Command::Drain(id)) else { return Ok(()) };
        if self.trigger.is_none_or(|trigger| turn < trigger) {
            return Ok(());
        }
        let latest = |at: Duration, share: Duration| self.deadline(at).saturating_sub(self.tails[id] + share);
        if turn > latest(turn, self.reserves[id]) + slack {
            return Err(format!("r{id} was starved: its turn began at {turn:?}, too late for its reserve"));
        }
        // An instance that came although its acquisition was cancelled may come with little time left.
        let is_late = self.count(&Command::CancelAcquire(id)) == 1;
        if let Some(release) = self.done(&Command::Release(id)).filter(|_| !is_late) {
            if release > latest(release, self.reserves[id] / 4) + slack {
                return Err(format!(
                    "r{id} was starved: its release began at {release:?}, too late for a quarter of its reserve"
                ));
            }
        }
        if let Some(place) = self.place(|entry| *entry == Entry::Done(Command::AbortTasks(id))) {
            let (abort, entries) = (self.log.entries[place].0, &self.log.entries[..place]);
            if acquisition_has_ended(entries, id) && !has_tasks(entries, id) {
                return Err(format!("the tasks of r{id} were aborted, and there were none"));
            }
            let spec = &self.scenario.resources[id];
            let own = spec.drain_timeout.map_or(Duration::MAX, |timeout| turn + timeout);
            let limit = match self.hurried {
                Some((hurried, _)) if hurried <= abort => hurried.max(turn),
                _ => latest(abort, self.reserves[id] / 2).min(own).max(turn),
            };
            if abort > limit + slack || abort + slack < limit {
                return Err(format!("the tasks of r{id} were aborted at {abort:?}, and not at {limit:?}"));
            }
        }
        Ok(())
    }

    /// D6, D7: a release is cut off when only the time for its `abort` is left, and the answer to that is waited for
    /// during half of what is left then.
    fn is_cut_off_on_time(&self, id: Id) -> Verdict {
        let Some(release) = self.done(&Command::Release(id)) else { return Ok(()) };
        let share = Duration::from_millis(100).min(self.reserves[id] / 10);
        // A deadline that has become an earlier one may have cut off what it then finds.
        let limit = |at: Duration, share: Duration, earliest: Duration| {
            let hurried = self.hurried.map_or(Duration::ZERO, |(hurried, _)| hurried);
            let earliest = if hurried <= at { earliest.max(hurried) } else { earliest };
            self.deadline(at).saturating_sub(self.tails[id] + share).max(earliest)
        };
        let is_answer = |entry: &Entry| match entry {
            Entry::Seen(Seen::Released(of, _) | Seen::ReleaseDropped(of)) => *of == id,
            _ => false,
        };
        let answer = self.place(is_answer);
        let Some(cut) = self.place(|entry| *entry == Entry::Done(Command::CutRelease(id))) else {
            let answered = answer.map(|answer| self.log.entries[answer].0);
            return match answered.filter(|at| *at > limit(*at, share, release) + HAIR) {
                Some(at) => Err(format!("the release of r{id} ended at {at:?}, and was not cut off before")),
                None => Ok(()),
            };
        };
        let cut = self.log.entries[cut].0;
        let due = limit(cut, share, release);
        if cut.abs_diff(due) > HAIR {
            return Err(format!("the release of r{id} was cut off at {cut:?}, and not at {due:?}"));
        }
        let Some(abort) = self.place(|entry| *entry == Entry::Done(Command::Abort(id))) else {
            return Ok(());
        };
        let at = self.log.entries[abort].0;
        let due = match answer.filter(|answer| *answer < abort) {
            Some(answer) => self.log.entries[answer].0,
            None => limit(at, share / 2, cut + MOMENT),
        };
        if at.abs_diff(due) > HAIR {
            return Err(format!("r{id} was aborted at {at:?}, and not at {due:?}"));
        }
        Ok(())
    }

    fn is_reported_as_it_was(&self, id: Id) -> Verdict {
        let report = &self.log.report.resources[id];
        let outcome = report.outcome;
        let was_begun = self.count(&Command::Acquire(id)) == 1;
        if was_begun == (outcome == Outcome::NeverStarted) {
            return Err(format!("r{id} is reported {outcome}, but was begun: {was_begun}"));
        }
        let was_skipped = self.seen(&Seen::AcquireSkipped(id)).is_some();
        if outcome == Outcome::Skipped && !was_skipped {
            return Err(format!("r{id} is reported skipped, but was not"));
        }
        let is_trouble = |entry: &Entry| match entry {
            Entry::Seen(
                Seen::AcquireFailed(of) | Seen::TaskEnded(of, How::Failed) | Seen::Released(of, false),
            ) => *of == id,
            Entry::Done(Command::AbortTasks(of) | Command::CancelAcquire(of) | Command::CutRelease(of)) => {
                *of == id
            }
            Entry::Seen(Seen::AcquireSkipped(of)) => *of == id,
            _ => false,
        };
        let first = self.place(is_trouble).map(|place| &self.log.entries[place].1);
        let has_failed_first = matches!(first, Some(Entry::Seen(seen)) if *seen != Seen::AcquireSkipped(id));
        if has_failed_first && !matches!(outcome, Outcome::Failed | Outcome::Panicked) {
            return Err(format!("r{id} failed first of all, but is reported {outcome}"));
        }
        let has_failed =
            [Seen::AcquireFailed(id), Seen::TaskEnded(id, How::Failed), Seen::Released(id, false)]
                .iter()
                .any(|seen| self.seen(seen).is_some());
        let is_clean = was_begun
            && !has_failed
            && !was_skipped
            && self.seen(&Seen::AcquireDropped(id)).is_none()
            && self.count(&Command::CancelAcquire(id)) == 0
            && !self.release_was_cut(id)
            && !self.tasks_were_cut(id)
            && self.seen(&Seen::Aborted(id, false)).is_none();
        if is_clean != (outcome == Outcome::Clean)
            && self.exit.is_none()
            && self.count(&Command::CancelAcquire(id)) == 0
        {
            return Err(format!("r{id} is reported {outcome}, but was clean: {is_clean}"));
        }
        let failures =
            self.log.report.failures.iter().filter(|failure| failure.resource() == format!("r{id}")).count();
        let seen = self.log.entries.iter().filter(|(_, entry)| match entry {
            Entry::Seen(Seen::AcquireFailed(of) | Seen::Released(of, false) | Seen::Aborted(of, false)) => {
                *of == id
            }
            Entry::Seen(Seen::TaskEnded(of, How::Failed)) => *of == id,
            _ => false,
        });
        // Errors that came when they could not matter any more are the only ones that may be missing: of a release
        // that was cut off.
        let late = self.count(&Command::CutRelease(id));
        let seen = seen.count();
        if failures < seen.saturating_sub(late) {
            return Err(format!("{seen} failures of r{id} were seen, {failures} reported"));
        }
        Ok(())
    }

    fn tasks_were_cut(&self, id: Id) -> bool {
        let Some(cut) = self.place(|entry| *entry == Entry::Done(Command::AbortTasks(id))) else {
            return false;
        };
        let entries = &self.log.entries[..cut];
        has_tasks(entries, id)
    }

    fn tasks_were_cut_by_the_deadline(&self, id: Id) -> bool {
        let trigger = self.place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)));
        let abort = self.place(|entry| *entry == Entry::Done(Command::AbortTasks(id)));
        abort > trigger && self.tasks_were_cut(id)
    }

    fn exit_code_follows_the_rule(&self) -> Verdict {
        if self.exit.is_some() {
            return Ok(());
        }
        let settings = &self.scenario.settings;
        let main = self.scenario.resources.len();
        let body = self.scenario.body;
        let has_run = self.count(&Command::RunMain) == 1;
        let first_signal = self.log.entries.iter().find_map(|(at, entry)| match entry {
            Entry::Seen(Seen::Signal(signal)) if Some(*at) == self.trigger => Some(*signal),
            _ => None,
        });
        let first_outside = self.scenario.outside.iter().find(|(at, _)| Some(*at) == self.trigger);
        let signal = first_signal.filter(|_| matches!(first_outside, Some((_, Outside::Signal(_)))));
        let signal = signal.filter(|_| matches!(self.log.report.reason, crate::Reason::Signal(_)));
        let body_ended = self.when(|entry| matches!(entry, Entry::Seen(Seen::BodyEnded(_))));
        let was_interrupted = settings.body != BodyKind::Empty
            && (!has_run
                || (settings.body == BodyKind::Written
                    && !body.listens
                    && self.seen(&Seen::BodyEnded(How::Dropped)).is_some()));
        let hurried_by = self.hurried.and_then(|(_, by)| by);
        let host_was_left = settings.body == BodyKind::Host && has_run && body_ended.is_none();
        let body_was_cut = settings.body != BodyKind::Empty
            && has_run
            && self.count(&Command::AbortTasks(main)) == 1
            && (settings.body == BodyKind::Host || body.listens);
        let acquisition_was_left = |id: Id| {
            self.count(&Command::CancelAcquire(id)) == 1
                && self.scenario.resources[id].cancel != Dying::AtOnce
        };
        let ids = 0..main;
        let was_cut = host_was_left
            || body_was_cut
            || ids.clone().any(|id| self.tasks_were_cut_by_the_deadline(id) || self.release_was_cut(id));
        // Whether an acquisition that was slow to go was gone in time is in the log, but not in one line of it.
        // So it is with a task of an optional resource that was aborted before the shutdown, and may not have gone.
        let may_be_left = |id: Id| acquisition_was_left(id) || self.tasks_were_cut(id);
        let may_be_cut = was_cut || ids.clone().any(may_be_left);
        let has_failed = self.log.report.failures.iter().any(|failure| !failure.is_tolerated());
        let should_have_failed = ids.clone().any(|id| {
            let spec = &self.scenario.resources[id];
            !spec.optional
                && (self.seen(&Seen::AcquireFailed(id)).is_some()
                    || self.seen(&Seen::TaskEnded(id, How::Failed)).is_some())
        });
        if should_have_failed && !has_failed {
            return Err("a failure is missing from the report".to_owned());
        }
        let code = self.log.report.exit_code;
        let expected = match (hurried_by, signal.filter(|_| was_interrupted)) {
            (Some(signal), _) | (None, Some(signal)) => 128 + signal.number(),
            (None, None) if was_cut => 124,
            (None, None) if may_be_cut && code == 124 => 124,
            (None, None) if has_failed => 1,
            (None, None) => 0,
        };
        if code == expected {
            Ok(())
        } else {
            Err(format!("the exit code is {code}, and should be {expected}"))
        }
    }
}

fn tails(after: &[Vec<Id>], reserves: &[Duration]) -> Vec<Duration> {
    let mut tails: Vec<Duration> = Vec::new();
    for edges in after {
        tails.push(edges.iter().map(|&beneath| reserves[beneath] + tails[beneath]).max().unwrap_or_default());
    }
    tails
}

/// Whether a task of the resource is alive at the end of a part of the log.
fn has_tasks(entries: &[(Duration, Entry)], id: Id) -> bool {
    let count = |matches: &dyn Fn(&Entry) -> bool| entries.iter().filter(|(_, entry)| matches(entry)).count();
    let started = count(&|entry| *entry == Entry::Seen(Seen::TaskStarted(id)));
    let ended = count(&|entry| matches!(entry, Entry::Seen(Seen::TaskEnded(of, _)) if *of == id));
    started > ended
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
