"""What proofs of restore write to the log."""

from typing import Final

from app.domain.messages import MessageKind

STARTED: Final = MessageKind(
    "proof.started",
    "{name} was started without a network, with {cpus} {cpus:CPU/CPUs} and {memory_mib} MB of memory",
)
NOT_STARTED: Final = MessageKind(
    "proof.not_started", "It cannot be started there, so its disks are read: {detail}"
)
PROVEN: Final = MessageKind("proof.proven", "Proven after {seconds} s: {reason}")
NOT_PROVEN: Final = MessageKind("proof.not_proven", "Not proven after {seconds} s: {reason}")
NO_PICTURE: Final = MessageKind("proof.no_picture", "No picture of the console could be taken: {detail}")
DISK_READ: Final = MessageKind("proof.disk_read", "{disk}: {found}")
LEFT: Final = MessageKind("proof.left", "What the proof has left is taken away later")
"""The reason is in the line before."""
