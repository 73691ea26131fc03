use std::sync::atomic::{AtomicU32, Ordering};

use lifecycle::{Acquire, App, Resource, Result, resource};
use tokio::sync::Notify;

use self::recipe::Db;
use crate::support::assert_clean;

#[path = "code/retry.rs"]
mod recipe;

#[resource]
struct Settings {
    database: Server,
}

impl Resource for Settings {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err("each test supplies them".into())
    }
}

/// A database that refuses so many connections before it is up.
struct Server {
    refuses: u32,
    asked: AtomicU32,
}

static REFUSED: Notify = Notify::const_new();

struct Pool {
    attempts: u32,
}

impl Pool {
    async fn connect(server: &Server) -> Result<Self> {
        let attempts = server.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if attempts <= server.refuses {
            REFUSED.notify_waiters();
            return Err("connection refused".into());
        }
        Ok(Self { attempts })
    }
}

fn refusing(refuses: u32) -> Settings {
    Settings { database: Server { refuses, asked: AtomicU32::new(0) } }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_comes_up_later_is_waited_for() {
    let builder = App::builder().resources::<Db>().supply(refusing(3)).virtual_time();
    let app = builder.start().await.expect("it starts");
    assert_eq!(app.get::<Db>().pool.attempts, 4);
    app.shutdown("the test is over");
    assert_clean(&app.run().await);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_never_comes_up_is_given_up_in_the_end() {
    let builder = App::builder().resources::<Db>().supply(refusing(u32::MAX)).virtual_time();
    let report = builder.start().await.expect_err("there is no database");
    assert_eq!(report.exit_code, 1);
    assert_eq!(report.failures.len(), 1);
}

/// Asks for a stop as soon as the database has refused a connection.
#[resource]
struct Operator;

impl Resource for Operator {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let app = cx.app();
        cx.spawn("operator", |_| async move {
            REFUSED.notified().await;
            app.shutdown("it takes too long");
        });
        Ok(Self)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_for_a_database() {
    let builder = App::builder().resources::<(Db, Operator)>().supply(refusing(u32::MAX)).virtual_time();
    let report = builder.start().await.expect_err("there is no database");
    assert_clean(&report);
}
