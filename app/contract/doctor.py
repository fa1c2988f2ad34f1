"""Examinations of a platform and of a rule, and what they find."""

from dataclasses import dataclass
from enum import Enum

from app.contract.base import Query
from app.contract.rules import RuleDraft
from app.contract.tasks import StartConsolidation
from app.domain.ids import PlatformId, RuleId
from app.domain.messages import Params


class Severity(Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing the doctor looked at: what, how it is, and what to do.

    ``message`` and ``hint`` are English templates: translate them, then fill in ``params``.
    """

    severity: Severity
    subject: str
    """The platform, VM, disk or standby it is about."""
    code: str
    params: Params
    message: str
    hint: str
    remedy: StartConsolidation | None = None
    """What the operator can let the engine do about it; None where there is nothing."""


class ExaminePlatform(Query[tuple[Finding, ...]], frozen=True, kw_only=True):
    """The doctor for a platform: address, login, version, license, privileges, ports."""

    platform: PlatformId


class ExamineRule(Query[tuple[Finding, ...]], frozen=True, kw_only=True):
    """The doctor for a rule or a draft: its VMs, disks, CBT, snapshots, datastores, and the standby's space."""

    draft: RuleDraft | None = None
    rule: RuleId | None = None


class ReportPlatform(Query[str], frozen=True, kw_only=True):
    """Examine a platform as :class:`ExaminePlatform` does; return a text in English that can be sent to somebody.

    It holds what hosts say of themselves, but no password, ticket or session.
    """

    platform: PlatformId
    blurs_names: bool = True
    """Whether hosts, VMs, datastores, addresses and accounts get other names."""
