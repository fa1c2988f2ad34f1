"""Commands: what the engine can be told to do. Imperative, frozen, serializable by msgspec.

``R`` is what :meth:`app.engine.api.Engine.execute` returns for the command.
"""

from app.engine.commands.base import Command
from app.engine.commands.sites import (
    DeletePoint,
    RefreshPoints,
    RegisterPlatform,
    RegisterStandby,
    RemovePlatform,
    RemoveStandby,
    SweepSnapshots,
    UpdatePlatform,
)
from app.engine.commands.tasks import (
    CancelTask,
    NewVm,
    OverOriginal,
    StartBackup,
    StartRestore,
    StartVerify,
)

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

__all__ = [
    "AnyCommand",
    "CancelTask",
    "Command",
    "DeletePoint",
    "NewVm",
    "OverOriginal",
    "RefreshPoints",
    "RegisterPlatform",
    "RegisterStandby",
    "RemovePlatform",
    "RemoveStandby",
    "StartBackup",
    "StartRestore",
    "StartVerify",
    "SweepSnapshots",
    "UpdatePlatform",
]
