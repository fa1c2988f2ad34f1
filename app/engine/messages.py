"""What the engine writes to the operator's log."""

from collections.abc import Iterable, Mapping

from app.domain.messages import MessageKind, Params, sentence_if_possible

# --- any task --------------------------------------------------------------------------------------------------

TASK_STARTED = MessageKind("task.started", "Started: {what} of {vm}")
TASK_COMPLETED = MessageKind("task.completed", "Completed in {seconds} s")
TASK_STOPPED = MessageKind("task.stopped", "Stopped by the operator")
TASK_FAILED = MessageKind("task.failed", "Failed ({code}): {message} {hint}")
PLATFORM_AWAY = MessageKind(
    "platform.away", "{address} cannot be reached ({detail}); waiting for it for up to {seconds} s"
)
PLATFORM_BACK = MessageKind("platform.back", "{address} answers again after {seconds} s")
RETRY_PLANNED = MessageKind("retry.planned", "It is tried again at {at} by itself: try {number} of {times}")
RETRY_USELESS = MessageKind(
    "retry.useless", "It is not tried again by itself: the cause stays until something is changed"
)
RETRY_USED_UP = MessageKind("retry.used_up", "It is not tried again by itself: all tries are used up")
RETRY_PLANNED_RUN_FIRST = MessageKind(
    "retry.planned_run_first", "It is not tried again by itself before the next run by plan at {at}"
)
RETRY_BEGUN = MessageKind("retry.begun", "{vm} is tried again: try {number} of {times}")
RETRY_DROPPED = MessageKind("retry.dropped", "No further tries by themselves: {vms}")
RETRY_CHANGED = MessageKind(
    "retry.changed", "Failed backups are tried again {times} {times:time/times}, {minutes} min apart"
)
TASK_INTERRUPTED = MessageKind("task.interrupted", "The program ended while the task was running")

# --- backup: preparing -----------------------------------------------------------------------------------------

DISK_LEFT_OUT = MessageKind("backup.disk_left_out", "{disk} is left out of the backup: {reason}")
SNAPSHOT_DOUBTFUL = MessageKind("backup.snapshot_doubtful", "The platform may refuse the snapshot: {reason}")
DISKS_NEED_CONSOLIDATION = MessageKind(
    "backup.disks_need_consolidation",
    "The disks of {vm} need consolidation already before the backup: files of removed snapshots are left. Examine "
    "the platform to consolidate them, or use the platform's own tools",
)
TRACKING_UNSUPPORTED = MessageKind(
    "backup.tracking_unsupported", "The VM does not support changed block tracking: every disk is read whole"
)
TRACKING_SWITCHED_ON = MessageKind("backup.tracking_switched_on", "Changed block tracking was switched on")
TRACKING_NOT_ON = MessageKind(
    "backup.tracking_not_on", "Changed block tracking is off and stays off: every disk is read whole"
)
TRACKING_NOT_WANTED = MessageKind(
    "backup.tracking_not_wanted", "Quick backup is switched off for this rule: every disk is read whole"
)
QUIESCE_NEEDS_RUNNING_VM = MessageKind(
    "backup.quiesce_needs_running_vm", "The VM does not run: a quiesced snapshot is not needed"
)
QUIESCE_GIVEN_UP = MessageKind(
    "backup.quiesce_given_up", "The guest could not be quiesced ({detail}): the point is crash-consistent"
)
TEMPLATE_READ = MessageKind(
    "backup.template_read",
    "It is a template: its disks are read without a snapshot. Change tracking needs snapshots, so every backup "
    "reads all that holds data; what the repository has already is not stored again",
)
CONFIGURATION_SAVED = MessageKind("backup.configuration_saved", "VM configuration saved: {files}")
CONFIGURATION_INCOMPLETE = MessageKind(
    "backup.configuration_incomplete", "Not saved of the configuration: {missing}"
)

