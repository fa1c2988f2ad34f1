"""Queries: what the engine can be asked, and the rows it answers with. Frozen, serializable by msgspec.

``R`` is what :meth:`app.engine.api.Engine.ask` returns for the query. Queries never change anything.
"""

from app.engine.queries.base import Query
from app.engine.queries.encryption import (
    DescribeEncryption,
    EncryptionRow,
    RepositoryKeysRow,
)
from app.engine.queries.history import (
    DayCount,
    EngineStatus,
    HitKind,
    ListStatisticsTasks,
    LogEntryRow,
    LogFilter,
    LogPage,
    OverdueVm,
    Overview,
    ReadLog,
    ReadOverview,
    ReadStatistics,
    ReadStatus,
    ReadTraffic,
    Search,
    SearchHit,
    StandbyGauge,
    Statistics,
    StatisticsPeriod,
    StatisticsTaskRow,
    Traffic,
    TrafficPoint,
    TrafficRange,
)
from app.engine.queries.hooks import ReadHooks
from app.engine.queries.limits import LimitsRow, ReadLimits
from app.engine.queries.notifications import NotificationRow, ReadNotifications
from app.engine.queries.offers import ListOffers
from app.engine.queries.originals import FindOriginals, OriginalRow
from app.engine.queries.platforms import (
    BrowseLocal,
    BrowseStandby,
    Certificate,
    DirectoryEntry,
    ExaminePlatform,
    ExamineRule,
    Finding,
    InspectServer,
    ListGroups,
    ListPlatformRows,
    ListStandbyRows,
    PlatformRow,
    Severity,
    StandbyRow,
    TryPlatform,
)
from app.engine.queries.rules import (
    CheckRule,
    DeletionPreview,
    DescribeRule,
    ListRules,
    ListRuleVms,
    ListVmPoints,
    PreviewedDay,
    PreviewedPoint,
    PreviewRetention,
    PreviewRuleDeletion,
    RuleDetails,
    RuleProblemRow,
    RuleRow,
    RuleVmRow,
    VmsInRules,
)
from app.engine.queries.sites import (
    DescribeSavedVm,
    DescribeVm,
    ListPlaces,
    ListPlatforms,
    ListPoints,
    ListRecoverableVms,
    ListStandbys,
    ListVms,
    OpenEntriesRow,
    PlanRestore,
    ProbePlatform,
    ReadOpenEntries,
)
from app.engine.queries.tasks import (
    ErrorRow,
    ListTasks,
    LogRow,
    SampleProgress,
    TaskDetails,
    TaskLogLines,
    TaskReport,
    TaskRow,
)
from app.engine.queries.trash import DeletedPoint, ListDeletedPoints

AnyQuery = (
    ListPlatforms
    | ProbePlatform
    | ListStandbys
    | FindOriginals
    | ListVms
    | DescribeVm
    | ListPoints
    | ListRecoverableVms
    | ListPlaces
    | ReadOpenEntries
    | DescribeSavedVm
    | PlanRestore
    | ListTasks
    | TaskDetails
    | TaskLogLines
    | SampleProgress
    | ListOffers
    | ListDeletedPoints
    | BrowseLocal
    | BrowseStandby
    | ExaminePlatform
    | ExamineRule
    | InspectServer
    | ListGroups
    | ListPlatformRows
    | ListStandbyRows
    | TryPlatform
    | CheckRule
    | DescribeRule
    | ListRuleVms
    | ListVmPoints
    | ListRules
    | PreviewRetention
    | PreviewRuleDeletion
    | VmsInRules
    | ReadLimits
    | ReadLog
    | ReadTraffic
    | ReadStatistics
    | ListStatisticsTasks
    | ReadOverview
    | ReadStatus
    | Search
    | ReadNotifications
    | DescribeEncryption
    | ReadHooks
)
"""Every query, for decoding."""

__all__ = [
    "AnyQuery",
    "BrowseLocal",
    "BrowseStandby",
    "Certificate",
    "CheckRule",
    "DayCount",
    "DeletedPoint",
    "DeletionPreview",
    "DescribeEncryption",
    "DescribeRule",
    "DescribeSavedVm",
    "DescribeVm",
    "DirectoryEntry",
    "EncryptionRow",
    "EngineStatus",
    "ErrorRow",
    "ExaminePlatform",
    "ExamineRule",
    "FindOriginals",
    "Finding",
    "HitKind",
    "InspectServer",
    "LimitsRow",
    "ListDeletedPoints",
    "ListGroups",
    "ListOffers",
    "ListPlaces",
    "ListPlatformRows",
    "ListPlatforms",
    "ListPoints",
    "ListRecoverableVms",
    "ListRuleVms",
    "ListRules",
    "ListStandbyRows",
    "ListStandbys",
    "ListStatisticsTasks",
    "ListTasks",
    "ListVmPoints",
    "ListVms",
    "LogEntryRow",
    "LogFilter",
    "LogPage",
    "LogRow",
    "NotificationRow",
    "OpenEntriesRow",
    "OriginalRow",
    "OverdueVm",
    "Overview",
    "PlanRestore",
    "PlatformRow",
    "PreviewRetention",
    "PreviewRuleDeletion",
    "PreviewedDay",
    "PreviewedPoint",
    "ProbePlatform",
    "Query",
    "ReadHooks",
    "ReadLimits",
    "ReadLog",
    "ReadNotifications",
    "ReadOpenEntries",
    "ReadOverview",
    "ReadStatistics",
    "ReadStatus",
    "ReadTraffic",
    "RepositoryKeysRow",
    "RuleDetails",
    "RuleProblemRow",
    "RuleRow",
    "RuleVmRow",
    "SampleProgress",
    "Search",
    "SearchHit",
    "Severity",
    "StandbyGauge",
    "StandbyRow",
    "Statistics",
    "StatisticsPeriod",
    "StatisticsTaskRow",
    "TaskDetails",
    "TaskLogLines",
    "TaskReport",
    "TaskRow",
    "Traffic",
    "TrafficPoint",
    "TrafficRange",
    "TryPlatform",
    "VmsInRules",
]
