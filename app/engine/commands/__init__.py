"""Commands: what the engine can be told to do. Imperative, frozen, serializable by msgspec.

``R`` is what :meth:`app.engine.api.Engine.execute` returns for the command.
"""

from app.engine.commands.base import Command
from app.engine.commands.encryption import (
    AddRecoveryKey,
    ChangePassphrase,
    EncryptStandby,
    RecoverySheet,
    RevokeRecoveryKeys,
    UnlockReport,
    UnlockStandby,
)
from app.engine.commands.history import (
    ClearLog,
    ExportLog,
)
from app.engine.commands.hooks import SetHooks
from app.engine.commands.limits import ChangeLimits
from app.engine.commands.notifications import SetNotifications, TestSink
from app.engine.commands.offers import OfferPoint, WithdrawPoint
from app.engine.commands.program import ConfirmClock, RaiseWindow
from app.engine.commands.rules import (
    AddVmsToRule,
    ChangeRulePolicy,
    ChangeRuleRetry,
    CreateRule,
    DeleteRule,
    GroupMember,
    MarkErrorsViewed,
    OneTime,
    Periodic,
    Policy,
    RemoveVmsFromRule,
    RuleDraft,
    RunNow,
    StartGroupRestore,
    StartRules,
    StartVms,
    StopRules,
    StopVms,
    VmChoice,
)
from app.engine.commands.sites import (
    DeletePoint,
    RefreshPoints,
    RegisterPlatform,
    RegisterStandby,
    RemovePlatform,
    RemoveStandby,
    SweepSnapshots,
    UpdatePlatform,
    UpdateStandby,
)
from app.engine.commands.tasks import (
    CancelTask,
    ConfirmedVm,
    NewVm,
    OverOriginal,
    RetryTask,
    StartBackup,
    StartClosing,
    StartExport,
    StartRestore,
    StartSweep,
    StartVerify,
)
from app.engine.commands.trash import TakeBackPoint

AnyCommand = (
    RegisterPlatform
    | UpdatePlatform
    | RemovePlatform
    | RegisterStandby
    | UpdateStandby
    | RemoveStandby
    | RefreshPoints
    | DeletePoint
    | StartBackup
    | StartRestore
    | StartVerify
    | StartExport
    | StartSweep
    | StartClosing
    | OfferPoint
    | TakeBackPoint
    | WithdrawPoint
    | CancelTask
    | RetryTask
    | SweepSnapshots
    | CreateRule
    | ChangeRulePolicy
    | ChangeRuleRetry
    | AddVmsToRule
    | RemoveVmsFromRule
    | DeleteRule
    | StartRules
    | StopRules
    | StartVms
    | StopVms
    | RunNow
    | StartGroupRestore
    | ChangeLimits
    | MarkErrorsViewed
    | ClearLog
    | ExportLog
    | SetNotifications
    | TestSink
    | SetHooks
    | RaiseWindow
    | ConfirmClock
    | UnlockStandby
    | EncryptStandby
    | ChangePassphrase
    | AddRecoveryKey
    | RevokeRecoveryKeys
)
"""Every command, for decoding."""

__all__ = [
    "AddRecoveryKey",
    "AddVmsToRule",
    "AnyCommand",
    "CancelTask",
    "ChangeLimits",
    "ChangePassphrase",
    "ChangeRulePolicy",
    "ChangeRuleRetry",
    "ClearLog",
    "Command",
    "ConfirmClock",
    "ConfirmedVm",
    "CreateRule",
    "DeletePoint",
    "DeleteRule",
    "EncryptStandby",
    "ExportLog",
    "GroupMember",
    "MarkErrorsViewed",
    "NewVm",
    "OfferPoint",
    "OneTime",
    "OverOriginal",
    "Periodic",
    "Policy",
    "RaiseWindow",
    "RecoverySheet",
    "RefreshPoints",
    "RegisterPlatform",
    "RegisterStandby",
    "RemovePlatform",
    "RemoveStandby",
    "RemoveVmsFromRule",
    "RetryTask",
    "RevokeRecoveryKeys",
    "RuleDraft",
    "RunNow",
    "SetHooks",
    "SetNotifications",
    "StartBackup",
    "StartClosing",
    "StartExport",
    "StartGroupRestore",
    "StartRestore",
    "StartRules",
    "StartSweep",
    "StartVerify",
    "StartVms",
    "StopRules",
    "StopVms",
    "SweepSnapshots",
    "TakeBackPoint",
    "TestSink",
    "UnlockReport",
    "UnlockStandby",
    "UpdatePlatform",
    "UpdateStandby",
    "VmChoice",
    "WithdrawPoint",
]
