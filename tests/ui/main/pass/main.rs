use lifecycle::{App, Report};

#[lifecycle::main]
async fn empty() {}

#[lifecycle::main]
async fn application(app: App) {
    let _db = app.get::<remote::Db>();
}

#[lifecycle::main]
async fn ignored(_: App) {}

#[lifecycle::main]
pub(crate) async fn mutable(mut app: lifecycle::App) {
    take(&mut app);
}

fn take(_: &mut App) {}

fn main() {
    let _entries: [fn() -> Report; 4] = [empty, application, ignored, mutable];
}
