//! The same scenario through the real driver, under paused time: its hooks do what the scenario says, and the driver
//! writes down what the engine commands.

use std::any::TypeId;
use std::cell::RefCell;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::scenario::{Dying, End, Outside, Scenario, Spec, Task};
use crate::app::App;
use crate::body::live;
use crate::control::control;
use crate::driver::{Driver, Source, Timing};
use crate::engine::command::Command;
use crate::engine::event::{Event, TaskKind};
use crate::engine::{BodyKind, Engine};
use crate::node::{Declaration, Instance, Node};
use crate::plan::Id;
use crate::resource::{Context, Release};
use crate::signals::Signals;
use crate::stopping::Stopping;
use crate::tasks;
use crate::{BoxError, Result, Skip};

thread_local! {
    /// Hooks are plain functions; everything runs on the thread of the test.
    static SCENARIO: RefCell<Option<Scenario>> = const { RefCell::new(None) };
}

/// The node of every resource: which one it is says the context.
static NODE: Node = Node {
    declaration: Declaration {
        name: "simulated",
        file: file!(),
        line: 0,
        after: &[],
        acquire_timeout: None,
        drain_timeout: None,
        reserve: None,
        optional: false,
        foundation: false,
    },
    type_id: TypeId::of::<Simulated>,
    type_name: std::any::type_name::<Simulated>,
    acquire: |context| Box::pin(acquire(context)),
    release: |_, release| Box::pin(self::release(release)),
    abort: |_| {},
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
        spec.abort = Dying::AtOnce;
        spec.abort_panics = false;
        for task in &mut spec.tasks {
            task.abort = Dying::AtOnce;
            // A task that ends with its notice may be gone before or after it is counted: threads decide.
            task.drain = task.drain.map(|(takes, end)| (takes.max(Duration::from_millis(1)), end));
        }
    }
    scenario
}

pub(super) fn run(scenario: &Scenario) -> Vec<(Duration, Command)> {
    SCENARIO.set(Some(scenario.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be had");
    runtime.block_on(play(scenario.clone()))
}

async fn play(scenario: Scenario) -> Vec<(Duration, Command)> {
    let engine = Engine::new(scenario.plan(), scenario.settings.clone());
    let sources =
        scenario.resources.iter().map(|_| Source { node: &NODE, supplied: Mutex::default() }).collect();
    let driver = Driver::new(engine, sources, tokio::runtime::Handle::current(), Timing::Runtime, None);
    let controlled = Arc::clone(&driver);
    tokio::spawn(async move {
        control(&controlled, &mut Signals::none()).await;
        controlled.finish();
    });
    tokio::spawn(outside(Arc::clone(&driver), scenario.outside.clone()));
    let body = scenario.body;
    let live = live(&driver, scenario.settings.body, |app: App| async move {
        let notice = body.listens.then(|| app.stopping());
        act(body.life, body.drain, notice).await
    });
    let ends = async {
        live.await;
        driver.finished().cancelled().await;
    };
    tokio::select! {
        () = ends => {}
        () = driver.exited().cancelled() => {}
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
        });
    }
}

async fn acquire(context: Context) -> Result<Instance> {
    let Context { driver, id, .. } = context;
    let spec = spec(id);
    for (index, &Task { life, drain, .. }) in spec.tasks.iter().enumerate() {
        let notice = Stopping::new(&driver.cell(id).stopping);
        let abort = driver.cell(id).abort.clone();
        let task = act(life, drain, Some(notice));
        tasks::spawn(&driver, id, format!("t{index}"), TaskKind::Supervised, abort, task);
    }
    end(spec.acquire).await?;
    Ok(Arc::new(Simulated))
}

async fn release(release: Release) -> Result {
    end(spec(release.id).release).await
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
