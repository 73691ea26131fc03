//! The black box: what a process leaves when it is killed, and what the next start makes of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::http::{connect, get};
use crate::machine;
use crate::program::{Exit, Process, Program, wait_until};
use crate::scratch::Scratch;

fn program(path: impl AsRef<Path>) -> Program {
    let program = Program::new(env!("CARGO_BIN_EXE_black_box"));
    program.with_open_stdin().env("LIFECYCLE_BLACK_BOX", path.as_ref())
}

/// A process that has acquired everything.
fn running(path: &Path) -> Process {
    let process = program(path).spawn();
    run(&process);
    process
}

fn run(process: &Process) {
    for name in ["Db", "Worker", "Http"] {
        process.write_line(&format!("acquire {name}"));
    }
    process.wait_for_line("running: everything was acquired");
}

/// Stops a process in order.
fn stop(process: Process) -> Exit {
    process.signal(Signal::TERM);
    for name in ["Http", "Worker", "Db"] {
        process.write_line(&format!("release {name}"));
    }
    process.wait_for_exit()
}

fn killed(process: Process) {
    process.signal(Signal::KILL);
    assert_eq!(process.wait_for_exit().killed_by(), Some(9));
}

/// Waits until the black box has this.
#[track_caller]
fn wait_for_record(path: &Path, text: &str) -> String {
    let mut record = String::new();
    wait_until(&format!("the record has {text:?}"), || {
        record = fs::read_to_string(path).unwrap_or_default();
        record.contains(text)
    });
    record
}

fn count(text: &str, words: &str) -> usize {
    text.lines().filter(|line| line.contains(words)).count()
}

/// Asserts that a program says once why it has no black box, and that nothing else changes.
#[track_caller]
fn has_none(program: Program, path: &Path, why: &str) {
    let process = program.spawn();
    run(&process);
    let line = process.wait_for_line(&format!("the black box {} is not written: ", path.display()));
    assert!(line.text.contains(why), "{line:?}");
    let exit = stop(process);
    assert_eq!(exit.code(), Some(0), "{}", exit.stderr());
    assert_eq!(count(&exit.stderr(), "black box"), 1, "{}", exit.stderr());
}

#[test]
fn an_orderly_end_leaves_nothing_and_the_next_start_says_nothing() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    for _ in 0..2 {
        let process = running(&path);
        wait_for_record(&path, "phase: running for ");
        let exit = stop(process);
        assert_eq!(exit.code(), Some(0));
        assert!(!exit.stderr().contains("the last life"), "{}", exit.stderr());
        assert!(scratch.content().is_empty(), "{:?}", scratch.content());
    }
}

#[test]
fn the_next_start_says_in_one_line_what_became_of_the_last_life() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    let process = running(&path);
    let mut client = connect(process.address());
    client.send(&get("/1")).expect("it can be sent");
    process.wait_for_line("request 1 has arrived");
    process.signal(Signal::TERM);
    let record = wait_for_record(&path, "waiting for: Http (draining for ");
    assert!(record.starts_with("lifecycle black box 1\nprogram: black_box\npid: "), "{record}");
    assert!(record.contains("\nreason: SIGTERM received\n"), "{record}");
    assert!(record.ends_with("\nend of record\n"), "{record}");
    let pid = process.pid().as_raw_pid();
    killed(process);

    let next = program(&path).spawn();
    let line = next.wait_for_line("the last life ").text;
    for part in [
        &format!("(pid {pid}, last seen 20"),
        "was killed, or exited without a word, while stopping for ",
        "waiting for Http (draining for ",
        "1 request",
        " left; SIGTERM received",
    ] {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    run(&next);
    let exit = stop(next);
    assert_eq!(count(&exit.stderr(), "the last life"), 1, "{}", exit.stderr());
    assert!(scratch.content().is_empty(), "{:?}", scratch.content());
}

