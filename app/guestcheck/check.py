"""Looks at the disks of a VM, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.core.cancel import CancelToken
from app.core.disks import DiskReader
from app.domain.messages import Message
from app.guestcheck import exfat, ext, fat, lvm, ntfs, xfs
from app.guestcheck.partitions import Partition, read_table
from app.guestcheck.volume import Damaged, DiskBytes, Volume
from app.guestcheck.words import PART_DAMAGED, Part


class _System(Protocol):
    """A kind of file system, as each module of this package has it."""

    def find(self, volume: Volume) -> str | None:
        """Return its name where a volume says to be of it."""
        ...

    def check(self, volume: Volume) -> None:
        """Read its structures; raises ``Damaged``."""
        ...


_SYSTEMS: Final[tuple[_System, ...]] = (ntfs, exfat, xfs, lvm, ext, fat)


@dataclass(frozen=True, slots=True)
class Problem:
    """A structure that is not as it has to be."""

    system: str
    part: Part
    offset: int
    """Of the partition, or of the disk."""

    def said(self, disk: str) -> Message:
        """Return it as a message about a disk of a name."""
        return PART_DAMAGED.fill(disk=disk, part=self.part, system=self.system, offset=self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFindings:
    """What was found on one disk."""

    label: str
    table: str = ""
    """Name of its partition table; empty where it has none."""
    systems: tuple[str, ...] = ()
    """Names of the file systems that are in order, in the sequence of their places."""
    problems: tuple[Problem, ...] = ()


def check_disks(disks: Sequence[tuple[str, DiskReader]], cancel: CancelToken) -> tuple[DiskFindings, ...]:
    """Look at disks; what is damaged is in the findings.

    Args:
        disks: label and reader of each.
        cancel: stops it between two partitions.

    Raises:
        OperationalError: a reader could not read.
        TaskCancelled: it was stopped.
    """
    return tuple(_check_disk(label, reader, cancel) for label, reader in disks)


def _check_disk(label: str, reader: DiskReader, cancel: CancelToken) -> DiskFindings:
    disk = DiskBytes(reader)
    whole = Volume(disk, 0, disk.length)
    name, problem = _look(whole)
    if name:
        return DiskFindings(label=label, systems=() if problem else (name,), problems=_listed(problem))
    try:
        table = read_table(disk)
    except Damaged as damaged:
        return DiskFindings(label=label, problems=(Problem("MBR/GPT", damaged.part, 0),))
    if table is None:
        return DiskFindings(label=label)
    systems: list[str] = []
    problems: list[Problem] = []
    for partition in table.partitions:
        cancel.check()
        name, problem = _look(_volume(disk, partition))
        problems += _listed(problem)
        if name and problem is None:
            systems.append(name)
    return DiskFindings(label=label, table=table.system, systems=tuple(systems), problems=tuple(problems))


def _volume(disk: DiskBytes, partition: Partition) -> Volume:
    return Volume(disk, partition.start, partition.length)


def _listed(problem: Problem | None) -> tuple[Problem, ...]:
    return () if problem is None else (problem,)


def _look(volume: Volume) -> tuple[str, Problem | None]:
    """Return the name of the file system in a volume, empty for none, and what is wrong with it."""
    name = ""
    try:
        for system in _SYSTEMS:
            name = system.find(volume) or ""
            if name:
                system.check(volume)
                return name, None
    except Damaged as damaged:
        return name, Problem(name, damaged.part, volume.start)
    return "", None
