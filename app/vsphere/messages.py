"""What the adapter writes into the log of a task."""

from app.domain.messages import MessageKind

CBT_UNSUPPORTED = MessageKind(
    "vsphere.cbt_unsupported", "{vm} does not support changed block tracking: every backup reads the whole disks."
)
CBT_HAS_SNAPSHOTS = MessageKind(
    "vsphere.cbt_has_snapshots",
    "Changed block tracking was not switched on, for {vm} has {count} snapshot(s): changes would be lost in "
    "silence. Remove them, and the next backup switches it on.",
)
CBT_ENABLED = MessageKind("vsphere.cbt_enabled", "Changed block tracking was switched on for {vm}.")
CBT_RESET = MessageKind(
    "vsphere.cbt_reset", "Changed block tracking of {vm} was reset; its next backup is a full one."
)
CBT_NOT_ENABLED = MessageKind(
    "vsphere.cbt_not_enabled", "Changed block tracking could not be switched on for {vm}: {reason}"
)
SNAPSHOT_CREATED = MessageKind(
    "vsphere.snapshot_created", "Snapshot {snapshot} of {vm} was created in {seconds} s."
)
QUIESCE_RETRY = MessageKind(
    "vsphere.quiesce_retry", "Quiescing {vm} failed (attempt {attempt} of {attempts}): {reason}"
)
QUIESCE_GIVEN_UP = MessageKind(
    "vsphere.quiesce_given_up",
    "{vm} could not be quiesced; the snapshot is crash-consistent, as after a power failure. Reason: {reason}",
)
FILE_NOT_SAVED = MessageKind("vsphere.file_not_saved", "{file} of {vm} could not be saved: {reason}")
VM_CREATED = MessageKind("vsphere.vm_created", "The VM {vm} was created on {host}, datastore {datastore}.")
CREATION_WARNING = MessageKind("vsphere.creation_warning", "{detail}")
