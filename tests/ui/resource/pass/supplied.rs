use std::sync::Arc;

use lifecycle::{Acquire, App, Release, Resource, Result, Supplied, resource};

#[resource(supplied, name = "arguments", reserve = "2s", foundation)]
struct Arguments(Vec<String>);

impl Supplied for Arguments {}

#[resource(supplied)]
struct Pool;

impl Supplied for Pool {
    async fn release(&self, _: &Release) -> Result {
        Ok(())
    }

    fn abort(&self) {}

    async fn check(&self) -> Result {
        Ok(())
    }
}

#[resource(after = [Arguments, Pool])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _arguments: Arc<Arguments> = cx.get::<Arguments>();
        let _pool: Arc<Pool> = cx.get::<Pool>();
        Ok(Http)
    }
}

fn main() {
    let _builder = App::builder().resources::<Http>().supply(Arguments(Vec::new())).supply(Pool);
}
