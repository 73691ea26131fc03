//! A start whose hooks take time: the whole of it, beside the longest way through the graph.

use std::time::{Duration, Instant};

use lifecycle::{Acquire, App, Resource, Result, resource};

use crate::application;
use crate::options::Options;
use crate::series::Series;
use crate::table::{Show, Table};

macro_rules! takes {
    ($($(#[$attribute:meta])* $name:ident $millis:literal;)*) => {$(
        $(#[$attribute])*
        struct $name;

        impl Resource for $name {
            async fn acquire(_: &Acquire<Self>) -> Result<Self> {
                // Not tokio's timer, which counts in milliseconds.
                tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis($millis))).await?;
                Ok(Self)
            }
        }
    )*};
}

takes! {
    #[resource] Settings 5;
    #[resource(after = Settings)] Db 40;
    #[resource(after = Settings)] Cache 25;
    #[resource(after = [Db, Cache])] Users 20;
    #[resource(after = Cache)] Sessions 30;
    #[resource(after = [Users, Sessions])] Http 10;
}

/// `Settings`, `Db`, `Users` and `Http`.
const CRITICAL_PATH: Duration = Duration::from_millis(5 + 40 + 20 + 10);

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let (mut whole, mut ratio) = (Series::new(), Series::new());
    for _ in 0..options.rounds {
        let took = runtime.block_on(async {
            let builder = App::builder().shutdown_timeout(application::LIMIT);
            let began = Instant::now();
            let app = builder.resources::<(Http,)>().start().await.expect("nothing fails");
            let took = began.elapsed();
            application::stop(app).await;
            took
        });
        whole.push(took.as_secs_f64() * 1e3);
        ratio.push(took.as_secs_f64() / CRITICAL_PATH.as_secs_f64());
    }
    vec![Table {
        title: "six resources".to_owned(),
        columns: vec![("ms", Show::Median), ("ratio to the critical path", Show::Ratio)],
        rows: vec![("lifecycle".to_owned(), vec![whole, ratio])],
    }]
}
