//! Single rules that the simulation does not play.

use std::time::Duration;

use super::command::{Insistence, Notice};
use super::event::Cut;
use super::*;
use crate::phase::Signal;
use crate::plan::Step;

const DELAY: Duration = Duration::from_secs(5);
/// The deadline, less half of the reserve.
const CUT: Duration = Duration::from_millis(24_500);

/// One resource that is there, in an application that runs.
fn running(drain_delay: Delay) -> Engine {
    running_at(false, drain_delay)
}

fn running_at(at_terminal: bool, drain_delay: Delay) -> Engine {
    let step = Step {
        name: "r".to_owned(),
        after: Vec::new(),
        reserve: Duration::from_secs(1),
        acquire_timeout: None,
        drain_timeout: None,
        optional: false,
        foundation: false,
    };
    let settings = Settings {
        shutdown_timeout: Duration::from_secs(25),
        startup_timeout: None,
        drain_delay,
        body: BodyKind::Host,
        at_terminal,
        warnings: Vec::new(),
    };
    let mut engine = Engine::new(Plan::new(vec![step], Duration::ZERO).0, settings);
    engine.handle(Duration::ZERO, Event::Start);
    engine.handle(Duration::ZERO, Event::Acquired(0));
    engine
}

fn delay_of(engine: &mut Engine) -> Duration {
    delay_after(engine, Signal::Terminate)
}

fn delay_after(engine: &mut Engine, signal: Signal) -> Duration {
    let commands = engine.handle(Duration::ZERO, Event::Signal(signal));
    let told = commands.iter().find_map(|command| match command {
        Command::Tell(Notice::ShuttingDown { delay, .. }) => Some(*delay),
        _ => None,
    });
    told.expect("a shutdown is told")
}

#[test]
fn the_delay_of_the_platform_is_for_what_serves() {
    assert_eq!(delay_of(&mut running(Delay::IfServing(DELAY))), Duration::ZERO);
    let mut serving = running(Delay::IfServing(DELAY));
    serving.handle(Duration::ZERO, Event::Serves);
    assert_eq!(delay_of(&mut serving), DELAY);
}

#[test]
fn a_delay_that_was_given_is_kept_whatever_there_is() {
    assert_eq!(delay_of(&mut running(Delay::Given(DELAY))), DELAY);
}

#[test]
fn a_ctrl_c_at_a_terminal_has_no_delay() {
    let given = Delay::Given(DELAY);
    assert_eq!(delay_after(&mut running_at(true, given), Signal::Interrupt), Duration::ZERO);
    assert_eq!(delay_after(&mut running_at(true, given), Signal::Terminate), DELAY);
    assert_eq!(delay_after(&mut running_at(false, given), Signal::Interrupt), DELAY);
}

/// What the signals, a second apart, are answered with about the next Ctrl-C.
fn next_interrupts(at_terminal: bool, signals: &[Signal]) -> Vec<Option<Insistence>> {
    let mut engine = running_at(at_terminal, Delay::Given(Duration::ZERO));
    let times = (0..).map(Duration::from_secs);
    let answers = times.zip(signals).map(|(now, &signal)| engine.handle(now, Event::Signal(signal)));
    let told = answers.map(|commands| {
        commands.iter().find_map(|command| match command {
            Command::Tell(Notice::NextInterrupt(next)) => Some(*next),
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

/// The turn of the resource has begun, with so many units in flight.
fn draining(in_flight: usize) -> Engine {
    let mut engine = running(Delay::Given(Duration::ZERO));
    engine.handle(Duration::ZERO, Event::BodyEnded(BodyEnd::Done, Rest::Drained));
    engine.handle(Duration::ZERO, Event::Signal(Signal::Terminate));
    let main = engine.plan().main();
    engine.handle(Duration::ZERO, Event::DrainBegan(main, 0));
    engine.handle(Duration::ZERO, Event::DrainBegan(0, in_flight));
    engine
}

/// The exit code when so many units were in flight at the cut-off, of which so many were excused.
fn check_cut(in_flight: usize, excused: usize, expected: u8) {
    let mut engine = draining(in_flight);
    let cut = engine.handle(CUT, Event::Tick);
    assert!(cut.contains(&Command::AbortTasks(0)), "{cut:?}");
    engine.handle(CUT, Event::Cut(0, Cut { in_flight, excused }));
    engine.handle(CUT, Event::Drained(0));
    engine.handle(CUT, Event::Released(0, Ok(())));
    let resource = &engine.report().resources[0];
    assert_eq!((resource.cut, resource.excused), (in_flight, excused));
    assert_eq!(engine.exit_code(), expected, "{in_flight} in flight, {excused} excused");
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
        let mut engine = draining(0);
        let late = Duration::from_millis(24_900);
        assert!(engine.handle(late, Event::Tick).contains(&Command::CutRelease(0)));
        let later = Duration::from_millis(24_950);
        assert!(engine.handle(later, Event::Tick).contains(&Command::Abort(0)));
        assert_eq!(engine.handle(later, Event::Released(0, answer)), []);
        assert!(engine.handle(later, Event::Aborted(0, Ok(()))).contains(&Command::End));
        assert_eq!(engine.exit_code(), 124);
    }
}

/// Only its turn is a reason to drop a task.
#[test]
fn a_task_that_is_lost_while_the_application_runs_is_a_failure() {
    let mut engine = running(Delay::Given(Duration::ZERO));
    let name = "worker".to_owned();
    let started = Event::TaskStarted { task: 0, owner: 0, name, kind: TaskKind::Supervised };
    engine.handle(Duration::ZERO, started);
    let lost = engine.handle(Duration::ZERO, Event::TaskEnded(0, TaskEnd::Dropped, Rest::Unknown));
    assert!(lost.contains(&Command::Enter(Phase::Draining)), "{lost:?}");
    assert_eq!(engine.exit_code(), 1);
}
