//! How the log looks: at a terminal, and in a file.

use std::fs::File;
use std::io::Read;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::machine;
use crate::program::{Exit, Program};
use crate::scratch::Scratch;

/// With colours, if it is a terminal that it writes to.
fn example(name: &str, scratch: &Scratch) -> Program {
    Program::example(name)
        .env("PORT", "0")
        .env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0")
        .env("TMPDIR", scratch.path())
        .env("NO_COLOR", "")
}

fn life(name: &str) -> Exit {
    let scratch = Scratch::new();
    let process = example(name, &scratch).spawn();
    process.wait_for_line("running: everything");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0), "{name}: {}{}", exit.stdout(), exit.stderr());
    exit
}

#[test]
fn no_example_writes_colour_codes_into_a_file() {
    let _machine = machine::shared();
    for name in ["existing_app", "go_equivalent", "grpc", "in_flight", "payments", "websocket"] {
        let stdout = life(name).stdout();
        assert!(stdout.contains("running: everything"), "{name} has no log:\n{stdout}");
        assert!(!stdout.contains('\u{1b}'), "{name}:\n{stdout}");
    }
}

#[test]
fn no_line_says_anything_twice_and_the_report_is_one_block() {
    let _machine = machine::shared();
    let stdout = life("go_equivalent").stdout();
    // What a hook says has the context of its span.
    let (context, ours): (Vec<_>, Vec<_>) = stdout.lines().partition(|line| line.contains("{resource="));
    assert!(context[0].ends_with(" INFO start:acquire{resource=Db}: database open"), "{context:?}");
    assert!(context.iter().any(|line| line.ends_with(" INFO stop:release{resource=Db}: database closed")));
    assert_eq!(ours.iter().find(|line| line.contains('=')), None, "a field:\n{stdout}");
    assert!(ours.iter().any(|line| line.contains(" released Db in ")), "{stdout}");
    let report = stdout.find("stopped in ").expect("there is a report");
    let mut lines = stdout[report..].lines().skip_while(|line| line.ends_with("exit code 0"));
    let after = lines.find(|line| !line.starts_with("  ")).expect("the release of the log comes after it");
    assert!(after.starts_with("20") && after.ends_with(" releasing Log"), "not one block:\n{stdout}");
}

/// What a program prints at a terminal, from its start to its end.
fn at_a_terminal(program: Program) -> String {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let process =
        program.with_stdout(open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap()).spawn();
    let (mut screen, mut text, mut part) = (File::from(screen), String::new(), [0; 4096]);
    let mut is_asked = false;
    // When the last program that writes to it is gone, a terminal has an error, and no end.
    while let Ok(length @ 1..) = screen.read(&mut part) {
        text += &String::from_utf8_lossy(&part[..length]);
        if !is_asked && text.contains("running: everything") {
            process.signal(Signal::TERM);
            is_asked = true;
        }
    }
    assert_eq!(process.wait_for_exit().code(), Some(0), "{text}");
    text
}

#[test]
fn at_a_terminal_there_are_colours_unless_no_color_is_set() {
    let _machine = machine::shared();
    for name in ["websocket", "payments"] {
        let scratch = Scratch::new();
        let text = at_a_terminal(example(name, &scratch));
        assert!(text.contains('\u{1b}'), "{name}:\n{text}");
        let text = at_a_terminal(example(name, &scratch).env("NO_COLOR", "1"));
        assert!(!text.contains('\u{1b}'), "{name}:\n{text}");
    }
}