/// The hook blocks until the file has another content, so it can be cut off and is still there.
#[test]
fn a_reload_under_way_is_in_the_record_and_in_what_the_next_start_says() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let (path, value) = (scratch.path().join("box"), scratch.path().join("value"));
    let start = || {
        fs::write(&value, "a").expect("it can be written");
        let program = Program::new(env!("CARGO_BIN_EXE_reloading")).env("VALUE", &value);
        let process = program.env("LIFECYCLE_BLACK_BOX", &path).spawn();
        process.wait_for_line("running: everything was acquired");
        process
    };
    let block = |process: &Process| {
        fs::write(&value, "block").expect("it can be written");
        process.signal(Signal::HUP);
        let record = wait_for_record(&path, "\nreloading: Value for ");
        assert!(record.contains("\nphase: running for "), "{record}");
    };

    let process = start();
    let record = wait_for_record(&path, "phase: running for ");
    assert!(!record.contains("\nreloading: "), "{record}");
    block(&process);
    killed(process);

    let process = start();
    let last = process.wait_for_line("the last life ").text;
    assert!(last.contains(" was killed, or exited without a word, while running for "), "{last}");
    assert!(last.contains(": reloading Value for "), "{last}");
    block(&process);
    wait_for_record(&path, ", and cut off\n");
    fs::write(&value, "b").expect("it can be written");
    process.wait_for_line("loaded");
    wait_until("nothing reloads", || {
        let record = fs::read_to_string(&path).unwrap_or_default();
        record.contains("phase: running for ") && !record.contains("\nreloading: ")
    });
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

/// Neither leaves a trace that the library could tell from a SIGKILL.
#[test]
fn a_process_that_exits_or_aborts_leaves_its_black_box() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    for (line, code) in [("exit", Some(3)), ("abort", None)] {
        let process = running(&path);
        wait_for_record(&path, "phase: running for ");
        process.write_line(line);
        assert_eq!(process.wait_for_exit().code(), code);
        let next = program(&path).spawn();
        next.wait_for_line("was killed, or exited without a word, while running for ");
        run(&next);
        stop(next);
    }
}

#[test]
fn a_forced_end_leaves_the_black_box_with_who_forced_it() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    let stuck = |timeout: &str| {
        let process = Program::new(env!("CARGO_BIN_EXE_stuck"))
            .env("HANG", "blocking_release")
            .env("FLAVOR", "current")
            .env("LIFECYCLE_SHUTDOWN_TIMEOUT", timeout)
            .env("LIFECYCLE_BLACK_BOX", &path)
            .spawn();
        process.wait_for_line("running: everything was acquired");
        process
    };
    let process = stuck("1s");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(124));
    let record = fs::read_to_string(&path).expect("it is there");
    let ended = "by the watchdog, since the process did not end when the application had";
    assert!(record.contains(&format!("\nended: {ended}\n")), "{record}");
    assert!(record.contains("\noutcome: exit code 124: `Stubborn` could not be released"), "{record}");

    let process = stuck("20s");
    let line = process.wait_for_line(&format!("was ended {ended}, while stopped for "));
    assert!(line.text.contains("`Stubborn` could not be released"), "{line:?}");
    let exit = process.signal_until_exit(Signal::INT);
    assert_eq!(exit.code(), Some(130));
    let record = fs::read_to_string(&path).expect("it is there");
    assert!(record.contains("\nended: by SIGINT, which insisted again\n"), "{record}");
    assert!(record.contains("\nwaiting for: Stubborn (releasing for "), "{record}");
}

/// As in a rolling restart with overlap: both live for a while.
#[test]
fn a_process_leaves_the_black_box_of_another_alone_until_that_has_ended() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    let first = running(&path);
    let second = program(&path).spawn();
    second.wait_for_line("is not written: another process that is running has its black box there, ");
    run(&second);
    let own = |process: &Process| format!("\npid: {}\n", process.pid().as_raw_pid());
    first.signal(Signal::TERM);
    first.write_line("release Http");
    let record = wait_for_record(&path, "waiting for: Worker (releasing for ");
    assert!(record.contains(&own(&first)), "{record}");
    for name in ["Worker", "Db"] {
        first.write_line(&format!("release {name}"));
    }
    assert_eq!(first.wait_for_exit().code(), Some(0));
    wait_for_record(&path, &own(&second));
    let exit = stop(second);
    assert!(!exit.stderr().contains("the last life"), "{}", exit.stderr());
    assert!(scratch.content().is_empty(), "{:?}", scratch.content());
}

