"""What the doctor can find about the ways to a platform's disks, and about the names of its hosts."""

from typing import ClassVar

from app.contract.doctor import Severity
from app.engine.doctor.kinds import FindingKind


class WayOpen(FindingKind):
    """A disk was read in a mode."""

    code: ClassVar[str] = "doctor.way_open"
    message_template = "{mode} works: {vm} was read at {bytes_per_s:size}/s"


class WayClosed(FindingKind):
    """A disk cannot be read in a mode; others may do."""

    code: ClassVar[str] = "doctor.way_closed"
    severity = Severity.NOTICE
    message_template = "{detail}"
    hint_template = "Nothing has to be done as long as another transport mode works that fits."


class NoWayOpen(FindingKind):
    """A disk can be read in no mode that needs nothing but the network."""

    code: ClassVar[str] = "doctor.no_way_open"
    severity = Severity.ERROR
    message_template = "No transport mode that uses the network reads the disks of {vm}"
    hint_template = (
        "The findings about each mode say why. Open port 902 from this machine to the ESXi hosts first."
    )


class NoStillDisk(FindingKind):
    """There is no disk to try the ways on."""

    code: ClassVar[str] = "doctor.no_still_disk"
    severity = Severity.NOTICE
    message_template = "No transport mode was tried: no VM is switched off, and none has a snapshot"
    hint_template = "Switch a VM off or take a snapshot of one, and examine the platform again."


class NameUnresolved(FindingKind):
    """The name of a host cannot be resolved."""

    code: ClassVar[str] = "doctor.name_unresolved"
    severity = Severity.WARNING
    message_template = "The name {host} cannot be resolved on this machine: {detail}."
    hint_template = "Enter the host's name in the name server that this machine uses."
