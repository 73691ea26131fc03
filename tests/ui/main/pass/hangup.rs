#[lifecycle::main(hangup = "ignore", resources = [])]
async fn ignored(app: lifecycle::App) {
    app.shutdown("all is said");
}

#[lifecycle::main(hangup = "stop", resources = [])]
async fn stopped(app: lifecycle::App) {
    app.shutdown("all is said");
}

#[lifecycle::main(hangup = "reload", resources = [])]
async fn main(app: lifecycle::App) {
    app.shutdown("all is said");
}

#[allow(dead_code)]
fn others() -> [lifecycle::Report; 2] {
    [ignored(), stopped()]
}
