"""Whether all VMs are protected: a pure decision over all platforms, rules and standbys."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from app.domain.ids import PlatformId, RuleId

NEARLY_FULL: Final = 0.85
"""From this part on the filling of a standby needs care."""
FULL: Final = 0.95
"""From this part on the next backup may not fit."""


class ConcernKind(Enum):
    """Kinds of concerns, worst first."""

    TROUBLED = "troubled"
    FAILED = "failed"
    OVERDUE = "overdue"
    PLATFORM_UNREACHABLE = "platform_unreachable"
    STANDBY_MISSING = "standby_missing"
    STANDBY_FULL = "standby_full"
    STANDBY_LOCKED = "standby_locked"
    UNPROTECTED = "unprotected"
    UNPROVEN = "unproven"
    STOPPED = "stopped"
    PLATFORM_NEVER_READ = "platform_never_read"
    STANDBY_NEARLY_FULL = "standby_nearly_full"

    @property
    def is_urgent(self) -> bool:
        """Return whether a VM stands still, or a backup is missing or cannot be made; others need a decision."""
        return self in _URGENT


_URGENT = frozenset(
    {
        ConcernKind.TROUBLED,
        ConcernKind.FAILED,
        ConcernKind.OVERDUE,
        ConcernKind.PLATFORM_UNREACHABLE,
        ConcernKind.STANDBY_MISSING,
        ConcernKind.STANDBY_FULL,
        ConcernKind.STANDBY_LOCKED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformCoverage:
    """How much of a platform is protected."""

    platform: PlatformId
    name: str
    reachable: bool | None
    """None before the first try."""
    vm_count: int | None
    """VMs of its last inventory; None when it was never read."""
    protected_count: int
    """VMs of it that are in a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStops:
    """How many VMs of a rule are stopped."""

    rule: RuleId
    name: str
    stopped_count: int
    vm_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyCondition:
    """What a decision needs of a standby."""

    name: str
    reachable: bool
    is_locked: bool
    total_bytes: int | None
    free_bytes: int | None
    """None, or a total of zero, where the system does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One problem that the operator should look at."""

    kind: ConcernKind
    count: int = 1
    """How many VMs it is about; 1 for a platform or a standby."""
    name: str = ""
    """Of the platform, the rule or the standby; empty for troubled, failed, overdue and unproven VMs."""
    rule: RuleId | None = None
    of: int = 0
    """Of how many, for stopped VMs."""


def concerns(
    *,
    failed_count: int,
    overdue_count: int,
    platforms: Iterable[PlatformCoverage],
    stops: Iterable[RuleStops],
    standbys: Iterable[StandbyCondition],
    unproven_count: int = 0,
    troubled_count: int = 0,
) -> tuple[Concern, ...]:
    """Return everything that is not well, worst first; only an empty answer means that all is well."""
    found: list[Concern] = []
    if troubled_count > 0:
        found.append(Concern(kind=ConcernKind.TROUBLED, count=troubled_count))
    if failed_count > 0:
        found.append(Concern(kind=ConcernKind.FAILED, count=failed_count))
    if overdue_count > 0:
        found.append(Concern(kind=ConcernKind.OVERDUE, count=overdue_count))
    if unproven_count > 0:
        found.append(Concern(kind=ConcernKind.UNPROVEN, count=unproven_count))
    for platform in platforms:
        found += _of_platform(platform)
    for standby in standbys:
        found += _of_standby(standby)
    found += [
        Concern(
            kind=ConcernKind.STOPPED, count=stop.stopped_count, name=stop.name, rule=stop.rule, of=stop.vm_count
        )
        for stop in stops
        if stop.stopped_count > 0
    ]
    order = list(ConcernKind)
    return tuple(sorted(found, key=lambda concern: order.index(concern.kind)))


def _of_platform(platform: PlatformCoverage) -> list[Concern]:
    found = []
    if platform.reachable is False:
        found.append(Concern(kind=ConcernKind.PLATFORM_UNREACHABLE, name=platform.name))
    if platform.vm_count is None:
        if platform.reachable is not False:
            found.append(Concern(kind=ConcernKind.PLATFORM_NEVER_READ, name=platform.name))
    elif (bare := platform.vm_count - platform.protected_count) > 0:
        found.append(Concern(kind=ConcernKind.UNPROTECTED, count=bare, name=platform.name))
    return found


def _of_standby(standby: StandbyCondition) -> list[Concern]:
    if not standby.reachable:
        return [Concern(kind=ConcernKind.STANDBY_MISSING, name=standby.name)]
    found = []
    if standby.is_locked:
        found.append(Concern(kind=ConcernKind.STANDBY_LOCKED, name=standby.name))
    if standby.total_bytes and standby.free_bytes is not None:
        used = 1 - standby.free_bytes / standby.total_bytes
        if used >= FULL:
            found.append(Concern(kind=ConcernKind.STANDBY_FULL, name=standby.name))
        elif used >= NEARLY_FULL:
            found.append(Concern(kind=ConcernKind.STANDBY_NEARLY_FULL, name=standby.name))
    return found