#[test]
fn what_is_not_a_black_box_is_left_alone() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path().join(name);
    let not_ours = "the file there is not a black box, and is left alone";
    for (name, content) in [
        ("text", b"somebody's notes\n".to_vec()),
        ("binary", vec![0, 159, 146, 150]),
        ("huge", vec![b'x'; 10_000_000]),
    ] {
        fs::write(at(name), &content).expect("it can be written");
        has_none(program(at(name)), &at(name), not_ours);
        assert_eq!(fs::read(at(name)).expect("it is there"), content);
    }
    fs::create_dir(at("directory")).expect("it can be made");
    has_none(program(at("directory")), &at("directory"), "it is a directory; name a file in it");
    symlink(at("text"), at("link")).expect("it can be made");
    has_none(program(at("link")), &at("link"), "it is a symbolic link, which would be replaced");
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("it can be made");
    has_none(program(at("pipe")), &at("pipe"), "it is not a regular file");
    let mut there = scratch.content();
    there.sort();
    assert_eq!(there, ["binary", "directory", "huge", "link", "pipe", "text"]);
}

#[test]
fn a_record_that_is_cut_short_or_of_an_earlier_start_of_the_machine_is_told_as_such() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    let process = running(&path);
    let record = wait_for_record(&path, "phase: running for ");
    killed(process);

    let lines: Vec<&str> = record.lines().collect();
    let boot = lines.iter().find(|line| line.starts_with("boot: ")).expect("it is there");
    let check = |record: String, expected: &str, unexpected: &str| {
        fs::write(&path, record).expect("it can be written");
        let next = program(&path).spawn();
        let line = next.wait_for_line("the last life ").text;
        assert!(line.contains(expected) && !line.contains(unexpected), "{line}");
        killed(next);
    };
    let restarted = "the machine has been restarted since";
    check(record.replace(boot, "boot: another"), restarted, "cut short");
    check(lines[..6].join("\n"), "the record is cut short", "panic");
    check(lines[0].to_owned() + "\n", "the record is cut short", "panic");
    check(
        format!("{}\n\0\u{7f}\u{1b}[2J: \u{1b}[2J\npid\nphase: ", lines[0]),
        "the record is cut short",
        "\u{1b}",
    );
    // An empty file is one that somebody has made for us.
    fs::write(&path, "").expect("it can be written");
    let exit = stop(running(&path));
    assert!(!exit.stderr().contains("the last life"), "{}", exit.stderr());
}

#[test]
fn a_place_where_nothing_can_be_written_is_told_once_and_changes_nothing() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing").join("box");
    has_none(program(&missing), &missing, "No such file or directory");
    let not_a_directory = scratch.path().join("file");
    fs::write(&not_a_directory, "").expect("it can be written");
    let beneath = not_a_directory.join("box");
    has_none(program(&beneath), &beneath, "Not a directory");
    // A user who owns the directory, and may not write there: in a user namespace, root has to obey too.
    let closed = scratch.path().join("closed");
    fs::create_dir(&closed).expect("it can be made");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("it is ours");
    let in_closed = closed.join("box");
    let unshare = Program::new("unshare").arg("--user").arg(env!("CARGO_BIN_EXE_black_box"));
    let unshare = unshare.with_open_stdin().env("LIFECYCLE_BLACK_BOX", &in_closed);
    has_none(unshare, &in_closed, "Permission denied");
}

/// The program, in a mount namespace of its own in which a script has run before.
fn after(script: &str) -> Program {
    let unshare = Program::new("unshare").args(["--mount", "--map-root-user", "--user"]);
    let then = format!("set -e; {script}; exec {}", env!("CARGO_BIN_EXE_black_box"));
    unshare.with_open_stdin().args(["sh", "-c", &then])
}

