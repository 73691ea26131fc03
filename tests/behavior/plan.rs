//! The plan as a value: before the start, of everything that is linked, and while the application runs.

use lifecycle::{Acquire, App, Phase, Supplied, resource};
use tokio::time::sleep;

use crate::stage::{Stage, live, ms, scripted, secs, takes};

scripted! {
    #[resource(foundation)]
    struct Log;
    #[resource(reserve = "3s")]
    struct Db;
    #[resource(after = Db, optional, acquire_timeout = "5s", drain_timeout = "2s")]
    struct Cache;
    #[resource(after = [Db, Cache])]
    struct Http;
}

/// Not among what the tests start, and linked into this program all the same.
#[resource(supplied)]
pub(crate) struct Elsewhere;

impl Supplied for Elsewhere {}

#[tokio::test(start_paused = true)]
async fn a_running_application_shows_the_plan_by_which_it_was_started() {
    let stage = Stage::new();
    let builder = || stage.builder::<Http>().startup_timeout(None).drain_delay(secs(2));
    let before = builder().plan().unwrap();
    let app = builder().start().await.unwrap();
    let plan = app.plan();
    assert_eq!(plan.to_json(), before.to_json());
    assert_eq!((plan.startup_timeout, plan.shutdown_timeout), (None, secs(25)));
    assert_eq!((plan.drain_delay, plan.delays_only_if_serving), (secs(2), false));
    assert_eq!(plan.resource("Http").unwrap().after, ["Db", "Cache"]);
    assert!(plan.left_out.contains(&"Elsewhere"), "{:?}", plan.left_out);

    let report = live(app, async |app| {
        app.shutdown("the test is over");
        sleep(ms(1)).await;
        assert_eq!(app.phase(), Phase::Draining);
        assert_eq!(app.plan().to_json(), before.to_json(), "while it stops");
    })
    .await;
    assert_eq!(report.exit_code, 0);
}

/// S7: what was warned of at the start is in the plan before and afterwards.
#[tokio::test(start_paused = true)]
async fn the_warnings_of_the_start_are_in_the_plan() {
    let stage = Stage::new();
    let builder = || stage.builder::<Http>().shutdown_timeout(secs(4)).drain_delay(secs(3));
    let before = builder().plan().unwrap().warnings;
    assert_eq!(before.len(), 2, "{before:?}");
    assert!(before[0].contains("all reserves are scaled down"), "{before:?}");
    assert!(before[1].contains("drain_delay is 3.0 s"), "{before:?}");
    let app = builder().start().await.unwrap();
    assert_eq!(app.plan().warnings, before);
    app.shutdown("the test is over");
    assert_eq!(app.run().await.exit_code, 0);
}

#[tokio::test(start_paused = true)]
async fn every_handle_shows_the_plan() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| assert_eq!(cx.app().plan().resource("Db").unwrap().reserve, secs(3)));
    let report = stage
        .builder::<Http>()
        .run(async |app: App| {
            assert_eq!(app.plan().resources.len(), 3);
            app.shutdown("the test is over");
        })
        .await;
    assert_eq!(report.exit_code, 0, "{report}");
}

#[test]
fn what_is_linked_has_a_plan() {
    let plan = lifecycle::plan().unwrap();
    for name in ["Elsewhere", "plan::Http"] {
        assert!(plan.resources.iter().any(|it| it.name.ends_with(name)), "no {name} in {plan}");
    }
    assert!(plan.left_out.is_empty());
    let of_it = "Elsewhere: it is declared `supplied`, and no instance was supplied";
    assert!(plan.problems.iter().any(|problem| problem.starts_with(of_it)), "{:?}", plan.problems);
}

/// E2: the names of both paths, and how long each resource on them took.
#[tokio::test(start_paused = true)]
async fn the_critical_paths_say_how_long_each_resource_took() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(100)).acquire::<Cache>(takes(20)).acquire::<Http>(takes(3));
    stage.task::<Http>("server", takes(500)).release::<Http>(takes(40)).release::<Db>(takes(7));
    let report = stage.stop::<Http>().await;
    assert_eq!(report.critical_start(), [("Db", ms(100)), ("Cache", ms(20)), ("Http", ms(3))]);
    assert_eq!(report.critical_stop(), [("Http", ms(540)), ("Cache", ms(0)), ("Db", ms(7))]);
    let names: Vec<&str> = report.critical_stop().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, report.stop_path);
    let took = report.critical_start().iter().map(|(_, took)| *took).sum();
    assert_eq!(report.began(Phase::Running), Some(took));
}