VM_FOLLOWED = MessageKind(
    "backup.vm_followed",
    "{name} was registered again: its id {old} is now {new}. Its instance UUID is the same and no other VM has it",
)
VM_UNSURE = MessageKind(
    "backup.vm_unsure",
    "{name} has the id {vm} of the VM in the rule, but not all that it was known by: it is backed up as that VM",
)

# --- backup: what to read --------------------------------------------------------------------------------------

FIRST_IS_FULL = MessageKind("plan.first_is_full", "This is the first restore point of the VM: it is a full one")
NO_FULL_FOR_DIFFERENTIAL = MessageKind(
    "plan.no_full_for_differential", "There is no full restore point to differ from: this one becomes full"
)
ALL_DISKS_WHOLE = MessageKind(
    "plan.all_disks_whole", "No disk could be read by its changes: this restore point becomes a full one"
)
PARENT_CHOSEN = MessageKind("plan.parent_chosen", "Parent of this restore point: {parent}")
WHOLE_NOT_TRACKED = MessageKind("plan.whole_not_tracked", "{disk} is read whole: it is not tracked")
WHOLE_PARENT_LACKS_DISK = MessageKind(
    "plan.whole_parent_lacks_disk", "{disk} is read whole: the parent point does not hold it"
)
WHOLE_PARENT_NOT_TRACKED = MessageKind(
    "plan.whole_parent_not_tracked", "{disk} is read whole: the parent point has no change id of it"
)
WHOLE_CHAIN_BROKEN = MessageKind(
    "plan.whole_chain_broken", "{disk} is read whole: its tracking chain was started again since the parent point"
)
WHOLE_OTHER_DISK = MessageKind(
    "plan.whole_other_disk",
    "{disk} is read whole: it is another disk now (UUID {now}, in the parent point {then})",
)
WHOLE_RESIZED = MessageKind(
    "plan.whole_resized", "{disk} is read whole: its capacity changed from {then:size} to {now:size}"
)
WHOLE_TRACKING_RESET = MessageKind(
    "plan.whole_tracking_reset", "{disk} is read whole: tracking was started again since the parent point"
)
WHOLE_WENT_BACK = MessageKind(
    "plan.whole_went_back", "{disk} is read whole: the VM was reverted to a snapshot since the parent point"
)
WHOLE_TIME_UNKNOWN = MessageKind(
    "plan.whole_time_unknown",
    "{disk} is read whole: the parent point does not say where the platform's history was, so it is not certain "
    "whether the VM was reverted to a snapshot since then",
)
HISTORY_NOT_MARKED = MessageKind(
    "backup.history_not_marked",
    "The present position in the platform's history is not known: the next backup reads the disks whole. {detail}",
)
REVERTS_UNKNOWN = MessageKind(
    "plan.reverts_unknown",
    "It is not certain whether the VM was reverted to a snapshot since the parent point; the changes are "
    "those that change tracking reports. {detail}",
)
WHOLE_CHANGES_LOST = MessageKind("plan.whole_changes_lost", "{disk} is read whole: {detail}")
WHOLE_TRACKING_LIED = MessageKind(
    "plan.whole_tracking_lied", "{disk} is read whole: the audit caught change tracking leaving out a change"
)
WHOLE_PARENT_DAMAGED = MessageKind(
    "plan.whole_parent_damaged", "{disk} is read whole: the parent point cannot be used: {detail}"
)
LOST_READ_AGAIN = MessageKind(
    "backup.lost_read_again",
    "{disk}: {bytes:size} that the repository has lost are read again from the source",
)
CHANGES_FOUND = MessageKind("backup.changes_found", "{disk}: {bytes:size} changed since {parent}")
ALLOCATED_FOUND = MessageKind(
    "backup.allocated_found", "{disk}: {bytes:size} of {capacity:size} hold data ({source})"
)
EVERYTHING_IS_READ = MessageKind(
    "backup.everything_is_read", "{disk}: it is not known which parts hold data: all {capacity:size} are read"
)

# --- backup: audit ---------------------------------------------------------------------------------------------

