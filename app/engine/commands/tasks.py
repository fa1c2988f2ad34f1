"""Commands about tasks: backup, restore, verification."""

from dataclasses import dataclass

import msgspec

from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.states import BackupKind, TransportMode
from app.domain.vms import VmPlacement
from app.engine.commands.base import Command
from app.engine.export.formats import ImageFormat
from app.engine.options import ChangeTracking


class StartBackup(Command[TaskId], frozen=True, kw_only=True):
    """Queue a backup of one VM."""

    platform: PlatformId
    vm: VmId
    vm_name: str
    standby: StandbyId
    target_path: str = ""
    """Directory of the repository on the standby, relative to its root."""
    rule: RuleId | None = None
    """The rule that it runs for: its retention is applied afterwards."""
    rule_name: str
    kind: BackupKind = BackupKind.INCREMENTAL
    tracking: ChangeTracking = ChangeTracking.AUTOMATIC
    quiesce: bool = False
    transports: tuple[TransportMode, ...] = ()
    """Modes to try, in order; empty takes those of the settings."""
    priority: int = 0
    host: str = ""
    """ESXi host of the VM, when it is known: it limits how many tasks read from it at once."""
    retry: int = 0
    """How many times its rule has tried it again by itself; 0 for the run itself."""


class NewVm(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Restore as a new VM."""

    placement: VmPlacement


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedVm:
    """The VM that the operator saw and confirmed to be replaced."""

    vm: VmId
    name: str
    """As the platform named it then."""
    instance_uuid: str | None = None


class OverOriginal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Restore in the place of the VM the point was taken from; it is deleted once the new one is verified."""

    datastore: str | None = None
    """None: where the VM came from."""
    host: str | None = None
    confirmed: ConfirmedVm | None = None
    """The VM to be replaced; None takes only one that is certainly the original."""


class StartRestore(Command[TaskId], frozen=True, kw_only=True):
    """Queue a restore of one restore point."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    platform: PlatformId
    name: str = ""
    """What the operator calls this restore."""
    target: NewVm | OverOriginal
    power_on: bool = False
    rule: RuleId | None = None
    """The rule whose group restore it belongs to."""
    transports: tuple[TransportMode, ...] = ()
    priority: int = 0


class StartVerify(Command[TaskId], frozen=True, kw_only=True):
    """Queue reading a restore point back, every chunk against its digest."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    priority: int = 0


class StartExport(Command[TaskId], frozen=True, kw_only=True):
    """Queue writing disks of a restore point into files of another format, in a folder of the engine's machine."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    disks: tuple[int, ...] = ()
    """Device keys; empty: all disks of the point."""
    folder: str
    """Absolute path on the engine's machine; it must exist."""
    image: ImageFormat = ImageFormat.RAW
    priority: int = 0


class StartSweep(Command[TaskId], frozen=True, kw_only=True):
    """Queue freeing what no restore point needs; deleted points go once their grace time is over."""

    standby: StandbyId
    target_path: str = ""
    priority: int = 0


class StartClosing(Command[TaskId], frozen=True, kw_only=True):
    """Queue taking the rights that other users of the machine have on the repositories of a standby.

    A repository whose folder is for a group (``chmod 2770``) stays open to that group.
    """

    standby: StandbyId
    priority: int = 0


class CancelTask(Command[None], frozen=True, kw_only=True):
    """Ask a task to stop; it ends as stopped once it has cleaned up. One that has ended is left alone."""

    task: TaskId


class RetryTask(Command[TaskId], frozen=True, kw_only=True):
    """Queue once more what an ended task was asked for; return the new task."""

    task: TaskId
