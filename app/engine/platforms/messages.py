"""Log lines about disks that are attached to the VM that the program runs in."""

from app.domain.messages import MessageKind

DISK_ATTACHED = MessageKind(
    "attached.attached",
    "{path} is attached to {machine}, the machine that this program runs on, as SCSI({bus}:{unit})",
)
DISK_DETACHED = MessageKind("attached.detached", "{path} is detached from {machine}")
DETACHING_AGAIN = MessageKind("attached.again", "{path} could not be detached yet ({detail}); trying again")
ATTACHMENT_LEFT = MessageKind(
    "attached.left",
    "{path} may still be attached to the machine that this program runs on. {detail} It is looked for at the next "
    "run or start of the program",
)
LEFT_DETACHED = MessageKind(
    "attached.left_detached", "A disk that was left attached to {machine} is detached: {path}"
)
