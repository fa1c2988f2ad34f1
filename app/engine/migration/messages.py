"""What migrations write to the log."""

from typing import Final

from app.domain.messages import MessageKind

BEGINS: Final = MessageKind("migration.begins", "{vm} is migrated to {platform} as {name}")
GOES_ON: Final = MessageKind("migration.goes_on", "The migration goes on with what was copied before")
TARGET_CREATED: Final = MessageKind(
    "migration.target_created", "The target VM was created; it is called {name} for now"
)
NOT_AS_SOURCE: Final = MessageKind("migration.not_as_source", "The target is not as the source: {detail}")
SNAPSHOTS_STAY: Final = MessageKind(
    "migration.snapshots_stay", "{vm} has {count} {count:snapshot/snapshots}, which the target will not have"
)
WHOLE_NOT_TRACKED: Final = MessageKind(
    "migration.whole_not_tracked", "{disk} is compared as a whole: what changes on it is not tracked"
)
WHOLE_RESET: Final = MessageKind(
    "migration.whole_reset",
    "{disk} is compared as a whole: change tracking began anew, or another disk took its place",
)
WHOLE_WENT_BACK: Final = MessageKind(
    "migration.whole_went_back", "{disk} is compared as a whole: the VM went back to an earlier snapshot"
)
WHOLE_LOST: Final = MessageKind("migration.whole_lost", "{disk} is compared as a whole: {detail}")
PASS_DONE: Final = MessageKind(
    "migration.pass_done", "Pass {number} is done: {bytes:size} were read from the source in {seconds} s"
)
DISK_COPIED: Final = MessageKind("migration.disk_copied", "{disk}: {bytes:size} written to the target over {mode}")
DISK_COMPARED: Final = MessageKind(
    "migration.disk_compared", "{disk}: {bytes:size} compared with the source, all the same"
)
TRACKING_LEFT_OUT: Final = MessageKind(
    "migration.tracking_left_out", "{disk}: change tracking had left out {bytes:size}, which were copied now"
)
READY: Final = MessageKind("migration.ready", "The rest is small: {vm} is ready for the cut-over")
READY_ALL_THE_SAME: Final = MessageKind(
    "migration.ready_all_the_same",
    "{vm} writes as fast as can be copied: the rest does not become smaller, and the cut-over will take longer",
)
READY_UNTRACKED: Final = MessageKind(
    "migration.ready_untracked",
    "{vm} is ready for the cut-over, in which everything is compared: what changes is not tracked",
)
CUT_OVER_BEGINS: Final = MessageKind("migration.cut_over_begins", "The cut-over of {vm} begins")
SOURCE_RUNS_ON: Final = MessageKind(
    "migration.source_runs_on", "{vm} runs and is left alone: the target gets what it holds now"
)
GUEST_ASKED: Final = MessageKind("migration.guest_asked", "The system in {vm} was asked to shut down")
GUEST_NOT_ASKED: Final = MessageKind(
    "migration.guest_not_asked", "The system in {vm} cannot be asked to shut down: the VM is powered off"
)
GUEST_REFUSED: Final = MessageKind("migration.guest_refused", "The platform did not ask the guest: {detail}")
GUEST_TOO_SLOW: Final = MessageKind(
    "migration.guest_too_slow", "The system in {vm} has not shut down after {seconds} s: the VM is powered off"
)
SOURCE_OFF: Final = MessageKind("migration.source_off", "{vm} is powered off")
SOURCE_KEPT_AS: Final = MessageKind("migration.source_kept_as", "The source stays, powered off, as {name}")
COPY_STAYS_OFF: Final = MessageKind(
    "migration.copy_stays_off",
    "{name} is complete and stays powered off: {vm} runs, and both have the same network addresses",
)
IDENTITY_MOVED: Final = MessageKind(
    "migration.identity_moved", "{name} has the UUIDs and network addresses of the source"
)
IDENTITY_NOT_MOVED: Final = MessageKind(
    "migration.identity_not_moved", "{name} does not have all UUIDs and network addresses of the source: {detail}"
)
STARTED: Final = MessageKind("migration.started", "{name} was powered on")
START_PROVEN: Final = MessageKind("migration.start_proven", "The system in {name} runs")
HARDWARE_CHANGED: Final = MessageKind(
    "migration.hardware_changed",
    "The hardware of {vm} was changed since the target was created; the target has what it had",
)
DONE: Final = MessageKind("migration.done", "{vm} is {name} on {platform} now")
RULE_STAYS: Final = MessageKind(
    "migration.rule_stays",
    "The rule {rule} still backs up the source, which stays as {name}: take it out of the rule, and add {vm} to a "
    "rule of {platform}",
)
SOURCE_STARTED_AGAIN: Final = MessageKind("migration.source_started_again", "{vm} was powered on again")
SOURCE_NAMED_AGAIN: Final = MessageKind("migration.source_named_again", "The source has its name again: {vm}")
UNDONE: Final = MessageKind(
    "migration.undone", "The cut-over was undone: {vm} is what it was, and what was copied is kept"
)
UNDONE_LATER: Final = MessageKind(
    "migration.undone_later",
    "The cut-over of {vm} could not be undone yet, and is tried again by itself: {detail}",
)
TARGET_RUNS: Final = MessageKind(
    "migration.target_runs", "The program ended during the cut-over of {vm}; {name} runs, so the cut-over stands"
)
TARGET_REMOVED: Final = MessageKind("migration.target_removed", "The unfinished target VM {name} was deleted")
TARGET_GONE: Final = MessageKind("migration.target_gone_already", "The target VM {name} was not there any more")
