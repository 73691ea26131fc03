//! The feature `systemd` under a real systemd: PID 1 of namespaces of its own, one for each test.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than the limits that the units have, and shorter than those of the application.
const LONG: Duration = Duration::from_secs(4);

/// A systemd, and one unit in it.
struct Systemd {
    directory: PathBuf,
    /// Its end is that of everything within.
    namespace: Child,
    pid: String,
    /// What the unit reads on stdin.
    orders: File,
}

impl Systemd {
    /// Boots one with a service that runs the fixture, with these settings.
    #[track_caller]
    fn boot(service: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("lifecycle-systemd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = env::temp_dir().join(name);
        let units = directory.join("units");
        fs::create_dir_all(&units).unwrap_or_else(|error| panic!("cannot make {}: {error}", units.display()));
        let fifo = directory.join("orders");
        let is_made = Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success());
        assert!(is_made, "cannot make {}", fifo.display());
        // Open at both ends, so that nobody who opens one of them has to wait for the other.
        let orders = OpenOptions::new().read(true).write(true).open(&fifo);
        let orders = orders.unwrap_or_else(|error| panic!("cannot open {}: {error}", fifo.display()));
        let output = directory.join("output");
        let service = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart={}\nStandardInput=file:{}\n\
             StandardOutput=append:{}\nStandardError=append:{}\n{service}\n",
            env!("CARGO_BIN_EXE_probed"),
            fifo.display(),
            output.display(),
            output.display(),
        );
        write(&units.join("probed.service"), &service);
        write(&units.join("test.target"), "[Unit]\nDefaultDependencies=no\n");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/systemd-namespace");
        let console = File::create(directory.join("console"));
        let console = console.unwrap_or_else(|error| panic!("no console: {error}"));
        let mut command = Command::new(script);
        command.arg(&directory).stdin(Stdio::null());
        command
            .stderr(console.try_clone().unwrap_or_else(|error| panic!("no console: {error}")))
            .stdout(console);
        let namespace = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let mut systemd = Self { directory, namespace, pid: String::new(), orders };
        systemd.wait_until_ready();
        systemd
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let pid = self.namespace.id();
        loop {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            self.pid = children.unwrap_or_default().trim().to_owned();
            if !self.pid.is_empty() && self.within("test", &["-S", "/run/systemd/private"]).is_some() {
                return;
            }
            let has_ended = self.namespace.try_wait().is_ok_and(|status| status.is_some());
            let is_late = Instant::now() > deadline;
            assert!(
                !has_ended && !is_late,
                "no systemd could be started in namespaces of its own: this test needs root, the package systemd, \
                 and a kernel that lets namespaces and cgroups be made"
            );
            thread::yield_now();
        }
    }

    /// What a program prints within the namespaces, if it succeeds.
    fn within(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid, "-m", "-p", program]).args(arguments).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[track_caller]
    fn systemctl(&self, arguments: &[&str]) -> String {
        self.within("systemctl", arguments).unwrap_or_else(|| panic!("systemctl {arguments:?} failed"))
    }

    /// The properties of the unit, now.
    #[track_caller]
    fn unit(&self) -> HashMap<String, String> {
        let text = self.systemctl(&["show", "probed.service", "--property=ActiveState,Result,StatusText"]);
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Waits until a property has a value.
    #[track_caller]
    fn wait_for(&self, property: &str, value: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unit = self.unit();
            if unit.get(property).is_some_and(|known| known == value) {
                return;
            }
            assert!(Instant::now() < deadline, "{property} is not {value:?} within {PATIENCE:?}: {unit:?}");
        }
    }

    /// Asserts that a property has a value all the time, for a long time.
    #[track_caller]
    fn stays(&self, property: &str, value: &str) {
        let began = Instant::now();
        while began.elapsed() < LONG {
            let unit = self.unit();
            let is_still_so = unit.get(property).is_some_and(|known| known == value);
            assert!(
                is_still_so,
                "{property} is not {value:?} any more after {:?}: {unit:?}",
                began.elapsed()
            );
        }
    }

    #[track_caller]
    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap_or_else(|error| panic!("cannot order {order:?}: {error}"));
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = self.namespace.kill();
        let _ = self.namespace.wait();
        if thread::panicking() {
            for file in ["console", "output"] {
                let text = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
                eprintln!("---- {file}:\n{text}----");
            }
        }
        if let Ok(cgroup) = fs::read_to_string(self.directory.join("cgroup")) {
            let deadline = Instant::now() + PATIENCE;
            // What was in it may be on its way out.
            while !remove_cgroups(Path::new(cgroup.trim())) && Instant::now() < deadline {
                thread::yield_now();
            }
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Removes a tree of cgroups, which are empty but for one another.
fn remove_cgroups(path: &Path) -> bool {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&entry.path());
        }
    }
    !path.exists() || fs::remove_dir(path).is_ok()
}

#[track_caller]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

#[test]
fn start_waits_for_readiness_and_may_take_longer_than_systemd_gives() {
    let mut systemd = Systemd::boot("Environment=HOLD=acquire\nTimeoutStartSec=2");
    systemd.systemctl(&["start", "--no-block", "probed.service"]);
    systemd.wait_for("StatusText", "starting: acquiring Db");
    systemd.stays("ActiveState", "activating");
    systemd.order("go acquire");
    systemd.wait_for("ActiveState", "active");
    systemd.wait_for("StatusText", "running");
    systemd.systemctl(&["stop", "probed.service"]);
    let unit = systemd.unit();
    assert_eq!((unit["ActiveState"].as_str(), unit["Result"].as_str()), ("inactive", "success"), "{unit:?}");
}

#[test]
fn a_start_that_passes_its_own_limit_fails() {
    let systemd = Systemd::boot("Environment=HOLD=acquire LIFECYCLE_STARTUP_TIMEOUT=1s");
    let started = systemd.within("systemctl", &["start", "probed.service"]);
    assert_eq!(started, None, "it never said READY");
    let unit = systemd.unit();
    assert_eq!((unit["ActiveState"].as_str(), unit["Result"].as_str()), ("failed", "exit-code"), "{unit:?}");
}

#[test]
fn a_stop_may_take_longer_than_systemd_gives() {
    let mut systemd = Systemd::boot("Environment=HOLD=drain\nTimeoutStopSec=2");
    systemd.systemctl(&["start", "probed.service"]);
    systemd.systemctl(&["stop", "--no-block", "probed.service"]);
    systemd.wait_for("StatusText", "stopping: draining Server");
    systemd.stays("ActiveState", "deactivating");
    systemd.order("go drain");
    systemd.wait_for("ActiveState", "inactive");
    assert_eq!(systemd.unit()["Result"], "success");
}

#[test]
fn a_stop_that_the_application_began_is_no_surprise() {
    let mut systemd = Systemd::boot("Environment=HOLD=drain\nTimeoutStopSec=2\nRestart=always");
    systemd.systemctl(&["start", "probed.service"]);
    systemd.order("shut down");
    systemd.wait_for("ActiveState", "deactivating");
    systemd.stays("ActiveState", "deactivating");
}

#[test]
fn the_watchdog_ends_a_process_whose_workers_are_stuck() {
    let mut systemd = Systemd::boot("WatchdogSec=2");
    systemd.systemctl(&["start", "probed.service"]);
    systemd.stays("ActiveState", "active");
    systemd.order("block workers");
    systemd.wait_for("Result", "watchdog");
}
