//! Single rules that the simulation does not play.

use std::cell::Cell;
use std::time::Duration;

use super::notice::Insistence;
use super::settings::Delay;
use super::*;
use crate::model::graph::{Necessity, Step};
use crate::model::platform::Origin;
use crate::model::reload::Hangup;
use crate::model::signal::Signal;

const DELAY: Duration = Duration::from_secs(5);
/// The deadline, less half of the reserve.
const CUT: Duration = Duration::from_millis(24_500);

/// What is in flight of the resource; of `main`, nothing is.
#[derive(Default)]
struct InFlight(Cell<Cut>);

impl Counts for InFlight {
    fn begin_drain(&self, id: Id) -> usize {
        self.in_flight(id).in_flight
    }

    fn in_flight(&self, id: Id) -> Cut {
        if id == 0 { self.0.get() } else { Cut::default() }
    }
}

/// Tells the engine, with nothing in flight.
fn tell(engine: &mut Engine, now: Duration, event: Event) -> Vec<Output> {
    tell_with(engine, now, event, Cut::default())
}

fn tell_with(engine: &mut Engine, now: Duration, event: Event, in_flight: Cut) -> Vec<Output> {
    engine.handle(now, event, &InFlight(Cell::new(in_flight)));
    std::iter::from_fn(|| engine.next_output()).collect()
}

fn commands(outputs: Vec<Output>) -> Vec<Command> {
    let commands = outputs.into_iter().filter_map(|output| match output {
        Output::Do(command) => Some(command),
        Output::Say(_) | Output::Gone(..) | Output::Report(_) | Output::LastWord => None,
    });
    commands.collect()
}

/// One resource that is there, in an application that runs.
fn running(drain_delay: Delay) -> Engine {
    running_at(false, drain_delay)
}

fn running_at(at_terminal: bool, drain_delay: Delay) -> Engine {
    let mut engine = starting_at(at_terminal, drain_delay, &[&[]]);
    tell(&mut engine, Duration::ZERO, Event::Acquired(0));
    engine
}

/// Resources that are being acquired, each after those with these numbers.
fn starting(graph: &[&[Id]]) -> Engine {
    starting_at(false, Delay::Given(Duration::ZERO), graph)
}

fn starting_at(at_terminal: bool, drain_delay: Delay, graph: &[&[Id]]) -> Engine {
    let step = |after: &&[Id]| Step {
        name: "r",
        after: after.to_vec(),
        reserve: Duration::from_secs(1),
        acquire_timeout: None,
        drain_timeout: None,
        necessity: Necessity::Required,
        foundation: false,
        is_supplied: false,
        reloads: false,
    };
    let settings = Settings {
        shutdown_timeout: Duration::from_secs(25),
        timeout_origin: Origin::Default,
        startup_timeout: None,
        drain_delay,
        body: BodyKind::Host,
        ending: Ending::Process,
        hangup: Hangup::Stop,
        at_terminal,
        serves: false,
        probe: None,
        left_out: Vec::new(),
        warnings: Vec::new(),
    };
    let (plan, _) = Graph::new(graph.iter().map(step).collect(), Duration::ZERO);
    let mut engine = Engine::new(Arc::new(plan), settings);
    tell(&mut engine, Duration::ZERO, Event::Start);
    engine
}

fn delay_of(engine: &mut Engine) -> Duration {
    delay_after(engine, Signal::Terminate)
}

fn delay_after(engine: &mut Engine, signal: Signal) -> Duration {
    let outputs = tell(engine, Duration::ZERO, Event::Signal(signal));
    let told = outputs.iter().find_map(|output| match output {
        Output::Say(Notice::ShuttingDown { delay, .. }) => Some(*delay),
        _ => None,
    });
    told.expect("a shutdown is told")
}

#[test]
fn the_delay_of_the_platform_is_for_what_serves() {
    assert_eq!(delay_of(&mut running(Delay::IfServing(DELAY))), Duration::ZERO);
    let mut serving = running(Delay::IfServing(DELAY));
    tell(&mut serving, Duration::ZERO, Event::Serves);
    assert_eq!(delay_of(&mut serving), DELAY);
}

#[test]
fn a_delay_that_was_given_is_kept_whatever_there_is() {
    assert_eq!(delay_of(&mut running(Delay::Given(DELAY))), DELAY);
}

