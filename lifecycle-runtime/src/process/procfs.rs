//! What the file system tells about this process: Linux in `/proc`, and a container by its marks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::lock;

/// Whether a signal was ignored when the process began, as SIGHUP is under nohup. Ask before handlers are set: they
/// hide the answer.
#[cfg(unix)]
pub(crate) fn ignores(signal: i32) -> bool {
    in_mask(&fs::read_to_string("/proc/self/status").unwrap_or_default(), "SigIgn:", signal).unwrap_or(false)
}

/// Whether the process has a handler for a signal, no matter who installed it. `None` where the system does not tell.
#[cfg(unix)]
pub(crate) fn catches() -> impl Fn(i32) -> Option<bool> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    move |signal| in_mask(&status, "SigCgt:", signal)
}

/// Whether the process has a thread of that name.
pub(crate) fn has_thread(name: &str) -> bool {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return false };
    let is_called = |thread: fs::DirEntry| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    threads.flatten().any(is_called)
}

/// The calling thread, where the system tells.
#[cfg(feature = "testing")]
pub(crate) fn own_thread() -> Option<u32> {
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

/// Whether one of the threads of this process that are `meant` runs, would run if it could, or waits for a disk. `false`
/// where the system does not tell.
#[cfg(feature = "testing")]
pub(crate) fn is_at_work(meant: impl Fn(u32) -> bool) -> bool {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return false };
    let is_meant = |thread: &fs::DirEntry| {
        thread.file_name().to_str().and_then(|name| name.parse().ok()).is_some_and(&meant)
    };
    let is_at_work = |thread: &fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state stands behind the name, which is in brackets and may have some itself.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['R', 'D']))
    };
    threads.flatten().filter(is_meant).any(|thread| is_at_work(&thread))
}

/// Bit n-1 of a mask, which is in hexadecimal.
#[cfg(unix)]
fn in_mask(status: &str, mask: &str, signal: i32) -> Option<bool> {
    let mask = u64::from_str_radix(field(status, mask)?, 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

/// How many threads the process has, where the system tells.
pub(super) fn threads() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "Threads:")?.parse().ok()
}

/// Waits until there are no more threads than `before`. One that was joined counts against the limits until the kernel
/// has cleared it away, which is a moment later.
pub(super) fn wait_for_threads_to_go(before: Option<usize>) {
    let until = Instant::now() + Duration::from_millis(100);
    while before.is_some() && threads() > before && Instant::now() < until {
        thread::yield_now();
    }
}

/// The shell that started the process, if it is PID 1: it may not pass signals on. It is looked
/// for once.
pub(crate) fn shell_as_pid_1() -> Option<String> {
    static SHELL: OnceLock<Option<String>> = OnceLock::new();
    SHELL.get_or_init(find_shell_as_pid_1).clone()
}

fn find_shell_as_pid_1() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    if field(&status, "PPid:")? != "1" {
        return None;
    }
    let name = fs::read_to_string("/proc/1/comm").ok()?;
    is_shell(name.trim()).then(|| name.trim().to_owned())
}

/// What tells one start of the machine from the next.
pub(crate) fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

/// Whether a file was there when it was looked for first: what marks a container does not come and go.
pub(crate) fn exists(path: &Path) -> bool {
    static FOUND: Mutex<Vec<(PathBuf, bool)>> = Mutex::new(Vec::new());
    let mut found = lock(&FOUND);
    if let Some((_, is_there)) = found.iter().find(|(known, _)| known == path) {
        return *is_there;
    }
    let is_there = path.exists();
    found.push((path.to_owned(), is_there));
    is_there
}

fn is_shell(name: &str) -> bool {
    ["sh", "bash", "dash", "ash", "busybox", "zsh", "ksh"].contains(&name)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_signal_is_a_bit_of_the_mask() {
        let status =
            "Name:\tcat\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004002\n";
        assert_eq!(in_mask(status, "SigIgn:", 1), Some(true));
        assert_eq!(in_mask(status, "SigIgn:", 15), Some(false));
        assert_eq!(in_mask(status, "SigCgt:", 15), Some(true));
        assert_eq!(in_mask("", "SigIgn:", 1), None);
    }

    #[test]
    fn shells_are_known_by_name() {
        assert!(is_shell("dash"));
        assert!(!is_shell("tini"));
    }
}
