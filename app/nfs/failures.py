"""What keeps the server from serving, for the operator."""

from typing import Final

from app.core.nfs3 import Status
from app.domain.errors import OperationalError
from app.domain.messages import UNKNOWN, MessageKind
from app.domain.reasons import DISK_FULL, reason_of
from app.nfs.errors import NfsError
from app.nfs.overlay.errors import OverlayDamaged, OverlayFull, OverlayInUse, OverlayMismatch


class NfsPortUnavailable(OperationalError):
    """A port of the server is taken, or may not be had."""

    code = "nfs.port_unavailable"
    message_template = "The NFS server cannot listen on {address}, port {port}: {detail}."
    hint_template = (
        "Ports 2049 and 111 must be free for it: end other NFS servers on this machine, such as Windows' "
        "Server for NFS. On Linux, ports below 1024 need the service that the package installs."
    )


class PortMapperRefused(OperationalError):
    """The port mapper of this machine does not take our programs."""

    code = "nfs.port_mapper_refused"
    message_template = (
        "Another port mapper has port 111 on this machine, and does not take the NFS server: {detail}."
    )
    hint_template = "End it, or run the engine as the service that the package installs, which may register there."


class WritesUnusable(OperationalError):
    """What a VM wrote cannot be opened."""

    code = "nfs.writes_unusable"
    message_template = "What the VM wrote cannot be used: {detail}."
    hint_template = (
        "Nothing of it was changed. Make the standby machine usable again; if it was damaged there, start an "
        "instant recovery anew from the restore point."
    )
    retryable = True


class StandbyAwayUnderVm(OperationalError):
    """The standby refuses what a VM that runs reads or writes."""

    code = "nfs.standby_away"
    message_template = "The standby machine is away under the VM: {detail}."
    hint_template = (
        "Make the same disk or share usable again under its path. Until then the VM waits; nothing of what it "
        "wrote is lost, and it goes on by itself."
    )
    retryable = True


class StandbyFullUnderVm(OperationalError):
    """The standby has no space for what a VM writes that runs."""

    code = "nfs.standby_full"
    message_template = "The standby machine has no space for what the VM writes."
    hint_template = (
        "Make room at the standby machine, or move the VM to a datastore. Nothing of what it wrote is lost; where "
        "the platform asks about the full disk, answer with Retry afterwards."
    )
    retryable = True


class WritesElsewhere(OperationalError):
    """Something else is at the path where what a VM wrote was kept."""

    code = "nfs.writes_elsewhere"
    message_template = (
        "What the VM wrote is not at {path}: another folder or an older copy of it is there, or none."
    )
    hint_template = (
        "Mount the disk or share with what the VM wrote under its path again: the VM goes on by itself. To go on "
        "with what is there instead, stop the instant recovery, keep what it wrote, and start it again."
    )
    retryable = True


NO_ANSWER: Final = MessageKind("nfs.no_answer", "it does not answer")
_DAMAGED: Final = MessageKind("nfs.writes_damaged", "{path} is not what was stored there")
_IN_USE: Final = MessageKind("nfs.writes_in_use", "another process has it open")
_PLACE_TAKEN: Final = MessageKind("nfs.place_taken", "a host has put something else in its place")


def failure_of(error: Exception) -> OperationalError:
    """Return why an export cannot be served, in words."""
    if isinstance(error, OperationalError):
        return error
    if isinstance(error, OSError):
        return WritesUnusable(detail=reason_of(error))
    if isinstance(error, OverlayFull):
        return WritesUnusable(detail=DISK_FULL)
    if isinstance(error, OverlayInUse):
        return WritesUnusable(detail=_IN_USE)
    if isinstance(error, OverlayDamaged | OverlayMismatch):
        return WritesUnusable(detail=_DAMAGED.fill(path=str(error.path), details=str(error)))
    if isinstance(error, NfsError):
        return WritesUnusable(
            detail=_PLACE_TAKEN if error.status is Status.EXIST else UNKNOWN.fill(details=str(error))
        )
    if isinstance(error.__cause__, OSError):
        return WritesUnusable(detail=reason_of(error.__cause__))
    return WritesUnusable(detail=UNKNOWN.fill(details=str(error)))
