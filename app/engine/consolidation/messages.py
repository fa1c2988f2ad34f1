"""What the consolidation of a VM's disks writes to the operator's log."""

from app.domain.messages import MessageKind

NOTHING_TO_CONSOLIDATE = MessageKind("consolidation.nothing", "The disks of {vm} need no consolidation")
CONSOLIDATION_BEGUN = MessageKind(
    "consolidation.begun", "Merging what removed snapshots have left on the disks of {vm}; it may run meanwhile"
)
CONSOLIDATION_STOPPED = MessageKind(
    "consolidation.stopped",
    "The platform was asked to stop merging the disks of {vm}; it may go on for a while, and what is merged stays",
)
CONSOLIDATED = MessageKind("consolidation.done", "The disks of {vm} are consolidated")
