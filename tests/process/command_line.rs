//! The program `lifecycle`: what it shows of others, and that it leaves none of them behind.

use std::fs::{self, File};
use std::io::{PipeReader, Write, pipe};
use std::net::TcpListener;
use std::path::Path;

use lifecycle::{Acquire, App, Report, Resource, Result, resource};
use rustix::process::Signal;

use crate::examples;
use crate::machine;
use crate::pictures::{is_of_80_columns, is_page, is_svg, valid_plan};
use crate::program::{Exit, Process, Program, wait_until};
use crate::scratch::Scratch;
use crate::shutdown_script::{assert_gone, free_port};

const PLANNING: &str = env!("CARGO_BIN_EXE_planning");
const GRACELESS: &str = env!("CARGO_BIN_EXE_graceless");

fn lifecycle(arguments: &[&str]) -> Program {
    Program::example("lifecycle").args(arguments)
}

fn run(arguments: &[&str]) -> Exit {
    lifecycle(arguments).spawn().wait_for_exit()
}

fn path(example: &str) -> &'static str {
    examples::executable(example).to_str().expect("it is text")
}

#[track_caller]
fn assert_says(exit: &Exit, code: i32, words: &[&str]) {
    assert_eq!(exit.code(), Some(code), "{}", exit.stderr());
    // However the lines are broken.
    let said = exit.stderr().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in words {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

/// The process that a fixture says it is.
#[track_caller]
fn process_in(text: &str) -> u32 {
    let pid = text
        .split_once("as process ")
        .and_then(|(_, rest)| rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok());
    pid.unwrap_or_else(|| panic!("no process in {text:?}"))
}

fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim().is_empty() || rest.trim_start().starts_with('Z'))
}

#[test]
fn help_fits_a_terminal_and_has_examples() {
    let _machine = machine::shared();
    let commands = ["plan", "timeline", "test", "doctor"].map(|command| [command, "--help"]);
    for arguments in [&["--help"][..]].into_iter().chain(commands.iter().map(|it| &it[..])) {
        let exit = run(arguments);
        assert_eq!(exit.code(), Some(0));
        is_of_80_columns(&exit.stdout());
        assert!(exit.stdout().contains("Exit codes: 0"), "{}", exit.stdout());
        assert!(arguments.len() == 1 || exit.stdout().contains("Examples:\n  "), "{}", exit.stdout());
    }
    assert_eq!(run(&["--version"]).stdout(), format!("lifecycle {}\n", env!("CARGO_PKG_VERSION")));
    for (arguments, said) in [
        (&[][..], "Usage: lifecycle <COMMAND>"),
        (&["plam"], "a similar subcommand exists: 'plan'"),
        (&["plan"], "<PROGRAM>"),
        (&["plan", "--format", "png", "true"], "possible values: text, dot, mermaid, json, svg"),
        (&["plan", "--timeout", "10", "true"], "write the unit: \"10s\""),
        (&["timeline"], "<REPORT>"),
        (&["test", "true"], "unexpected argument 'true'"),
        (&["test", "--url", "https://localhost", "--", "true"], "does not speak TLS"),
        (&["test", "--url", "http://localhost/slow", "--", "true"], "the path is for --request"),
        (&["test", "--request", "slow", "--", "true"], "expected a path such as"),
        (&["test", "--port", "80", "--url", "http://localhost", "--", "true"], "cannot be used with"),
    ] {
        assert_says(&run(arguments), 2, &[said]);
    }
}

#[test]
fn a_plan_is_what_the_program_itself_prints() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    for format in ["text", "dot", "mermaid", "json", "svg"] {
        let itself =
            Program::example("payments").env("LIFECYCLE_PLAN", format).spawn().wait_for_exit().stdout();
        let exit = run(&["plan", "--format", format, path("payments")]);
        assert_eq!((exit.code(), exit.stderr().as_str()), (Some(0), ""), "{format}");
        assert_eq!(exit.stdout(), itself, "{format}");
        let end = if format == "text" { "txt" } else { format };
        let file = scratch.path().join(format!("plan.{end}"));
        let exit = run(&["plan", "--output", file.to_str().expect("it is text"), path("payments")]);
        assert_eq!((exit.code(), exit.stdout().as_str()), (Some(0), ""));
        assert_eq!(fs::read_to_string(&file).expect("it was written"), itself, "{format}");
    }
    assert_eq!(scratch.content().len(), 5, "{:?}", scratch.content());
}

