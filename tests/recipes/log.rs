use lifecycle_tests::harness::machine;
use lifecycle_tests::harness::program::Program;

#[test]
fn the_report_is_in_a_log_that_a_guard_ends() {
    let _machine = machine::shared();
    let exit = Program::new(env!("CARGO_BIN_EXE_log")).spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["at work", "exit code 0"]);
    assert_eq!(exit.stderr(), "");
}