AUDIT_PASSED = MessageKind(
    "audit.passed",
    "{disk}: {blocks} {blocks:block that was/blocks that were} reported unchanged {blocks:was/were} "
    "read and {blocks:is/are} unchanged",
)
AUDIT_FOUND_LIE = MessageKind(
    "audit.found_lie",
    "{disk}: changed block tracking left out a change at byte {offset}: the disk is read whole and its tracking "
    "chain is started again. Tell the platform's administrator: earlier points since {parent} may lack changes",
)
TRACKING_RESET = MessageKind("audit.tracking_reset", "Changed block tracking of the VM was reset")
TRACKING_RESET_FAILED = MessageKind(
    "audit.tracking_reset_failed", "Changed block tracking of the VM could not be reset: {detail}"
)

# --- backup: running -------------------------------------------------------------------------------------------

DISK_DONE = MessageKind(
    "backup.disk_done", "{disk}: read {read_bytes:size} over {mode}, stored {stored_bytes:size} that are new"
)
PACKED_HARDER = MessageKind(
    "backup.packed_harder",
    "{disk}: {percent} % was packed harder (zstd level {levels}), for the source was slower than packing",
)
DISK_MOVED = MessageKind(
    "backup.disk_moved", "The platform has moved {old} to {new} meanwhile: the task goes on there"
)
SNAPSHOT_NOT_CHECKED = MessageKind(
    "backup.snapshot_not_checked",
    "Whether the snapshot was there until the last byte was read could not be asked: {detail}",
)
WRITING_AGAIN = MessageKind("backup.writing_again", "The restore point is begun again with the new plan")
POINT_COMMITTED = MessageKind("backup.point_committed", "Restore point {point} is complete")
POINT_NOT_LISTED = MessageKind(
    "backup.point_not_listed", "The restore point is complete, but the catalog could not note it: {detail}"
)

# --- snapshots -------------------------------------------------------------------------------------------------

SNAPSHOT_CREATED = MessageKind("snapshot.created", "Snapshot {snapshot} created")
SNAPSHOT_REMOVED = MessageKind("snapshot.removed", "Snapshot {snapshot} removed")
SNAPSHOT_REMOVAL_AGAIN = MessageKind(
    "snapshot.removal_again", "Snapshot {snapshot} could not be removed yet ({detail}); trying again"
)
REMOVAL_GOES_ON = MessageKind(
    "snapshot.removal_goes_on", "The platform has been removing the snapshot since {since} UTC and is not done yet"
)
REMOVAL_GOES_ON_AT = MessageKind(
    "snapshot.removal_goes_on_at",
    "The platform has been removing the snapshot since {since} UTC: {percent} % are done",
)
REMOVAL_LEFT = MessageKind(
    "snapshot.removal_left",
    "The task was stopped while the platform removes snapshot {snapshot}: the removal goes on there. "
    "Whether it succeeded is looked at before the next run and at the next start of the program",
)
SNAPSHOT_LEFT = MessageKind(
    "snapshot.left",
    "Snapshot {snapshot} is not removed completely: {detail}. "
    "It is looked for again before the next run and at the next start of the program",
)
SNAPSHOT_UNSURE = MessageKind(
    "snapshot.unsure",
    "It is not certain now whether a snapshot is left on the VM: {detail}. It is looked for later",
)
ORPHAN_REMOVAL_RUNS = MessageKind(
    "snapshot.orphan_removal_runs",
    "The platform is removing a left-over snapshot of ours ({name}), which takes a while; it is looked at later",
)
WAITING_FOR_REMOVAL = MessageKind(
    "snapshot.waiting_for_removal",
    "The removal of an earlier snapshot of ours may still run on the VM: it is waited for",
)
ORPHAN_REMOVED = MessageKind("snapshot.orphan_removed", "A left-over snapshot of ours was removed: {name}")
ORPHAN_LEFT = MessageKind(
    "snapshot.orphan_left", "A left-over snapshot of ours could not be removed: {name}: {detail}"
)
ORPHAN_UNKNOWN = MessageKind(
    "snapshot.orphan_unknown",
    "The snapshot {name} has our prefix but belongs to a task not known here (another console?): left alone",
)

