//! Payments is stopped at every await of every hook and task. Its customers, its payers and its next process have to be
//! satisfied wherever that is. Bugs of the kinds that reviews overlook are put into it, and each is found.

#![cfg(unix)]

use std::collections::HashSet;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use lifecycle::testing::{Points, World, for_every_point_in_parallel};
use lifecycle::{App, Builder};
use lifecycle_tests::harness::machine;
use lifecycle_tests::harness::scratch::Scratch;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Payments, maybe with a bug: see `build.rs`.
macro_rules! payments {
    ($($name:ident)*) => {$(
        #[allow(dead_code, reason = "payments reads its settings itself, and registers")]
        mod $name {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));

            pub(crate) fn app(premises: &crate::Premises) -> lifecycle::Builder {
                let settings = settings::Settings {
                    instance: uuid::Uuid::new_v4(),
                    address: ([127, 0, 0, 1], 0).into(),
                    database: Some(premises.database()),
                    redis: None,
                    audit_log: Some(premises.directory.path().join("audit.log")),
                    registry: None,
                    receipts: reqwest::Url::parse(&format!("http://{}/", premises.payers)).ok(),
                    push_metrics: None,
                    certificate: None,
                    file: None,
                    live: std::sync::RwLock::new(settings::Live {
                        settle_every: std::time::Duration::from_secs(5),
                        payment_takes: std::time::Duration::from_millis(50),
                        receipt_takes: std::time::Duration::from_millis(50),
                    }),
                };
                lifecycle::App::builder()
                    .resources::<(http::Http, settlement::Settlement)>()
                    .supply(settings)
            }

            pub(crate) fn address(app: &lifecycle::App) -> Option<std::net::SocketAddr> {
                app.try_get::<http::Http>().map(|http| http.address)
            }
        }
    )*};
}

payments!(intact not_cancel_safe lock_left acknowledged_early);

/// What remains of a process of payments when it has ended.
struct Premises {
    directory: Scratch,
    /// Where receipts are sent.
    payers: SocketAddr,
    received: Arc<Mutex<HashSet<String>>>,
}

impl Premises {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let payers = listener.local_addr().expect("it has an address");
        let received = Arc::<Mutex<HashSet<String>>>::default();
        let inbox = Arc::clone(&received);
        let receive = async move |receipt: axum::Json<Value>| {
            let payment = receipt["payment"].as_str().unwrap_or_default().to_owned();
            inbox.lock().unwrap().insert(payment);
        };
        tokio::spawn(axum::serve(listener, Router::new().route("/", post(receive))).into_future());
        Self { directory: Scratch::in_memory(), payers, received }
    }

    fn database(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.directory.path().join("payments.db").display())
    }

    /// The payments in the database, and those whose receipt is recorded as written.
    async fn ledger(&self) -> (HashSet<String>, HashSet<String>) {
        let mut ledger = SqliteConnection::connect(&self.database()).await.expect("there is a database");
        let is_migrated: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = 'receipts'")
                .fetch_one(&mut ledger)
                .await
                .expect("it can be asked");
        if is_migrated == 0 {
            return Default::default();
        }
        let charged = sqlx::query_scalar("SELECT id FROM payments").fetch_all(&mut ledger).await;
        let written = "SELECT payment_id FROM receipts WHERE written_at IS NOT NULL";
        let written = sqlx::query_scalar(written).fetch_all(&mut ledger).await;
        let set = |ids: Result<Vec<String>, sqlx::Error>| ids.expect("it can be read").into_iter().collect();
        (set(charged), set(written))
    }
}

/// A day of payments, and what has to hold at its end.
fn try_payments(app: fn(&Premises) -> Builder, address: fn(&App) -> Option<SocketAddr>) -> Points {
    // Several points at a time keep the machine busy.
    let _machine = machine::alone();
    for_every_point_in_parallel(async |world: World| {
        let premises = Premises::open().await;
        let mut is_acknowledged = false;
        let script = async |running: App| {
            let Some(address) = address(&running) else { return };
            let payment = json!({ "id": "coffee", "amount_cents": 350 });
            let request = reqwest::Client::new().post(format!("http://{address}/payments")).json(&payment);
            is_acknowledged = request.send().await.is_ok_and(|answer| answer.status().is_success());
            sleep(Duration::from_secs(2)).await;
        };
        let _ended = world.run(app(&premises), script).await;

        let (charged, written) = premises.ledger().await;
        assert!(!is_acknowledged || charged.contains("coffee"), "acknowledged, and not in the ledger");
        let received = premises.received.lock().unwrap().clone();
        let unsent: Vec<_> = written.difference(&received).collect();
        assert!(unsent.is_empty(), "recorded as written, and never received: {unsent:?}");
        World::new().run(app(&premises), async |_| {}).await.assert_clean();
    })
}

/// What is found in a payments with a bug.
#[track_caller]
fn found(app: fn(&Premises) -> Builder, address: fn(&App) -> Option<SocketAddr>) -> String {
    let payload = catch_unwind(|| try_payments(app, address)).expect_err("the bug is found");
    *payload.downcast::<String>().expect("the words were put together")
}

#[test]
fn payments_may_be_stopped_anywhere() {
    let points = try_payments(intact::app, intact::address);
    println!("{} points tried, {} not reached", points.tried.len(), points.unreached.len());
    let tried: HashSet<String> = points.tried.iter().map(ToString::to_string).collect();
    // A release that is quick need not wait for its other thread, so that any of them will do.
    for place in ["`Worker`, task `receipts`", "`Database`, `acquire`", "`Http`, a task", "`release`"] {
        assert!(tried.iter().any(|point| point.contains(place)), "{place}: {tried:#?}");
    }
}

#[test]
fn a_task_that_is_not_cancel_safe_is_found() {
    let words = found(not_cancel_safe::app, not_cancel_safe::address);
    assert!(words.contains("\n`Worker`, task `receipts`, stopped at its "), "{words}");
    assert!(words.contains("recorded as written, and never received: [\"coffee\"]"), "{words}");
    assert!(!words.contains("\n`Scratch`, ") && !words.contains("\n`Http`, "), "{words}");
}

#[test]
fn a_release_that_leaves_a_lock_is_found() {
    let words = found(lock_left::app, lock_left::address);
    assert!(words.contains("\n`Scratch`, `release`, stopped at its 1st await by a drop:\n"), "{words}");
    assert!(words.contains("locked by somebody else"), "{words}");
    assert!(!words.contains("\n`Worker`, ") && !words.contains("\n`Http`, "), "{words}");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    let words = found(acknowledged_early::app, acknowledged_early::address);
    assert!(words.contains("\n`Http`, a task of `tasks()`, stopped at its "), "{words}");
    assert!(words.contains("acknowledged, and not in the ledger"), "{words}");
    assert!(!words.contains("\n`Scratch`, ") && !words.contains("\n`Worker`, "), "{words}");
}
