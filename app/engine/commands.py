"""Commands: what the engine can be told to do. Imperative, frozen, serializable by msgspec.

``R`` is what :meth:`app.engine.api.Engine.execute` returns for the command.
"""

from typing import Generic, TypeVar

import msgspec

from app.domain.ids import PlatformId, PointId, StandbyId, TaskId, VmId
from app.domain.platforms import Platform
from app.domain.standbys import Standby
from app.domain.states import BackupKind, TransportMode
from app.domain.vms import VmPlacement
from app.engine.options import ChangeTracking

R = TypeVar("R")


class Command(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag=True):
    """Base of all commands."""


class RegisterPlatform(Command[Platform], frozen=True, kw_only=True):
    """Log in to a platform, and remember it when that worked; the password goes to the secret store."""

    name: str
    address: str
    user: str
    password: str
    port: int = 443
    thumbprint_sha256: str | None = None
    """The certificate that the operator confirmed; None trusts the public CAs."""

    def __repr__(self) -> str:
        return f"RegisterPlatform(name={self.name!r}, address={self.address!r}, user={self.user!r}, password=…)"


class UpdatePlatform(Command[Platform], frozen=True, kw_only=True):
    """Change a platform's name, account or confirmed certificate, after a login with them worked."""

    platform: PlatformId
    name: str
    user: str
    password: str | None = None
    """None keeps the password that is known."""
    thumbprint_sha256: str | None = None

    def __repr__(self) -> str:
        return f"UpdatePlatform(platform={self.platform!r}, name={self.name!r}, user={self.user!r}, password=…)"


class RemovePlatform(Command[None], frozen=True, kw_only=True):
    """Forget a platform and its password. Restore points stay."""

    platform: PlatformId


class RegisterStandby(Command[Standby], frozen=True, kw_only=True):
    """Open the repository at a path, or create it, and remember the standby; its points are listed at once."""

    name: str
    target_path: str


class RemoveStandby(Command[None], frozen=True, kw_only=True):
    """Forget a standby. Its data stays where it is."""

    standby: StandbyId


class RefreshPoints(Command[int], frozen=True, kw_only=True):
    """Read the list of a standby's restore points from its repository again; return how many there are."""

    standby: StandbyId


class DeletePoint(Command[None], frozen=True, kw_only=True):
    """Move a restore point to its repository's trash."""

    standby: StandbyId
    point: PointId


class StartBackup(Command[TaskId], frozen=True, kw_only=True):
    """Queue a backup of one VM."""

    platform: PlatformId
    vm: VmId
    vm_name: str
    standby: StandbyId
    rule_name: str
    kind: BackupKind = BackupKind.INCREMENTAL
    tracking: ChangeTracking = ChangeTracking.AUTOMATIC
    quiesce: bool = False
    transports: tuple[TransportMode, ...] = ()
    """Modes to try, in order; empty takes those of the settings."""
    priority: int = 0
    host: str = ""
    """ESXi host of the VM, when it is known: it limits how many tasks read from it at once."""


class NewVm(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Restore as a new VM."""

    placement: VmPlacement


class OverOriginal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Restore in the place of the VM the point was taken from; it is deleted once the new one is verified."""

    datastore: str | None = None
    """None: where the VM came from."""
    host: str | None = None


class StartRestore(Command[TaskId], frozen=True, kw_only=True):
    """Queue a restore of one restore point."""

    standby: StandbyId
    point: PointId
    platform: PlatformId
    target: NewVm | OverOriginal
    power_on: bool = False
    transports: tuple[TransportMode, ...] = ()
    priority: int = 0


class StartVerify(Command[TaskId], frozen=True, kw_only=True):
    """Queue reading a restore point back, every chunk against its digest."""

    standby: StandbyId
    point: PointId
    priority: int = 0


class CancelTask(Command[None], frozen=True, kw_only=True):
    """Ask a task to stop; it ends as stopped once it has cleaned up. One that has ended is left alone."""

    task: TaskId


class SweepSnapshots(Command[int], frozen=True, kw_only=True):
    """Remove snapshots of ours that no live task owns from a platform; return how many were removed."""

    platform: PlatformId
    include_unknown: bool = False
    """True also removes those of tasks this catalog does not know (perhaps another console's, still running)."""


AnyCommand = (
    RegisterPlatform
    | UpdatePlatform
    | RemovePlatform
    | RegisterStandby
    | RemoveStandby
    | RefreshPoints
    | DeletePoint
    | StartBackup
    | StartRestore
    | StartVerify
    | CancelTask
    | SweepSnapshots
)
"""Every command, for decoding."""
