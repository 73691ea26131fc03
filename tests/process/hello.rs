//! The smallest application.

use rustix::process::Signal;

use crate::machine;
use crate::program::Program;

#[test]
fn ticks_until_sigint_and_says_goodbye() {
    let _machine = machine::shared();
    let hello = Program::example("hello").spawn();
    hello.wait_for_line("tick");
    hello.signal(Signal::INT);
    let exit = hello.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert_eq!(exit.stdout().lines().last(), Some("goodbye: SIGINT received"));
    // E2: a newcomer who has no log yet reads on stderr what happens.
    let stderr = exit.stderr();
    for line in
        ["lifecycle: starting 1 resource: Clock", "lifecycle: stopping: SIGINT received", "exit code 0"]
    {
        assert!(stderr.contains(line), "no {line:?} in\n{stderr}");
    }
}