# --- restore ---------------------------------------------------------------------------------------------------

READ_WITHOUT_LEASE = MessageKind(
    "point.read_without_lease",
    "The restore point is read without a claim on its repository, because nothing can be written there. Do not "
    "run garbage collection on it from another console meanwhile. {detail}",
)
RESTORE_POINT_CHOSEN = MessageKind("restore.point_chosen", "Restoring {point} of {vm}")
ORIGINAL_GONE = MessageKind("restore.original_gone", "The original VM is not there any more: it is created again")
ORIGINAL_FOUND = MessageKind("restore.original_found", "The original VM is {name} ({vm})")
ORIGINAL_MOVED = MessageKind(
    "restore.original_moved",
    "The original VM {name} was registered again: its id {old} is now {new}. Its UUID is the same and no other VM "
    "has it",
)
ORIGINAL_CONFIRMED = MessageKind(
    "restore.original_confirmed", "{name} ({vm}) was confirmed by the operator as the VM to be replaced"
)
VM_CREATED = MessageKind("restore.vm_created", "VM {name} created")
VM_NOT_AS_IT_WAS = MessageKind("restore.vm_not_as_it_was", "{detail}")
DISK_RESTORED = MessageKind("restore.disk_restored", "{disk}: {bytes:size} written over {mode}")
DISK_PROVEN = MessageKind("restore.disk_proven", "{disk}: {bytes:size} read back over {mode}, all as in the point")
ORIGINAL_POWERED_OFF = MessageKind("restore.original_powered_off", "The original VM was powered off")
ORIGINAL_KEPT_AS = MessageKind("restore.original_kept_as", "The original VM is kept as {name} for the moment")
ORIGINAL_REMOVED = MessageKind("restore.original_removed", "The original VM was removed; {name} took its place")
IDENTITY_KEPT = MessageKind(
    "restore.identity_kept", "{name} has the UUIDs and network addresses of the restore point"
)
IDENTITY_NOT_KEPT = MessageKind(
    "restore.identity_not_kept", "{name} could not be given all that the original was known by: {detail}"
)
ORDER_KEPT = MessageKind("restore.order_kept", "{name} is started and stopped in its vApp when the original was")
ORDER_NOT_KEPT = MessageKind(
    "restore.order_not_kept",
    "{name} has another place in the order of its vApp than the original had: {detail}",
)
ORIGINAL_NOT_REMOVED = MessageKind(
    "restore.original_not_removed", "The original VM is still there as {name}: {detail}. Delete it by hand"
)
ORIGINAL_LEFT_OFF = MessageKind(
    "restore.original_left_off",
    "The original VM {name} was powered off and is off still: {detail}. Power it on by hand",
)
MARKED_AS_TEMPLATE = MessageKind("restore.marked_as_template", "{name} is a template again")
NOT_MARKED_AS_TEMPLATE = MessageKind(
    "restore.not_marked_as_template",
    "{name} is restored as a VM: it could not be made a template, as it was before: {detail}",
)
TEMPLATES_UNKNOWN = MessageKind(
    "restore.templates_unknown", "{name} was a template; it is restored as a VM, for the platform has no templates"
)
TEMPLATE_STAYS_OFF = MessageKind("restore.template_stays_off", "{name} is a template: it is not powered on")
POWERED_ON = MessageKind("restore.powered_on", "{name} was powered on")
NOT_POWERED_ON = MessageKind("restore.not_powered_on", "{name} is restored, but could not be powered on: {detail}")
LEFT_VM_REMOVED = MessageKind("restore.left_vm_removed", "The unfinished VM {name} was removed")
LEFT_VM_UNSURE = MessageKind(
    "restore.left_vm_unsure",
    "The program ended while {name} was being created: look whether an empty VM of that name is left",
)
LEFT_VM_NOT_REMOVED = MessageKind(
    "restore.left_vm_not_removed",
    "The unfinished VM {name} could not be removed: {detail}. It is tried again later",
)
SWAP_FINISHED = MessageKind(
    "restore.swap_finished",
    "The restored VM had been verified: it now bears the name {name}; the original is kept as {kept}",
)