#[test]
fn a_disk_that_is_full_or_read_only_is_told_once_and_changes_nothing() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let directory = scratch.path().display();
    let full = format!(
        "mount -t tmpfs -o size=8k tmpfs {directory}; head --bytes=8192 /dev/zero > {directory}/filler"
    );
    let path = scratch.path().join("box");
    has_none(after(&full).env("LIFECYCLE_BLACK_BOX", &path), &path, "No space left on device");
    let read_only = format!("mount -t tmpfs -o ro tmpfs {directory}");
    has_none(after(&read_only).env("LIFECYCLE_BLACK_BOX", &path), &path, "Read-only file system");
}

/// Opens a file for itself, so that whoever opens it next waits for up to 45 s.
const LEASE: &str = "import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('leased', flush=True)
sys.stdin.read()";

#[test]
fn a_file_that_hangs_holds_nothing_up_and_is_told_once() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    fs::write(&path, "").expect("it can be written");
    let lease = Program::new("python3").with_open_stdin().args(["-c", LEASE]).arg(&path).spawn();
    lease.wait_for_line("leased");
    let process = running(&path);
    process.wait_for_line("is not written: its file system has not answered for 5 s");
    let exit = stop(process);
    assert_eq!(exit.code(), Some(0), "{}", exit.stderr());
    assert_eq!(count(&exit.stderr(), "black box"), 1, "{}", exit.stderr());
    // Nor is a stop held up that comes before anybody has noticed.
    let exit = stop(running(&path));
    assert_eq!(exit.code(), Some(0), "{}", exit.stderr());
    killed(lease);
    assert_eq!(fs::read(&path).expect("it is there"), b"");
}

#[test]
fn while_nothing_changes_nothing_is_written_and_what_changes_is_there_a_second_later() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    let process = Program::new(env!("CARGO_BIN_EXE_service")).env("LIFECYCLE_BLACK_BOX", &path).spawn();
    wait_for_record(&path, "phase: running for ");
    let file = || fs::metadata(&path).map(|file| (file.ino(), file.mtime_nsec())).expect("it is there");
    let before = file();
    // Not to synchronise: nothing is to happen in that time.
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(file(), before);
    killed(process);

    let process = running(&path);
    process.write_line("task 7");
    wait_for_record(&path, "also in flight: Worker (1 in flight)\n");
    process.write_line("end 7");
    wait_until("the task is gone", || {
        fs::read_to_string(&path).is_ok_and(|record| !record.contains("Worker (1 in flight)"))
    });
    killed(process);
}

#[test]
fn there_is_one_thread_more_with_a_black_box_and_none_without() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    let threads = |process: &Process| {
        let tasks = format!("/proc/{}/task", process.pid().as_raw_pid());
        let tasks = fs::read_dir(tasks).expect("it lives");
        let names =
            tasks.flatten().map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
        names.filter(|name| name.starts_with("lifecycle-box")).count()
    };
    let with = running(&path);
    wait_for_record(&path, "phase: running for ");
    assert_eq!(threads(&with), 1);
    killed(with);
    for variable in ["LIFECYCLE_BLACK_BOX", "KUBERNETES_SERVICE_HOST"] {
        let value = if variable == "LIFECYCLE_BLACK_BOX" { "" } else { "10.0.0.1" };
        let without =
            Program::new(env!("CARGO_BIN_EXE_black_box")).with_open_stdin().env(variable, value).spawn();
        run(&without);
        assert_eq!(threads(&without), 0);
        killed(without);
    }
}

