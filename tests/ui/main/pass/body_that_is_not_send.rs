use std::rc::Rc;

use lifecycle::Report;

#[lifecycle::main]
async fn entry() -> Result<(), std::fmt::Error> {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
    Ok(())
}

fn main() {
    let _entry: fn() -> Report = entry;
}
