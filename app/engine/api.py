"""The only door of the engine: commands, queries, rows, events, and the :class:`Engine` that answers them.

Every command, query, row and event is a frozen, typed value that serializes with msgspec (``app.engine.wire``), so
that a caller in another process uses the same door. Errors leave it as
:class:`app.domain.errors.OperationalError`, or as :class:`ErrorRow` where they are part of an answer.
"""

from app.engine.commands import (
    AnyCommand,
    CancelTask,
    Command,
    DeletePoint,
    NewVm,
    OverOriginal,
    RefreshPoints,
    RegisterPlatform,
    RegisterStandby,
    RemovePlatform,
    RemoveStandby,
    StartBackup,
    StartRestore,
    StartVerify,
    SweepSnapshots,
    UpdatePlatform,
)
from app.engine.engine import Engine
from app.engine.options import ChangeTracking
from app.engine.queries import (
    AnyQuery,
    DescribeVm,
    ErrorRow,
    ListPlatforms,
    ListPoints,
    ListStandbys,
    ListTasks,
    ListVms,
    LogRow,
    ProbePlatform,
    Query,
    SampleProgress,
    TaskDetails,
    TaskLogLines,
    TaskReport,
    TaskRow,
)
from app.engine.settings import DEFAULT_TRANSPORTS, EngineSettings

__all__ = [
    "DEFAULT_TRANSPORTS",
    "AnyCommand",
    "AnyQuery",
    "CancelTask",
    "ChangeTracking",
    "Command",
    "DeletePoint",
    "DescribeVm",
    "Engine",
    "EngineSettings",
    "ErrorRow",
    "ListPlatforms",
    "ListPoints",
    "ListStandbys",
    "ListTasks",
    "ListVms",
    "LogRow",
    "NewVm",
    "OverOriginal",
    "ProbePlatform",
    "Query",
    "RefreshPoints",
    "RegisterPlatform",
    "RegisterStandby",
    "RemovePlatform",
    "RemoveStandby",
    "SampleProgress",
    "StartBackup",
    "StartRestore",
    "StartVerify",
    "SweepSnapshots",
    "TaskDetails",
    "TaskLogLines",
    "TaskReport",
    "TaskRow",
    "UpdatePlatform",
]