#[test]
fn what_comes_is_served_while_the_application_runs_and_for_the_delay() {
    let mut engine = running(Delay::Given(DELAY));
    assert!(engine.is_ready() && engine.is_serving());
    tell(&mut engine, Duration::ZERO, Event::PreStop);
    assert!(!engine.is_ready() && engine.is_serving());
    tell(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate));
    assert!(!engine.is_ready() && engine.is_serving());
    tell(&mut engine, DELAY, Event::Tick);
    assert!(!engine.is_serving());
    let mut starting = starting_at(false, Delay::Given(DELAY), &[&[]]);
    assert!(!starting.is_serving());
    tell(&mut starting, Duration::ZERO, Event::Signal(Signal::Terminate));
    assert!(!starting.is_serving(), "a stop during the start has nothing to serve");
}

#[test]
fn a_ctrl_c_at_a_terminal_has_no_delay() {
    let given = Delay::Given(DELAY);
    assert_eq!(delay_after(&mut running_at(true, given), Signal::Interrupt), Duration::ZERO);
    assert_eq!(delay_after(&mut running_at(true, given), Signal::Terminate), DELAY);
    assert_eq!(delay_after(&mut running_at(false, given), Signal::Interrupt), DELAY);
}

/// HTTP/2 connections are asked to leave in the first half of the delay, and it begins with a preStop hook.
#[test]
fn the_delay_has_a_middle_whatever_begins_it() {
    let (given, half) = (Delay::Given(DELAY), DELAY / 2);
    let mut engine = running(given);
    assert_eq!(engine.middle_of_delay(), None);
    tell(&mut engine, half, Event::Signal(Signal::Terminate));
    assert_eq!(engine.middle_of_delay(), Some(DELAY));
    tell(&mut engine, DELAY, Event::Insist);
    assert!(engine.middle_of_delay() < Some(DELAY), "it is cut short");

    let mut engine = running(given);
    tell(&mut engine, half, Event::PreStop);
    assert_eq!(engine.middle_of_delay(), Some(DELAY));
    tell(&mut engine, half * 2, Event::Tick);
    assert_eq!(engine.middle_of_delay(), Some(DELAY));
    tell(&mut engine, half * 2, Event::Signal(Signal::Terminate));
    assert_eq!(engine.middle_of_delay(), Some(DELAY));

    let mut engine = running(Delay::Given(Duration::ZERO));
    tell(&mut engine, half, Event::Signal(Signal::Terminate));
    assert_eq!(engine.middle_of_delay(), Some(half), "there is no first half");
}

#[test]
fn a_ctrl_c_is_a_sigint_that_began_the_stop_at_a_terminal() {
    let given = Delay::Given(DELAY);
    for (at_terminal, first, is_ctrl_c) in
        [(true, Signal::Interrupt, true), (true, Signal::Terminate, false), (false, Signal::Interrupt, false)]
    {
        let mut engine = running_at(at_terminal, given);
        assert!(!engine.was_interrupted_at_terminal());
        tell(&mut engine, Duration::ZERO, Event::Signal(first));
        tell(&mut engine, DELAY, Event::Signal(Signal::Interrupt));
        assert_eq!(engine.was_interrupted_at_terminal(), is_ctrl_c);
    }
}

/// What the signals, a second apart, are answered with about the next Ctrl-C.
fn next_interrupts(at_terminal: bool, signals: &[Signal]) -> Vec<Option<Insistence>> {
    let mut engine = running_at(at_terminal, Delay::Given(Duration::ZERO));
    let times = (0..).map(Duration::from_secs);
    let answers = times.zip(signals).map(|(now, &signal)| tell(&mut engine, now, Event::Signal(signal)));
    let told = answers.map(|outputs| {
        outputs.iter().find_map(|output| match output {
            Output::Say(Notice::NextInterrupt(next)) => Some(*next),
            _ => None,
        })
    });
    told.collect()
}