#[test]
fn arguments_and_variables_reach_the_program() {
    let _machine = machine::shared();
    let exit = lifecycle(&["plan", "--format=json", "sh", "-c", "exec \"$0\" --of-its-own", path("hello")])
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "7s")
        .spawn()
        .wait_for_exit();
    assert_eq!(valid_plan(&exit.stdout())["shutdown_timeout_ms"], 7_000);
}

#[test]
fn what_a_program_says_beside_its_plan_is_on_stderr() {
    let _machine = machine::shared();
    let exit = run(&["plan", PLANNING]);
    assert_eq!((exit.code(), exit.stderr().as_str()), (Some(0), "planning is here\n"));
    assert!(exit.stdout().starts_with("2 resources on 2 levels\n"), "{}", exit.stdout());
}

#[test]
fn the_exit_code_tells_of_problems_in_the_plan_and_of_a_refused_configuration() {
    let _machine = machine::shared();
    let exit = lifecycle(&["plan", PLANNING]).env("MODE", "has_a_problem").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    assert!(exit.stdout().contains("problem: Arguments: it is declared `supplied`"), "{}", exit.stdout());
    let exit =
        lifecycle(&["plan", path("hello")]).env("LIFECYCLE_STARTUP_TIMEOUT", "soon").spawn().wait_for_exit();
    assert_says(
        &exit,
        78,
        &["LIFECYCLE_STARTUP_TIMEOUT=\"soon\"", "refuses its configuration (exit code 78)"],
    );
}

#[test]
fn a_program_that_has_no_plan_is_told_so_and_does_not_stay() {
    let _machine = machine::shared();
    // It would live for ever, with a child that it does not know of.
    let script = "sleep 1000 & echo \"child is here, as process $!\"; exec \"$0\"";
    let exit = lifecycle(&["plan", "--timeout", "1s", "sh", "-c", script, GRACELESS])
        .env("MODE", "never_listens")
        .env("PORT", "1")
        .spawn()
        .wait_for_exit();
    let said =
        "has printed no plan within 1.0 s, and was killed: it does not seem to be built with lifecycle";
    assert_says(&exit, 3, &[said, "the end of its stdout:"]);
    assert_eq!(exit.stdout(), "");
    let printed = exit.stderr();
    let (child, program) = printed.split_once("never_listens").expect("it was there");
    let child = process_in(child);
    assert_gone(process_in(program));
    // Whoever takes in orphans has to bury it.
    wait_until("the child has ended", || has_ended(child));

    let check = |command: &[&str], words: &[&str]| {
        let exit = run(&[&["plan"], command].concat());
        assert_says(&exit, 3, words);
        assert_eq!(exit.stdout(), "");
    };
    check(
        &["true"],
        &["`true` ended with exit code 0 and has printed no plan: it does not seem to be built"],
    );
    check(
        &["sh", "-c", "echo out; echo err >&2; exit 5"],
        &["exit code 5", "stdout: | out", "stderr: | err"],
    );
    check(&["sh", "-c", "kill -SEGV $$"], &["`sh` was killed by SIGSEGV"]);
    check(&["./nowhere"], &["`./nowhere` cannot be run: No such file", "give its path"]);
    check(&["/tmp"], &["`/tmp` cannot be run: Permission denied", "not marked as executable (chmod +x)"]);
    check(&["/etc/passwd"], &["`/etc/passwd` cannot be run: Permission denied"]);
}

/// A `main` of its own that goes on when the builder has shown the plan.
#[test]
fn a_program_that_does_not_end_after_its_plan_is_killed() {
    let _machine = machine::shared();
    let program = lifecycle(&["plan", "--timeout", "1s", PLANNING]).env("MODE", "goes_on");
    let exit = program.spawn().wait_for_exit();
    assert_says(&exit, 3, &["has printed its plan, but did not end within 1.0 s, and was killed"]);
    assert!(exit.stdout().starts_with("2 resources on 2 levels\n"), "{}", exit.stdout());
}

