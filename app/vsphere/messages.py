"""What the adapter writes into the log of a task: only what its caller cannot determine from the results."""

from app.domain.messages import MessageKind

OTHER_TICKET = MessageKind(
    "vsphere.other_ticket",
    "The platform gives no ticket for all files of the VM ({privilege}: {reason}); one for each disk is used.",
)
CBT_UNSUPPORTED = MessageKind(
    "vsphere.cbt_unsupported", "{vm} does not support changed block tracking: every backup reads the whole disks."
)
CBT_HAS_SNAPSHOTS = MessageKind(
    "vsphere.cbt_has_snapshots",
    "Changed block tracking was not switched, for {vm} has {count} {count:snapshot/snapshots}: "
    "changes would be lost in silence. Remove {count:it/them}, and the next backup switches it.",
)
CBT_NOT_SWITCHED = MessageKind(
    "vsphere.cbt_not_switched", "Changed block tracking of {vm} could not be switched: {reason}"
)
QUIESCE_RETRY = MessageKind(
    "vsphere.quiesce_retry", "Quiescing {vm} failed (attempt {attempt} of {attempts}): {reason}"
)
VM_BUSY = MessageKind(
    "vsphere.vm_busy",
    "{vm} is busy with another task on the platform; its snapshot waits for it, {seconds} s at most",
)
CONFIGURATION_READ = MessageKind("vsphere.configuration_read", "The configuration of {vm} was read: {files}.")
VM_PLACED = MessageKind(
    "vsphere.vm_placed", "The VM {vm} is created on the host {host}, with its files on the datastore {datastore}."
)
