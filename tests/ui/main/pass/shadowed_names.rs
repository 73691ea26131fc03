#![no_implicit_prelude]
#![allow(non_camel_case_types, dead_code)]

mod core {}
mod std {}
mod lifecycle {}
mod private {}
mod diagnostic {}
struct Option;
struct Some;
struct None;
struct Report;
struct App;
struct Main;
struct bool;
struct u64;
struct usize;
fn run() {}
const app: () = ();

#[::lifecycle::main(
    shutdown_timeout = "30s",
    startup_timeout = "none",
    resources = ::remote::Db,
    worker_threads = 2
)]
async fn entry(_: ::lifecycle::App) {}

fn main() {
    let _entry: fn() -> ::lifecycle::Report = entry;
}