# --- verify ----------------------------------------------------------------------------------------------------

POINT_WHOLE = MessageKind(
    "verify.point_whole", "{chunks} {chunks:chunk/chunks}, {bytes:size}: everything is as it was stored"
)
POINT_DAMAGE = MessageKind("verify.damage", "Damage in {what} ({kind}): {detail}; {place}")


# --- rules -----------------------------------------------------------------------------------------------------

RULE_CREATED = MessageKind("rule.created", "Rule created with {vms} {vms:VM/VMs}")
RULE_DELETED = MessageKind("rule.deleted", "Rule deleted; its data stays at the standby")
RULE_DELETED_WITH_DATA = MessageKind(
    "rule.deleted_with_data", "Rule deleted; {points} restore {points:point/points} went to the trash"
)
RULE_POLICY_CHANGED = MessageKind("rule.policy_changed", "The policy was changed")
RULE_PROOF_CHANGED = MessageKind("rule.proof_changed", "The settings of proofs of restore were changed")
RULE_VMS_ADDED = MessageKind("rule.vms_added", "Added to the rule: {vms}")
RULE_VMS_REMOVED = MessageKind("rule.vms_removed", "Taken out of the rule: {vms}")
RULE_VM_DATA_DELETED = MessageKind(
    "rule.vm_data_deleted", "{points} restore {points:point/points} of {vm} {points:was/were} deleted"
)
RULE_STARTED = MessageKind("rule.started", "Started: {vms}")
RULE_STOPPED = MessageKind("rule.stopped", "Asked to stop: {vms}")
RULE_RUN_NOW = MessageKind("rule.run_now", "Run now ({kind}): {vms}")
RULE_RUN_DUE = MessageKind("rule.run_due", "The run planned for {at} ({kind}) begins: {vms}")
RULE_RUN_SKIPPED = MessageKind(
    "rule.run_skipped", "The run planned for {at} is skipped for {vm}: its previous run has not ended"
)
RULE_RUN_MISSED = MessageKind(
    "rule.run_missed",
    "{count} {count:run/runs} since {since} {count:was/were} missed while the program or the machine was off",
)
RULE_RUN_MADE_UP = MessageKind(
    "rule.run_made_up",
    "{count} {count:run/runs} since {since} {count:was missed and is/were missed and are} made up for "
    "by one ({kind}): {vms}",
)
RULE_RUN_NOT_QUEUED = MessageKind("rule.run_not_queued", "The run for {vm} could not be queued: {detail}")
RULE_CLOCK_WENT_BACK = MessageKind(
    "rule.clock_went_back", "The clock of this machine went back from {since}: runs are planned from now on"
)
RULE_VM_FOLLOWED = MessageKind(
    "rule.vm_followed",
    "{name} was restored in the place of its original and has a new id ({new}): the rule goes on with it",
)
RULE_VM_MOVED = MessageKind(
    "rule.vm_moved",
    "{name} was registered again and has a new id ({new}, before: {old}): the rule goes on with it",
)
GROUP_RESTORE_BEGUN = MessageKind("rule.group_restore", "Group restore of {vms}")

# --- retention -------------------------------------------------------------------------------------------------

