//! What is said about reloads (§9).

use crate::driver::audience::Ear;
use crate::engine::notice::Notice;
use crate::model::duration::Human;
use crate::model::failure::Failure;

/// Says a notice of a reload. Other notices have no words here.
pub(super) fn say(notice: &Notice, ear: Ear<'_>) {
    match notice {
        Notice::ReloadBegan(reason) => say!(ear, INFO, "reloading: {reason}"),
        Notice::ReloadLater { reason, is_starting: true } => {
            say!(ear, INFO, "{reason}: still starting; reloading once everything is acquired");
        }
        Notice::ReloadLater { reason, is_starting: false } => {
            say!(ear, INFO, "{reason}: a reload is under way; reloading once more after it");
        }
        Notice::ReloadRefused(reason) => {
            say!(ear, INFO, "{reason}: stopping, and so not reloaded");
        }
        Notice::NothingToReload => say!(
            ear,
            WARN,
            "nothing to reload: no resource of this application is declared `#[resource(reload)]`",
        ),
        Notice::Reloaded { name, took } => {
            say!(ear, INFO, "reloaded {name} in {}", Human(*took));
        }
        Notice::ReloadFailed(failure) => say_failure(failure, ear),
        Notice::ReloadedLate(name) => say!(
            ear,
            WARN,
            "the reload of {name} that was cut off has completed in spite of that: what it loaded is in effect",
        ),
        Notice::ReloadDropped(name) => {
            say!(ear, INFO, "stopping: the reload of {name} is dropped");
        }
        Notice::ReloadEnded { reloaded, failed: 0, took } => {
            say!(ear, INFO, "reloaded {} in {}", resources(*reloaded), Human(*took));
        }
        Notice::ReloadEnded { reloaded, failed, took } => {
            say!(ear, WARN, "reloaded {} in {}, and {failed} failed", resources(*reloaded), Human(*took));
        }
        _ => {}
    }
}

fn say_failure(failure: &Failure, ear: Ear<'_>) {
    let cause = failure.cause();
    say!(ear, ERROR, "{failure}: {cause}; it keeps what it had");
}

fn resources(count: usize) -> String {
    format!("{count} resource{}", if count == 1 { "" } else { "s" })
}
