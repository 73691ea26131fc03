use std::thread;

use lifecycle_tests::harness::http::{answered, connect, wait_until_refused};
use lifecycle_tests::harness::machine;
use lifecycle_tests::harness::program::Program;
use rustix::process::Signal;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_arguments"))
}

#[test]
fn what_the_resources_need_is_read_before_they_are_acquired() {
    let _machine = machine::shared();
    let process = program().arg("0").spawn();
    let address = process.address();
    thread::scope(|scope| {
        let answer = scope.spawn(|| answered(connect(address).get("/slow")).body);
        process.wait_for_line("a request has begun");
        process.signal(Signal::TERM);
        wait_until_refused(address);
        assert_eq!(answer.join().expect("it is answered"), "done");
    });
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

#[test]
fn a_wrong_argument_is_named_before_anything_else_is_acquired() {
    let _machine = machine::shared();
    let exit = program().arg("http").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    assert!(exit.stderr().contains("the port \"http\" is not a number"), "{}", exit.stderr());
    assert!(exit.stderr().contains("never started: Http"), "{}", exit.stderr());
}