#[test]
fn at_a_terminal_each_signal_that_counts_says_what_the_next_ctrl_c_does() {
    use Signal::{Interrupt, Quit, Terminate};
    let hurries = Some(Insistence::Hurries);
    let ends = Some(Insistence::Ends);
    assert_eq!(next_interrupts(true, &[Interrupt, Interrupt, Interrupt]), [hurries, ends, None]);
    assert_eq!(next_interrupts(true, &[Terminate, Terminate, Quit]), [hurries, None, ends]);
    assert_eq!(next_interrupts(false, &[Interrupt, Interrupt, Interrupt]), [None, None, None]);
}

/// The turn of the resource has begun, with this in flight.
fn draining(in_flight: Cut) -> Engine {
    let mut engine = running(Delay::Given(Duration::ZERO));
    tell(&mut engine, Duration::ZERO, Event::BodyEnded(BodyEnd::Done, Rest::Drained));
    tell_with(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate), in_flight);
    engine
}

/// The exit code when so many units were in flight at the cut-off, of which so many were excused.
fn check_cut(in_flight: usize, excused: usize, expected: u8) {
    let in_flight = Cut { in_flight, excused };
    let mut engine = draining(in_flight);
    let cut = commands(tell_with(&mut engine, CUT, Event::Tick, in_flight));
    assert!(cut.contains(&Command::AbortTasks(0)), "{cut:?}");
    tell(&mut engine, CUT, Event::Drained(0));
    tell(&mut engine, CUT, Event::Released(0, Ok(())));
    let resource = &engine.report().resources[0];
    assert_eq!((resource.cut, resource.excused), (in_flight.in_flight, excused));
    assert_eq!(engine.exit_code(), expected, "{in_flight:?}");
}

#[test]
fn what_is_excused_does_not_count_at_the_cut_off() {
    check_cut(1, 0, 124);
    check_cut(3, 2, 124);
    check_cut(3, 3, 0);
}

/// A release in blocking code may end when nobody counts on it any more.
#[test]
fn what_a_release_answers_after_abort_was_called_changes_nothing() {
    for answer in [Ok(()), Err(Cause::Error("it broke".into()))] {
        let mut engine = draining(Cut::default());
        let late = Duration::from_millis(24_900);
        assert!(commands(tell(&mut engine, late, Event::Tick)).contains(&Command::CutRelease(0)));
        let later = Duration::from_millis(24_950);
        assert!(commands(tell(&mut engine, later, Event::Tick)).contains(&Command::Abort(0)));
        assert_eq!(commands(tell(&mut engine, later, Event::Released(0, answer))), []);
        assert!(commands(tell(&mut engine, later, Event::Aborted(0, Ok(())))).contains(&Command::End));
        assert_eq!(engine.exit_code(), 124);
    }
}

fn started(task: TaskId) -> Event {
    Event::TaskStarted { owner: 0, task, name: "worker".into(), kind: TaskKind::Supervised }
}

/// Only its turn is a reason to drop a task.
#[test]
fn a_task_that_is_lost_while_the_application_runs_is_a_failure() {
    let mut engine = running(Delay::Given(Duration::ZERO));
    tell(&mut engine, Duration::ZERO, started(0));
    let lost = Event::TaskEnded { owner: 0, task: 0, end: TaskEnd::Dropped, rest: Rest::Unknown };
    let lost = commands(tell(&mut engine, Duration::ZERO, lost));
    assert!(lost.contains(&Command::Enter(Phase::Draining)), "{lost:?}");
    assert_eq!(engine.exit_code(), 1);
}

/// R1: another thread may tell that nothing is in flight before the task that left first tells how it ended.
#[test]
fn a_turn_is_not_over_while_the_end_of_a_task_is_still_to_be_told() {
    let mut engine = running(Delay::Given(Duration::ZERO));
    tell(&mut engine, Duration::ZERO, started(0));
    tell(&mut engine, Duration::ZERO, Event::BodyEnded(BodyEnd::Done, Rest::Drained));
    let in_flight = Cut { in_flight: 2, excused: 0 };
    tell_with(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate), in_flight);
    assert_eq!(commands(tell(&mut engine, Duration::ZERO, Event::Drained(0))), []);
    let failed = TaskEnd::Failed(Cause::Error("it broke".into()));
    let failed = Event::TaskEnded { owner: 0, task: 0, end: failed, rest: Rest::Unknown };
    assert!(commands(tell(&mut engine, Duration::ZERO, failed)).contains(&Command::Release(0)));
    tell(&mut engine, Duration::ZERO, Event::Released(0, Ok(())));
    assert_eq!(engine.exit_code(), 1);
}

