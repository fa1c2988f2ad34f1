"""The ways to a platform's disks: their order, and which of them work."""

from dataclasses import dataclass

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.ids import PlatformId, VmId
from app.domain.platforms import Platform
from app.domain.states import TransportMode


class SetTransports(Command[Platform], frozen=True, kw_only=True):
    """Choose the order in which the ways to a platform's disks are tried; those that are not named come last."""

    platform: PlatformId
    transports: tuple[TransportMode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedMode:
    """One way to a disk, as it was tried."""

    mode: TransportMode
    bytes_per_s: int | None = None
    """How fast the beginning of the disk was read; None: it was not."""
    host_words: str = ""
    """What the host said of itself meanwhile, for somebody who knows the protocol."""
    error: ErrorRow | None = None
    """Why the disk cannot be read like that; None: it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedDisk:
    """What came of trying every way to one disk, in the platform's order."""

    vm_name: str
    disk: str
    path: str
    modes: tuple[ProbedMode, ...]


class ProbeTransports(Query[ProbedDisk], frozen=True, kw_only=True):
    """Open one disk in every mode and read its beginning; HotAdd attaches it to the engine's VM for a moment.

    The disk is one of a VM that is switched off, or one that a snapshot of somebody has frozen.
    """

    platform: PlatformId
    vm: VmId | None = None
    """Whose disk; None: the first VM that will do."""
