//! Every kind of resource can reload. A limit of what is supplied is that of its reload.

use lifecycle::{Acquire, App, Reload, Resource, Result, Supplied, resource};

#[resource(reload, foundation)]
struct Filter;

impl Resource for Filter {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }

    async fn reload(&self, cx: &Reload) -> Result {
        println!("{}", cx.reason());
        Ok(())
    }
}

#[resource(supplied, reload, acquire_timeout = "1s")]
struct Level;

impl Supplied for Level {
    async fn reload(&self, _: &Reload) -> Result {
        Ok(())
    }
}

#[resource(optional, reload, after = [Filter, Level], acquire_timeout = "1s")]
struct Tls;

impl Resource for Tls {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }

    async fn reload(&self, _: &Reload) -> Result {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> lifecycle::Report {
    let builder = App::builder().resources::<Tls>().supply(Level);
    builder.run(async |app: App| app.reload().await).await
}