POINT_EXPIRED = MessageKind("retention.point_expired", "Restore point {point} has expired and was removed")
POINT_IN_USE = MessageKind(
    "retention.point_in_use", "Restore point {point} has expired, but a task uses it: it goes later"
)
POINT_PINNED = MessageKind("retention.point_pinned", "A restore point has expired, but goes later. {detail}")
RETENTION_WAITS = MessageKind(
    "retention.waits_for_clock",
    "{count} expired restore {count:point stays/points stay} for now: the clock of this machine is "
    "doubted. See the overview.",
)
RETENTION_POINT_AHEAD = MessageKind(
    "retention.point_ahead",
    "{count} expired restore {count:point stays/points stay} until the next run: the restore point "
    "{point} before this one is dated in the future.",
)
TRASH_WAITS = MessageKind(
    "upkeep.trash_waits",
    "Deleted restore points stay in the trash for now: the clock of this machine is doubted. See the overview.",
)
RETENTION_FAILED = MessageKind("retention.failed", "Expired restore points could not be removed: {detail}")

# --- standby machines and platforms ------------------------------------------------------------------------------

STANDBY_LOST = MessageKind("standby.lost", "The standby machine cannot be used: {detail}")
STANDBY_BACK = MessageKind("standby.back", "The standby machine can be used again")
VDDK_CHOSEN = MessageKind("engine.vddk_chosen", "VDDK {version} in {folder} is used from now on")
VDDK_GIVEN_UP = MessageKind("engine.vddk_given_up", "VDDK is not used any more")
LIMITS_CHANGED = MessageKind(
    "engine.limits_changed", "Now {tasks} {tasks:task runs/tasks run} at once, with {buffer_mb} MB of buffer each"
)

STANDBY_SPACE_UNKNOWN = MessageKind(
    "standby.space_unknown",
    "The standby does not report how much space is free; the backup runs without checking that there is enough",
)

# --- maintenance -----------------------------------------------------------------------------------------------

SWEPT = MessageKind("upkeep.swept", "Garbage collection freed {bytes:size}; {free:size} are free at the standby")
SWEPT_SPACE_UNKNOWN = MessageKind(
    "upkeep.swept_space_unknown",
    "Garbage collection freed {bytes:size}; the standby does not report how much is free",
)
LEFTOVER = MessageKind(
    "upkeep.leftover",
    "{path} is not needed any more but cannot be deleted ({detail}). Backups go on; delete it by hand when "
    "nothing uses it",
)
PACKS_NOT_SET_ASIDE = MessageKind(
    "upkeep.packs_not_set_aside",
    "Damaged packs could not be set aside now, the next verification tries again: {detail}",
)
PACK_SET_ASIDE = MessageKind(
    "upkeep.pack_set_aside", "The pack {pack} holds damaged records: it was set aside, its whole records were kept"
)

STANDBY_CLOSED = MessageKind(
    "standby.closed",
    "Other users of the machine have no rights there any more; {count} {count:file or folder/files "
    "and folders} changed",
)
STANDBY_CLOSED_PARTLY = MessageKind(
    "standby.closed_partly",
    "{count} {count:file or folder was/files and folders were} closed to other users; the others are as they were",
)
NOT_CLOSED = MessageKind("standby.entry_not_closed", "{path} could not be closed to other users: {detail}")
LINKED_NOT_CLOSED = MessageKind(
    "standby.linked_not_closed",
    "{path} has further names (hard links), perhaps outside of the repository, and was left as it is",
)


class MessageCatalogue:
    """Turns stored codes and parameters into English sentences. Thread: any."""

    def __init__(self, kinds: Iterable[MessageKind]) -> None:
        self._templates: Mapping[str, str] = {kind.code: kind.template for kind in kinds}

    @property
    def templates(self) -> Mapping[str, str]:
        """The English templates by code."""
        return self._templates

    def template(self, code: str) -> str | None:
        """Return the English template of a code, or None when it is not known here."""
        return self._templates.get(code)

    def text(self, code: str, params: Params) -> str:
        """Return the sentence; a code of a newer or older version is shown as it is, with its parameters."""
        template = self._templates.get(code)
        if template is None:
            template = " ".join([code, *(f"{name}={{{name}}}" for name, _ in params)])
        return sentence_if_possible(template, params)