/// The files of a cgroup, as they would be after the kernel has killed.
#[test]
fn a_life_that_the_kernel_has_killed_for_memory_is_told_as_such() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("box");
    let events = scratch.path().join("memory.events");
    let in_group = || {
        let mount = format!("mount --bind {} /sys/fs/cgroup", scratch.path().display());
        after(&mount).env("LIFECYCLE_BLACK_BOX", &path)
    };
    fs::write(&events, "max 3\noom 2\noom_kill 1\n").expect("it can be written");
    let process = in_group().spawn();
    run(&process);
    let record = wait_for_record(&path, "phase: running for ");
    assert!(record.contains("\nkilled for memory: 1 in /sys/fs/cgroup/memory.events\n"), "{record}");
    killed(process);
    fs::write(&events, "max 4\noom 3\noom_kill 2\n").expect("it can be written");
    let next = in_group().spawn();
    next.wait_for_line(
        "out of memory: since then, the kernel has killed in its cgroup (/sys/fs/cgroup/memory.events)",
    );
    killed(next);

    // A cgroup that was made anew, as the engine of containers makes it: the machine has counted too.
    let record = fs::read_to_string(&path).expect("it is there");
    let on_machine = "killed for memory on the machine: ";
    let line = record.lines().find(|line| line.starts_with(on_machine)).expect("the machine counts");
    let killed_so_far: u64 = line[on_machine.len()..].parse().expect("it is a number");
    if let Some(before) = killed_so_far.checked_sub(1) {
        fs::write(&path, record.replace(line, &format!("{on_machine}{before}"))).expect("it can be written");
        let next = program(&path).spawn();
        next.wait_for_line(
            "perhaps out of memory: since then, the kernel has killed 1 process on this machine",
        );
        killed(next);
    }
}

/// A pod, as far as the program can tell: its /dev has a termination log.
struct Pod {
    scratch: Scratch,
}

impl Pod {
    fn new() -> Self {
        let pod = Self { scratch: Scratch::new() };
        fs::write(pod.log(), "").expect("it can be written");
        pod
    }

    fn log(&self) -> PathBuf {
        self.scratch.path().join("log")
    }

    fn message(&self) -> String {
        fs::read_to_string(self.log()).expect("it is there")
    }

    fn program(&self) -> Program {
        let log = self.log();
        let mount = format!(
            "mount -t tmpfs tmpfs /dev; touch /dev/termination-log; mount --bind {} /dev/termination-log",
            log.display(),
        );
        after(&mount)
    }

    fn in_kubernetes(&self) -> Program {
        self.program().env("KUBERNETES_SERVICE_HOST", "10.0.0.1").env("LIFECYCLE_DRAIN_DELAY", "0s")
    }
}

#[test]
fn in_kubernetes_the_termination_log_says_how_far_the_stop_came() {
    let _machine = machine::shared();
    let pod = Pod::new();
    let process = pod.in_kubernetes().spawn();
    run(&process);
    assert_eq!(pod.message(), "", "nothing is to be told while the application runs");
    process.signal(Signal::TERM);
    process.write_line("release Http");
    process.write_line("release Worker");
    wait_until("the message is there", || pod.message().contains("waiting for Db (releasing for "));
    killed(process);
    let message = pod.message();
    assert!(message.starts_with("at 20") && message.contains(": stopping for "), "{message}");
    assert!(message.contains(" left; SIGTERM received") && message.len() <= 4096, "{message}");
}

#[test]
fn in_kubernetes_the_termination_log_is_empty_after_a_clean_end_and_says_what_failed_otherwise() {
    let _machine = machine::shared();
    let pod = Pod::new();
    let process = pod.in_kubernetes().spawn();
    run(&process);
    let exit = stop(process);
    assert_eq!((exit.code(), pod.message().as_str()), (Some(0), ""));

    let process = pod.in_kubernetes().env("LIFECYCLE_STARTUP_TIMEOUT", "200ms").spawn();
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(1), "{}", exit.stderr());
    assert_eq!(pod.message(), "exit code 1: `Db` could not be acquired");
}

#[test]
fn outside_kubernetes_the_termination_log_is_not_touched_unless_it_is_named() {
    let _machine = machine::shared();
    let pod = Pod::new();
    let failing = |program: Program| {
        let exit = program.env("LIFECYCLE_STARTUP_TIMEOUT", "200ms").spawn().wait_for_exit();
        assert_eq!(exit.code(), Some(1), "{}", exit.stderr());
    };
    failing(pod.program());
    assert_eq!(pod.message(), "");
    failing(pod.program().env("LIFECYCLE_BLACK_BOX", "/dev/termination-log"));
    assert_eq!(pod.message(), "exit code 1: `Db` could not be acquired");
}
