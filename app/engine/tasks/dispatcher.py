"""Who runs next: a decision on values, without effects."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import PlatformId, TaskId, VmId

VmKey = tuple[PlatformId, VmId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A task as the dispatcher sees it."""

    task: TaskId
    vm: VmKey | None
    """The production VM it works on; None when it touches none."""
    host: str = ""
    """ESXi host whose buffers it uses; empty when it is not known."""
    priority: int = 0
    queued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may run at the same time."""

    max_tasks: int
    max_tasks_per_host: int


def choose(pending: Iterable[Candidate], running: Collection[Candidate], limits: Limits) -> list[TaskId]:
    """Return the pending tasks that start now, in order.

    The highest priority goes first, then the one that waited longest; of two that came at once, the one given
    first. A task that has to wait for its VM or its host lets those behind it pass; the global limit stops all.
    """
    busy_vms = {candidate.vm for candidate in running if candidate.vm is not None}
    per_host = Counter(candidate.host for candidate in running if candidate.host)
    free = limits.max_tasks - len(running)
    chosen: list[TaskId] = []
    for candidate in sorted(pending, key=lambda candidate: (-candidate.priority, candidate.queued_at)):
        if len(chosen) >= free:
            break
        if candidate.vm in busy_vms or (candidate.host and per_host[candidate.host] >= limits.max_tasks_per_host):
            continue
        chosen.append(candidate.task)
        per_host[candidate.host] += 1
        if candidate.vm is not None:
            busy_vms.add(candidate.vm)
    return chosen
