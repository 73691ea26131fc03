//! What a record says, in one line.

use super::record::Record;
use crate::model::report::{Report, ResourceReport};
use crate::model::units::cut_off;
use crate::process::oom::Kills;

/// What became of the life that has left this record, to be read after "the last life".
pub(super) fn of_a_life(record: &Record, boot: Option<&str>, kills: &Kills) -> String {
    let Record { pid, written, ended, is_whole, .. } = record;
    let how = match ended {
        Some(ended) => format!("was ended {ended},"),
        // A SIGKILL leaves no trace, nor does `process::exit`.
        None => "was killed, or exited without a word,".to_owned(),
    };
    let is_same_boot = record.boot.as_deref() == boot;
    let mut parts = vec![standing(record)];
    parts.extend(if is_same_boot { memory(record, kills) } else { None });
    parts.extend((!is_same_boot).then(|| "the machine has been restarted since".to_owned()));
    parts.extend((!is_whole).then(|| "the record is cut short".to_owned()));
    format!("(pid {pid}, last seen {written}) {how} while {}", parts.join("; "))
}

/// The same of this life, while it stops or is being ended.
pub(super) fn of_a_moment(record: &Record) -> String {
    let standing = standing(record);
    match &record.ended {
        Some(ended) => format!("ended {ended}, at {}, while {standing}", record.written),
        None => format!("at {}: {standing}", record.written),
    }
}

/// What has gone wrong in this life, when it ends with this exit code; nothing if that is 0. Names and states only.
pub(super) fn of_an_end(report: &Report, exit_code: u8) -> Option<String> {
    if exit_code == 0 {
        return None;
    }
    let failures = report.failures.iter().map(|failure| {
        let tolerated = if failure.is_tolerated() { " (tolerated)" } else { "" };
        format!("{failure}{tolerated}")
    });
    let cut = |resource: &&ResourceReport| resource.cut > resource.excused;
    let cut = report.resources.iter().filter(cut);
    let cut = cut.map(|it| {
        format!("{}: {}", it.name, cut_off(&it.cut_by_kind, it.excused, &it.aborted_tasks.join(", ")))
    });
    let all: Vec<String> = failures.chain(cut).collect();
    let what = if all.is_empty() { super::record::why(&report.reason) } else { all.join("; ") };
    Some(format!("exit code {exit_code}: {what}"))
}

fn standing(record: &Record) -> String {
    let Record { phase, reason, left, reloading, waiting, working, unlisted, in_flight, outcome, .. } =
        record;
    let mut parts = Vec::new();
    parts.extend((!reloading.is_empty()).then(|| format!("reloading {}", reloading.join(", "))));
    parts.extend((!waiting.is_empty()).then(|| format!("waiting for {}", waiting.join(", "))));
    let also =
        if waiting.is_empty() { format!("{in_flight} in flight") } else { "also in flight".to_owned() };
    parts.extend((!working.is_empty()).then(|| format!("{also}: {}", working.join(", "))));
    parts.extend(
        unlisted.as_ref().map(|count| format!("{count} more resources, {in_flight} in flight in all")),
    );
    parts.extend(left.as_ref().map(|left| format!("{left} left")));
    parts.extend(reason.clone());
    parts.extend(outcome.clone());
    let phase = if phase.is_empty() { "in an unknown phase" } else { phase };
    if parts.is_empty() { phase.to_owned() } else { format!("{phase}: {}", parts.join("; ")) }
}

/// Whether memory ran out. The kernel counts how often it has killed, in each cgroup and on the whole machine.
fn memory(record: &Record, now: &Kills) -> Option<String> {
    if let (Some((file, then)), Some((same_file, now))) = (&record.kills.group, &now.group) {
        if file == same_file && now > then {
            return Some(format!(
                "out of memory: since then, the kernel has killed in its cgroup ({})",
                file.display()
            ));
        }
    }
    let killed = now.machine?.checked_sub(record.kills.machine?).filter(|killed| *killed > 0)?;
    Some(format!(
        "perhaps out of memory: since then, the kernel has killed {killed} process{} on this machine for that",
        if killed == 1 { "" } else { "es" },
    ))
}
