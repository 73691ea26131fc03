//! Tasks that the engine is told of only if it has to know: the end of the last one ends the application, and nothing
//! else does, whoever begins or ends meanwhile (rule R1).

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::engine::event::{TaskId, TaskKind};
use crate::untold::{Begun, Number, Untold};

const OWNER: usize = 3;
const NAME: &str = "task";

/// An application that runs, and what is really alive in it. All but the two locks is `Relaxed`.
#[derive(Default)]
struct Application {
    engine: Mutex<Engine>,
    untold: Untold,
    /// Tasks that have begun for sure, and have not come to their end.
    alive: AtomicUsize,
}

/// What the real engine knows of tasks.
#[derive(Debug, Default)]
struct Engine {
    alive: Vec<TaskId>,
    has_spawned: bool,
    finished: usize,
    /// How often it was told anything but beginnings on the way.
    events: usize,
}

enum Event {
    Starts(Begun),
    Ends(TaskId),
    SomethingElse,
}

impl Engine {
    fn starts(&mut self, Begun { owner, task, name, kind }: Begun) {
        assert!(owner == OWNER && *name == *NAME && kind == TaskKind::Supervised);
        self.has_spawned = true;
        self.alive.push(task);
    }

    fn ends(&mut self, task: TaskId) {
        let place = self.alive.iter().position(|alive| *alive == task);
        self.alive.swap_remove(place.expect("it knows of a task whose end it is told"));
    }

    fn lives_on(&self) -> bool {
        self.has_spawned && !self.alive.is_empty()
    }
}

impl Application {
    /// As the driver does it.
    fn tell(&self, event: Event) {
        let mut engine = self.engine.lock().unwrap();
        let mut untold = self.untold.hand_over(|begun| engine.starts(begun));
        match event {
            Event::Starts(begun) => engine.starts(begun),
            Event::Ends(task) => engine.ends(task),
            Event::SomethingElse => {}
        }
        engine.events += 1;
        if engine.finished == 0 && engine.has_spawned && engine.alive.is_empty() {
            engine.finished = 1;
            assert_eq!(self.alive.load(Ordering::Relaxed), 0, "nothing that has begun is alive");
        }
        untold.set_quiet(engine.finished == 0 && engine.lives_on());
    }

    fn begin(&self) -> Number {
        let (number, begun) = self.untold.begin(OWNER, NAME, TaskKind::Supervised, false);
        if let Some(begun) = begun {
            self.tell(Event::Starts(begun));
        }
        self.alive.fetch_add(1, Ordering::Relaxed);
        number
    }

    fn end(&self, number: &Number) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
        if !self.untold.forget(number) {
            self.tell(Event::Ends(number.task));
        }
    }

    /// A task that spawns another, and ends: what it has spawned takes its place.
    fn hand_on(&self, number: &Number) -> Number {
        let next = self.begin();
        self.end(number);
        next
    }

    fn has_finished(&self) -> bool {
        self.engine.lock().unwrap().finished > 0
    }
}

fn spawn(application: &Arc<Application>, f: impl FnOnce(&Application) + 'static) -> thread::JoinHandle<()> {
    let application = Arc::clone(application);
    thread::spawn(move || f(&application))
}

/// In every order with so many preemptions.
fn model(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(f);
}

#[test]
fn a_task_that_ends_beside_another_is_never_told_of() {
    loom::model(|| {
        let application = Arc::new(Application::default());
        let first = application.begin();
        let second = application.begin();
        let other = spawn(&application, |application| {
            let third = application.begin();
            application.end(&third);
        });
        application.end(&second);
        other.join().unwrap();
        assert_eq!(application.engine.lock().unwrap().events, 1, "the first has begun");
        assert!(!application.has_finished());
        application.end(&first);
        assert!(application.has_finished());
    });
}

#[test]
fn a_task_that_begins_while_the_last_one_ends_is_before_or_after_it() {
    loom::model(|| {
        let application = Arc::new(Application::default());
        let first = application.begin();
        let other = spawn(&application, |application| {
            let second = application.begin();
            application.end(&second);
        });
        application.end(&first);
        other.join().unwrap();
        assert!(application.has_finished());
        assert!(!application.untold.forget(&first), "nothing waits any more");
    });
}

#[test]
fn two_tasks_that_both_may_be_the_last_end_it_once() {
    model(3, || {
        let application = Arc::new(Application::default());
        let [first, second] = [application.begin(), application.begin()];
        let others = [
            spawn(&application, move |application| application.end(&second)),
            spawn(&application, |application| application.tell(Event::SomethingElse)),
        ];
        application.end(&first);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(application.has_finished());
    });
}

/// There is one alive at any moment, and it is never the same for long.
#[test]
fn an_application_whose_tasks_replace_one_another_lives_on() {
    model(3, || {
        let application = Arc::new(Application::default());
        let first = application.begin();
        let other = spawn(&application, |application| application.tell(Event::SomethingElse));
        let second = application.hand_on(&first);
        let third = application.hand_on(&second);
        other.join().unwrap();
        assert!(!application.has_finished());
        application.end(&third);
        assert!(application.has_finished());
    });
}

#[test]
fn a_task_that_begins_while_something_happens_is_known_by_its_end() {
    model(3, || {
        let application = Arc::new(Application::default());
        let first = application.begin();
        let others = [(); 2].map(|()| {
            spawn(&application, |application| {
                let task = application.begin();
                application.tell(Event::SomethingElse);
                application.end(&task);
            })
        });
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(!application.has_finished());
        assert_eq!(application.engine.lock().unwrap().alive, [first.task]);
        application.end(&first);
        assert!(application.has_finished());
    });
}