/// D8: a terminal and a parent often both deliver, to the very end of the process.
#[test]
fn after_the_end_a_signal_that_is_the_same_one_does_not_end_the_process() {
    let mut engine = draining(Cut::default());
    tell(&mut engine, Duration::ZERO, Event::Released(0, Ok(())));
    let at = |millis| Duration::from_millis(millis);
    assert_eq!(commands(tell(&mut engine, at(100), Event::Signal(Signal::Interrupt))), []);
    assert_eq!(commands(tell(&mut engine, at(600), Event::Signal(Signal::Terminate))), []);
    let again = commands(tell(&mut engine, at(700), Event::Signal(Signal::Interrupt)));
    assert_eq!(again, [Command::Exit(Signal::Interrupt)]);
}

/// The turn of the resource has begun. One task of it is in flight, and so many units beside it.
fn draining_with_a_task(failed_before: bool, units: usize) -> (Engine, Vec<Command>) {
    let mut engine = running(Delay::Given(Duration::ZERO));
    tell(&mut engine, Duration::ZERO, started(0));
    let in_flight = Cut { in_flight: 1 + units, excused: 0 };
    if failed_before {
        let failed = Event::Failed(Cause::Error("it broke".into()));
        tell_with(&mut engine, Duration::ZERO, failed, in_flight);
    } else {
        tell_with(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate), in_flight);
    }
    let body = Event::BodyEnded(BodyEnd::Done, Rest::Drained);
    let turn = commands(tell_with(&mut engine, Duration::ZERO, body, in_flight));
    assert!(turn.contains(&Command::Drain(0)), "{turn:?}");
    (engine, turn)
}

fn ended(end: TaskEnd, rest: Rest) -> Event {
    Event::TaskEnded { owner: 0, task: 0, end, rest }
}

/// The errors that are kept may hold the last units that a turn waits for; those that cannot are kept.
#[test]
fn errors_are_forgotten_when_a_turn_waits_for_units_alone() {
    let forgets = |units, rest| {
        let (mut engine, turn) = draining_with_a_task(true, units);
        assert!(!turn.contains(&Command::ForgetErrors), "the task may let go by itself: {turn:?}");
        let ended = tell(&mut engine, Duration::ZERO, ended(TaskEnd::Done, rest));
        commands(ended).contains(&Command::ForgetErrors)
    };
    assert!(!forgets(0, Rest::Drained));
    assert!(forgets(1, Rest::Unknown));
}

/// A task that is told to go may take a guard, and fail with an error that holds it.
#[test]
fn an_error_that_comes_during_the_turn_is_forgotten_too() {
    let (mut engine, _) = draining_with_a_task(false, 0);
    let failed = ended(TaskEnd::Failed(Cause::Error("it broke".into())), Rest::Unknown);
    let after = commands(tell(&mut engine, Duration::ZERO, failed));
    assert!(after.contains(&Command::ForgetErrors), "{after:?}");
}

/// D8: what was not acquired by then has no turn, and needs no time.
#[test]
fn who_insists_during_the_start_waits_for_what_is_there_alone() {
    let mut engine = starting(&[&[], &[0]]);
    let after = commands(tell(&mut engine, Duration::ZERO, Event::Insist));
    let mut deadlines = after.iter().filter_map(|command| match command {
        Command::Deadline(deadline) => Some(*deadline),
        _ => None,
    });
    assert_eq!(deadlines.next_back(), Some(Duration::from_secs(1)));
}

/// R5: it is dropped as the one that it was when its turn began.
#[test]
fn a_body_that_asks_for_its_notice_while_it_is_dropped_was_interrupted() {
    let mut engine = running(Delay::Given(Duration::ZERO));
    engine.settings.body = BodyKind::Written;
    let turn = commands(tell(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate)));
    assert!(turn.contains(&Command::AbortTasks(1)), "{turn:?}");
    tell(&mut engine, Duration::ZERO, Event::BodyListens);
    tell(&mut engine, Duration::ZERO, Event::BodyEnded(BodyEnd::Dropped, Rest::Drained));
    assert_eq!(engine.exit_code(), 143);
}

