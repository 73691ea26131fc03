//! What payments needs is not there, or not as it should be.

use std::fs;

use rustix::process::Signal;

use crate::program::Program;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;

#[test]
fn it_starts_when_everything_is_there() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let program = Program::example("payments").env("PORT", "0").env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0");
    let process = program.env("DATABASE_URL", postgres.url()).env("REDIS_URL", redis.url()).spawn();
    process.wait_for_line("running: everything was acquired");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert_eq!(postgres.clients(), "0");
}
