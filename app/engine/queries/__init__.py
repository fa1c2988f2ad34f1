"""Queries: what the engine can be asked, and the rows it answers with. Frozen, serializable by msgspec.

``R`` is what :meth:`app.engine.api.Engine.ask` returns for the query. Queries never change anything.
"""

from app.engine.queries.base import Query
from app.engine.queries.sites import (
    DescribeVm,
    ListPlatforms,
    ListPoints,
    ListStandbys,
    ListVms,
    ProbePlatform,
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

AnyQuery = (
    ListPlatforms
    | ProbePlatform
    | ListStandbys
    | ListVms
    | DescribeVm
    | ListPoints
    | ListTasks
    | TaskDetails
    | TaskLogLines
    | SampleProgress
)
"""Every query, for decoding."""

__all__ = [
    "AnyQuery",
    "DescribeVm",
    "ErrorRow",
    "ListPlatforms",
    "ListPoints",
    "ListStandbys",
    "ListTasks",
    "ListVms",
    "LogRow",
    "ProbePlatform",
    "Query",
    "SampleProgress",
    "TaskDetails",
    "TaskLogLines",
    "TaskReport",
    "TaskRow",
]
