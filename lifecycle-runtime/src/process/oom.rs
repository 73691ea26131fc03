//! Whom the kernel has killed because memory ran out, as far as Linux counts it.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel tells which cgroups the process is in, and how often it has killed on this machine.
const OWN: &str = "/proc/self/cgroup";
const MACHINE: &str = "/proc/vmstat";
const ROOT: &str = "/sys/fs/cgroup";

/// How often the kernel has killed for want of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kills {
    /// In the cgroup of this process, and the file that says so.
    pub(crate) group: Option<(PathBuf, u64)>,
    /// On this machine, since it was started. A cgroup that is made anew begins with zero; this goes on.
    pub(crate) machine: Option<u64>,
}

impl Kills {
    pub(crate) fn now() -> Self {
        let groups = fs::read_to_string(OWN).unwrap_or_default();
        let group = files(&groups).into_iter().find_map(|file| {
            let count = count(&fs::read_to_string(&file).ok()?)?;
            Some((file, count))
        });
        let machine = fs::read_to_string(MACHINE).ok();
        Self { group, machine: machine.and_then(|text| count(&text)) }
    }
}

/// The files that may have the count, the most precise first.
fn files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for &is_v2 in &[true, false] {
        for line in groups.lines().filter(|line| line.starts_with("0:") == is_v2) {
            add_files(line, &mut files);
        }
    }
    files
}

/// Adds those for one line of [`OWN`]. In a container, the path of the group may be one of the host, where only the root
/// of the hierarchy is to be seen.
fn add_files(line: &str, files: &mut Vec<PathBuf>) {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return };
    let (roots, file): (&[&str], _) = match controllers {
        "" => (&["", "unified"], "memory.events"),
        names if names.split(',').any(|name| name == "memory") => (&["memory"], "memory.oom_control"),
        _ => return,
    };
    for root in roots {
        let root = Path::new(ROOT).join(root);
        files.push(root.join(path.trim_start_matches('/')).join(file));
        files.push(root.join(file));
    }
}

/// The line `oom_kill` of such a file.
fn count(text: &str) -> Option<u64> {
    let value = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        (name == "oom_kill").then(|| value.trim().parse().ok())?
    };
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_in_both_versions_of_cgroups() {
        assert_eq!(count("low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n"), Some(1));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\n"), None);
        assert_eq!(count("oom_kill many\n"), None);
    }

    #[test]
    fn the_file_is_that_of_the_group_or_of_the_root_that_a_container_sees() {
        let check = |groups: &str, expected: &[&str]| {
            let expected: Vec<PathBuf> = expected.iter().map(|file| Path::new(ROOT).join(file)).collect();
            assert_eq!(files(groups), expected);
        };
        let v2 = [
            "system.slice/shop.service/memory.events",
            "memory.events",
            "unified/system.slice/shop.service/memory.events",
            "unified/memory.events",
        ];
        check("0::/system.slice/shop.service\n", &v2);
        let v1 = ["memory/docker/4f/memory.oom_control", "memory/memory.oom_control"];
        check("5:cpu,cpuacct:/docker/4f\n4:memory:/docker/4f\n", &v1);
        check("", &[]);
    }
}