/// As `lifecycle plan ./app | head -1` does.
#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let _machine = machine::shared();
    for arguments in [&["plan", path("payments")][..], &["--help"], &["plan", "--help"]] {
        let (reader, writer) = pipe().expect("a pipe can be had");
        drop(reader);
        let (stderr, stderr_writer): (PipeReader, _) = pipe().expect("a pipe can be had");
        let process = lifecycle(arguments).with_outputs(&writer, &stderr_writer).spawn();
        drop((writer, stderr_writer));
        assert_eq!(process.wait_for_exit().code(), Some(0), "{arguments:?}");
        assert_eq!(std::io::read_to_string(stderr).expect("it is text"), "", "{arguments:?}");
    }
}

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self)
    }

    async fn release(&self, _: &lifecycle::Release) -> Result {
        Err("the \"disk\" is full\n<really>".into())
    }
}

#[resource(after = Db, optional)]
struct Cache;

impl Resource for Cache {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err("no cache".into())
    }
}

#[resource(after = [Db, Cache])]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.spawn("server", async |stopping| stopping.await);
        cx.tasks().spawn(std::future::pending::<()>());
        Ok(Self)
    }
}

/// A life with a bit of everything.
async fn report() -> Report {
    let builder = App::builder().resources::<Http>().shutdown_timeout(std::time::Duration::from_secs(1));
    builder.run(async |app: App| app.shutdown("the <test> is over & done")).await
}

#[test]
fn a_timeline_is_what_the_application_itself_would_have_written() {
    let _machine = machine::shared();
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    let report = runtime.block_on(report());
    assert!(report.exit_code != 0 && report.failures.len() > 1, "{report}");
    let scratch = Scratch::new();
    let json = scratch.path().join("report.json");
    fs::write(&json, report.to_json()).expect("there is room");
    let json = json.to_str().expect("it is text");
    for (format, end, expected) in [
        ("text", "txt", report.to_timeline()),
        ("svg", "svg", report.to_svg()),
        ("html", "html", report.to_html()),
    ] {
        let trimmed =
            |text: &str| text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
        let exit = run(&["timeline", json, "--format", format]);
        assert_eq!((exit.code(), exit.stderr().as_str()), (Some(0), ""), "{format}");
        assert_eq!(exit.stdout(), trimmed(&expected), "{format}");
        let stdin = File::open(json).expect("it is there");
        let exit =
            lifecycle(&["timeline", "-", "--format", format]).with_stdin(stdin).spawn().wait_for_exit();
        assert_eq!((exit.code(), exit.stdout()), (Some(0), trimmed(&expected)), "{format}");
        let file = scratch.path().join(format!("timeline.{end}"));
        let exit = run(&["timeline", json, "-o", file.to_str().expect("it is text")]);
        assert_eq!((exit.code(), exit.stdout().as_str()), (Some(0), ""), "{format}");
        assert_eq!(fs::read_to_string(&file).expect("it was written"), expected, "{format}");
    }
    is_svg(&run(&["timeline", json, "--format", "svg"]).stdout());
    is_page(&run(&["timeline", json, "--format", "html"]).stdout());
    is_of_80_columns(&run(&["timeline", json]).stdout());
}

/// What the control thread wrote at the end of a process.
#[test]
fn the_timeline_of_a_process_is_read() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let json = scratch.path().join("stuck.json");
    let process = Program::new(env!("CARGO_BIN_EXE_stuck"))
        .env("HANG", "blocking_release")
        .env("FLAVOR", "current")
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "1s")
        .env("LIFECYCLE_TIMELINE", &json)
        .spawn();
    process.wait_for_line("running: everything was acquired");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(124));
    let exit = run(&["timeline", json.to_str().expect("it is text")]);
    assert_eq!((exit.code(), exit.stderr().as_str()), (Some(0), ""));
    assert!(exit.stdout().starts_with("SIGTERM received; exit code 124\n"), "{}", exit.stdout());
}

