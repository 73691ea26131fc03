#[lifecycle::main]
struct Application;

fn main() {}