/// D6: aborted tasks are waited for during half of what is left, so that a release has time, also one that becomes due
/// in the meantime.
#[test]
fn an_instance_that_comes_while_tasks_are_joined_is_released_in_time() {
    let mut engine = starting(&[&[]]);
    tell(&mut engine, Duration::ZERO, started(0));
    let in_flight = Cut { in_flight: 1, excused: 0 };
    tell_with(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate), in_flight);
    assert!(commands(tell_with(&mut engine, CUT, Event::Tick, in_flight)).contains(&Command::AbortTasks(0)));
    tell_with(&mut engine, CUT, Event::Acquired(0), in_flight);
    let half = Duration::from_millis(24_750);
    assert_eq!(engine.next_wake(), Some(half));
    assert!(commands(tell_with(&mut engine, half, Event::Tick, in_flight)).contains(&Command::Release(0)));
}

/// S4: an acquisition in blocking code cannot be dropped. What it brings after its turn is over is aborted at once,
/// while the turns of others go on.
#[test]
fn an_instance_that_comes_after_its_turn_is_aborted() {
    let mut engine = starting(&[&[], &[0]]);
    tell(&mut engine, Duration::ZERO, Event::Acquired(0));
    let mut after = commands(tell(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate)));
    assert!(after.contains(&Command::CancelAcquire(1)), "{after:?}");
    let mut now = Duration::ZERO;
    while !after.contains(&Command::Release(0)) {
        now = engine.next_wake().expect("the turn of the other has a limit");
        after = commands(tell(&mut engine, now, Event::Tick));
    }
    let late = commands(tell(&mut engine, now, Event::Acquired(1)));
    assert!(late.contains(&Command::Abort(1)), "{late:?}");
}

/// S5: a signal may come while the application is put together. The plan is still said first, and nothing is acquired.
#[test]
fn what_comes_before_the_start_waits_for_it() {
    let mut engine = Engine::new(Arc::clone(starting(&[&[]]).plan()), starting(&[&[]]).settings.clone());
    assert!(tell(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate)).is_empty());
    let started = tell(&mut engine, Duration::ZERO, Event::Start);
    assert!(matches!(started.first(), Some(Output::Say(Notice::Plan { .. }))), "{started:?}");
    let commands = commands(started);
    assert!(commands.contains(&Command::Enter(Phase::Draining)), "{commands:?}");
    assert!(!commands.contains(&Command::Acquire(0)), "{commands:?}");
}

/// Rule D13: frozen for longer than the deadline, in the middle of a turn.
#[test]
fn after_a_freeze_every_turn_still_has_its_reserve() {
    let mut engine = starting(&[&[], &[0]]);
    for id in 0..2 {
        tell(&mut engine, Duration::ZERO, Event::Acquired(id));
    }
    tell(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate));
    let began = tell(&mut engine, Duration::ZERO, Event::BodyEnded(BodyEnd::Done, Rest::Drained));
    assert_eq!(commands(began), [Command::Drain(1), Command::Release(1)]);
    let thawed = Duration::from_secs(60);
    let outputs = tell(&mut engine, thawed, Event::Thawed(thawed));
    assert_eq!(commands(outputs), [Command::Deadline(thawed + Duration::from_secs(2))]);
    // The last 100 ms of each are for `abort`.
    assert_eq!(engine.release_limit(1), Some(thawed + Duration::from_millis(900)));
    assert_eq!(engine.release_limit(0), Some(thawed + Duration::from_millis(1_900)));
    let in_time = thawed + Duration::from_millis(800);
    let outputs = tell(&mut engine, in_time, Event::Released(1, Ok(())));
    assert_eq!(commands(outputs), [Command::Drain(0), Command::Release(0)]);
}

#[test]
fn a_freeze_takes_nothing_from_a_deadline_that_is_far() {
    let mut engine = running(Delay::Given(Duration::ZERO));
    tell(&mut engine, Duration::ZERO, Event::Signal(Signal::Terminate));
    let thawed = Duration::from_secs(3);
    let outputs = tell(&mut engine, thawed, Event::Thawed(thawed));
    assert_eq!(commands(outputs), [Command::Deadline(Duration::from_secs(25))]);
}