#[test]
fn a_report_that_cannot_be_read_is_told_with_file_and_place() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let file = |content: &[u8]| {
        let path = scratch.path().join("report.json");
        fs::write(&path, content).expect("there is room");
        path.to_str().expect("it is text").to_owned()
    };
    let check = |path: &str, words: &[&str]| {
        let exit = run(&["timeline", path]);
        assert_says(&exit, 3, &[&[path], words].concat());
        assert_eq!(exit.stdout(), "");
        assert!(!exit.stderr().contains("panicked"), "{}", exit.stderr());
    };
    check("nowhere.json", &["cannot be read: No such file"]);
    check(scratch.path().to_str().expect("it is text"), &["cannot be read: Is a directory"]);
    check(&file(b""), &["it is not JSON: EOF while parsing a value at line 1 column 0"]);
    check(&file(b"\xff\xfe"), &["cannot be read: stream did not contain valid UTF-8"]);
    check(&file(b"{\"schema\":7,\"version\":\"9.0.0\"}"), &["`schema` is 7", "lifecycle-runtime", "9.0.0"]);
    check(&file(b"{\"schema\":1}"), &["`resources` is missing"]);
    let plan = Program::example("hello").env("LIFECYCLE_PLAN", "json").spawn().wait_for_exit().stdout();
    check(&file(plan.as_bytes()), &["it is the JSON of a plan, not of a report"]);

    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    let json = runtime.block_on(report()).to_json();
    let report: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut report = report.clone();
        *report.pointer_mut(pointer).expect("it is there") = value;
        report.to_string()
    };
    let absurd = [
        ("/resources/0/drain_ms", (-1).into(), "`resources[0].drain_ms` is -1: expected milliseconds"),
        ("/stop_took_ms", 1e300.into(), "`stop_took_ms` is 1e+300"),
        ("/resources/2/cut/tasks", 1e9.into(), "`resources[2].cut.tasks` is 1000000000.0"),
        ("/phases/0/phase", "sleeping".into(), "`phases[0].phase` is \"sleeping\""),
        ("/stop_path/0", "Elsewhere".into(), "`stop_path[0]` is \"Elsewhere\""),
    ];
    for (pointer, value, expected) in absurd {
        check(&file(changed(pointer, value).as_bytes()), &[expected]);
    }
}

/// `lifecycle test` of a server that listens at a port that is its own.
fn test(server: &str, options: &[&str]) -> Program {
    let port = free_port().to_string();
    let arguments = [&["test", "--port", &port], options, &["--", server]].concat();
    let program = lifecycle(&arguments).env("PORT", &port);
    program.env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0")
}

const SLOW: [&str; 2] = ["--request", "/slow?ms=1500"];

#[test]
fn servers_that_stop_gracefully_pass() {
    let names = ["existing_app", "go_equivalent", "in_flight", "payments"];
    let paths = names.map(path);
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let tests = paths.map(|server| {
        let options = [&SLOW[..], &["--ready", "/", "--grace", "25s"]].concat();
        test(server, &options).env("TMPDIR", scratch.path()).spawn()
    });
    for (name, test) in names.iter().zip(tests) {
        let exit = test.wait_for_exit();
        let text = exit.stdout();
        assert_eq!((exit.code(), exit.stderr().as_str()), (Some(0), ""), "{name}: {text}");
        assert!(text.ends_with("\nAll checks passed: the server stops gracefully.\n"), "{name}: {text}");
        for (check, count) in
            [("ok      start ", 2), ("ok      request ", 2), ("ok      exit code        0\n", 2)]
        {
            assert_eq!(text.matches(check).count(), count, "{name}: {check:?} in {text}");
        }
        assert!(text.starts_with("SIGTERM: ") && text.contains("\nSIGINT: "), "{name}: {text}");
        is_of_80_columns(
            &text.lines().filter(|line| !line.starts_with("SIG")).collect::<Vec<_>>().join("\n"),
        );
    }
}

