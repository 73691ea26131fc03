//! The same scenario through the real driver, under paused time: its hooks do what the scenario says, and the driver
//! writes down what the engine commands.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::scenario::{Dying, End, Outside, Scenario, Spec, Task};
use crate::control::control;
use crate::driver::{Driver, Hooks, Instance, Parts, Seat, Timing};
use crate::engine::Engine;
use crate::engine::command::Command;
use crate::engine::event::Event;
use crate::engine::settings::BodyKind;
use crate::handles::app::App;
use crate::handles::stopping::Stopping;
use crate::launch::life::live;
use crate::model::failure::{BoxError, Result, Skip};
use crate::model::graph::Id;
use crate::model::misconfigured::Misconfigured;
use crate::process::signals::Signals;

thread_local! {
    /// Hooks are plain functions; everything runs on the thread of the test.
    static SCENARIO: RefCell<Option<Scenario>> = const { RefCell::new(None) };
    /// How many times each was reloaded.
    static RELOADS: RefCell<BTreeMap<Id, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// The hooks of every resource: the seat says which one it is.
static HOOKS: Hooks = Hooks {
    type_id: TypeId::of::<Simulated>,
    acquire: |context| Box::pin(acquire(context.seat.clone())),
    release: |_, context| Box::pin(release(context.seat.id)),
    abort: |_| {},
    reload: Some(|_, context| Box::pin(reload(context.seat.id))),
    needs_drop: false,
    #[cfg(feature = "probe")]
    check: |_| Box::pin(async { Ok(()) }),
};

struct Simulated;

/// The scenario without what real futures cannot do under virtual time: be in blocking code, or be a host.
pub(super) fn playable(mut scenario: Scenario) -> Scenario {
    if scenario.settings.body == BodyKind::Host {
        scenario.settings.body = BodyKind::Written;
    }
    for spec in &mut scenario.resources {
        // An acquisition that ends before another was polled first would keep that one's tasks from being spawned.
        spec.acquire.0 = spec.acquire.0.max(Duration::from_millis(1));
        spec.cancel = Dying::AtOnce;
        spec.cut = Dying::AtOnce;
        spec.recall = Dying::AtOnce;
        spec.abort = Dying::AtOnce;
        spec.abort_panics = false;
        for task in &mut spec.tasks {
            task.abort = Dying::AtOnce;
            task.tells = Duration::ZERO;
            // A task that ends with its notice may be gone before or after it is counted: threads decide.
            task.drain = task.drain.map(|(takes, end)| (takes.max(Duration::from_millis(1)), end));
        }
    }
    scenario
}

pub(super) fn run(scenario: &Scenario) -> Vec<(Duration, Command)> {
    SCENARIO.set(Some(scenario.clone()));
    RELOADS.set(BTreeMap::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be had");
    runtime.block_on(play(scenario.clone()))
}

async fn play(scenario: Scenario) -> Vec<(Duration, Command)> {
    let driver = Driver::new(Parts {
        engine: Engine::new(Arc::new(scenario.plan()), scenario.settings.clone()),
        hooks: scenario.resources.iter().map(|_| &HOOKS).collect(),
        supplied: Vec::new(),
        runtime: tokio::runtime::Handle::current(),
        timing: Timing::Runtime,
        watchdog: None,
        exit_of_main: None,
        concludes_itself: false,
        record: None,
        keepers: Vec::new(),
        #[cfg(feature = "testing")]
        kit: None,
    });
    let controlled = Arc::clone(&driver);
    tokio::spawn(async move {
        control(&controlled, &mut Signals::none()).await;
        controlled.milestones().finished.raise();
    });
    tokio::spawn(outside(Arc::clone(&driver), scenario.outside.clone()));
    let body = scenario.body;
    let live = live(&driver, scenario.settings.body, |app: App| async move {
        let notice = body.listens.then(|| app.stopping());
        act(body.life, body.drain, notice).await
    });
    tokio::select! {
        _ = live => {}
        () = driver.milestones().exited.raised() => {}
    }
    driver.record()
}

async fn outside(driver: Arc<Driver>, outside: Vec<(Duration, Outside)>) {
    for (at, what) in outside {
        sleep_until(driver.origin() + at).await;
        driver.send(match what {
            Outside::Signal(signal) => Event::Signal(signal),
            Outside::Shutdown => Event::Shutdown("test".to_owned()),
            Outside::Insist => Event::Insist,
            Outside::Reload => Event::Reload(0),
        });
    }
}

async fn acquire(seat: Seat) -> Result<Instance> {
    let spec = spec(seat.id);
    for (index, &Task { life, drain, .. }) in spec.tasks.iter().enumerate() {
        let notice = Stopping::of_turn(&seat);
        seat.spawn_supervised(&format!("t{index}"), act(life, drain, Some(notice)));
    }
    end(spec.acquire).await?;
    Ok(Arc::new(Simulated))
}

async fn reload(id: Id) -> Result {
    let ends = spec(id).reloads;
    let call = RELOADS.with_borrow_mut(|reloads| {
        let call = reloads.entry(id).or_insert(0_usize);
        *call += 1;
        *call - 1
    });
    end(ends[call % ends.len()]).await
}

async fn release(id: Id) -> Result {
    end(spec(id).release).await
}

/// Lives as long as it has to, and after its notice as long as it takes.
async fn act(
    life: Option<(Duration, End)>,
    drain: Option<(Duration, End)>,
    notice: Option<Stopping>,
) -> Result {
    let began = Instant::now();
    let life = async {
        match life {
            Some((takes, how)) => {
                sleep_until(began + takes).await;
                end((Duration::ZERO, how)).await
            }
            None => pending().await,
        }
    };
    let drain = async {
        match notice {
            Some(notice) => notice.await,
            None => pending().await,
        }
        match drain {
            Some(drain) => end(drain).await,
            None => pending().await,
        }
    };
    tokio::select! {
        result = life => result,
        result = drain => result,
    }
}

async fn end((takes, end): (Duration, End)) -> Result {
    if !takes.is_zero() {
        sleep(takes).await;
    }
    match end {
        End::Ok => Ok(()),
        End::Error => Err(BoxError::from("it broke")),
        End::Misconfigured => Err(Misconfigured::new("it is wrong").into()),
        // Without the hook of `panic!`, which writes to stderr.
        End::Panic => std::panic::resume_unwind(Box::new("it broke")),
        End::Skip => Err(Skip.into()),
        End::Hang => pending().await,
    }
}

fn spec(id: Id) -> Spec {
    SCENARIO
        .with_borrow(|scenario| scenario.as_ref().expect("a scenario is being played").resources[id].clone())
}