#[test]
fn servers_that_stop_badly_fail_and_are_told_why() {
    const CASES: [(&str, &[&str]); 10] = [
        (
            "has_no_handler",
            &[
                "FAILED request /slow?ms=1500 was under way, and was not answered in full: connection",
                "FAILED exit code expected 0; the server was killed by SIGTERM",
                "expected 0; the server was killed by SIGINT",
                "4 checks failed.",
            ],
        ),
        ("drops_requests", &["FAILED request", "ok exit code 0", "2 checks failed."]),
        ("truncates", &["not answered in full: after the status 200 and 3 bytes", "ok exit code 0"]),
        ("answers_503", &["FAILED request /slow?ms=1500 was answered with 503; expected 2xx"]),
        ("exits_with_3", &["ok request", "FAILED exit code expected 0; the server ended with exit code 3"]),
        ("never_ends", &["ok request", "FAILED time still there after 3.0 s", "did not end, and was killed"]),
        (
            "is_quick",
            &["FAILED request /slow?ms=1500 was answered before the signal was sent: give --request"],
        ),
        ("drops_newcomers", &["FAILED new connections", "accepted without an answer"]),
        ("never_listens", &["FAILED start not up at 127.0.0.1:", "within 3.0 s: Connection refused"]),
        ("is_no_mode_and_has_no_port", &["FAILED start it ended with exit code 1 before anything listened"]),
    ];
    let _machine = machine::shared();
    let tests = CASES.map(|(mode, _)| {
        let options = [&SLOW[..], &["--grace", "3s", "--startup", "3s"]].concat();
        let program = test(GRACELESS, &options).env("MODE", mode);
        if mode == "is_no_mode_and_has_no_port" { program.env("PORT", "none") } else { program }.spawn()
    });
    for ((mode, told), test) in CASES.iter().zip(tests) {
        let exit = test.wait_for_exit();
        let text = exit.stdout();
        assert_eq!((exit.code(), exit.stderr().as_str()), (Some(1), ""), "{mode}: {text}");
        let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in *told {
            assert!(said.contains(words), "{mode}: no {words:?} in {text}");
        }
        if *mode != "is_no_mode_and_has_no_port" {
            // What the server has printed is shown, and the server is gone.
            assert!(text.contains(&format!("  | {mode} is here, as process ")), "{text}");
            for printed in text.split(" is here,").skip(1) {
                assert_gone(process_in(printed));
            }
        }
    }
}

#[test]
fn a_test_that_is_interrupted_leaves_no_process_behind() {
    let _machine = machine::shared();
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let process = test(GRACELESS, &SLOW).env("MODE", "never_listens").spawn();
        let line = process.wait_for_line("SIGTERM: ").text;
        let server = line.rsplit("pid ").next().and_then(|pid| pid.parse().ok()).expect("it says the pid");
        assert!(Path::new(&format!("/proc/{server}")).exists());
        process.signal(signal);
        assert_eq!(process.wait_for_exit().code(), Some(code));
        assert_gone(server);
    }
}

/// However long somebody waits before reading on.
#[test]
fn a_signal_is_heard_while_nobody_reads_or_writes() {
    let _machine = machine::shared();
    let is_blocked = |process: &Process, in_what: &str| {
        let tasks = fs::read_dir(format!("/proc/{}/task", process.pid())).into_iter().flatten().flatten();
        tasks
            .map(|task| fs::read_to_string(task.path().join("wchan")))
            .any(|it| it.is_ok_and(|it| it.contains(in_what)))
    };
    for arguments in
        [&["plan", PLANNING][..], &["doctor", "--rules"], &["test", "--port", "1", "--", "./nowhere"]]
    {
        let (_reader, mut writer) = pipe().expect("there is a pipe");
        // As much as there is room for.
        writer.write_all(&[b'.'; 1 << 16]).expect("it has room");
        let process = lifecycle(arguments).with_outputs(&writer, &writer).spawn();
        wait_until("it writes", || is_blocked(&process, "pipe_write"));
        process.signal(Signal::TERM);
        assert_eq!(process.wait_for_exit().code(), Some(143), "{arguments:?}");
    }
    let (reader, _writer) = pipe().expect("there is a pipe");
    let process = lifecycle(&["timeline", "-"]).with_stdin(reader).spawn();
    wait_until("it reads", || is_blocked(&process, "pipe_read"));
    process.signal(Signal::INT);
    assert_eq!(process.wait_for_exit().code(), Some(130));
}

/// Shells start jobs in the background with SIGINT ignored, and processes inherit that.
#[test]
fn a_test_works_where_sigint_is_ignored() {
    let server = path("existing_app");
    let program = path("lifecycle");
    let _machine = machine::shared();
    let port = free_port().to_string();
    let arguments = ["sh", program, "test", "--port", &port, "--request", SLOW[1], "--", server];
    let shell = Program::new("sh").args(["-c", "trap '' INT; exec \"$@\""]).args(arguments);
    let exit = shell.env("PORT", &port).spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(0), "{}", exit.stdout());
}

#[test]
fn a_server_that_was_there_before_is_not_tested_in_place_of_another() {
    let _machine = machine::shared();
    let before = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = before.local_addr().expect("it has an address").port().to_string();
    let exit = run(&["test", "--port", &port, "--", "true"]);
    assert_says(&exit, 3, &["something listens at 127.0.0.1:", "would be tested in place of the server"]);
    assert_says(&run(&["test", "--port", "1", "--", "./nowhere"]), 3, &["`./nowhere` cannot be run"]);
}
