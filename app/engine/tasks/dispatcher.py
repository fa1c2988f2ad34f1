"""Who runs next: a decision on values, without effects."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import PlatformId, TaskId, VmId

VmKey = tuple[PlatformId, VmId]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Tasks of which only some run at the same time, besides all other limits."""

    name: str
    most: int


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
    counts: bool = True
    """Whether it counts under the limit of all tasks, and waits for it."""
    lines: tuple[str, ...] = ()
    """Tasks of one line run one after the other, in their order."""
    crowd: Crowd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may run at the same time."""

    max_tasks: int
    max_tasks_per_host: int


def choose(pending: Iterable[Candidate], running: Collection[Candidate], limits: Limits) -> list[TaskId]:
    """Return the pending tasks that start now, in order.

    The highest priority goes first, then the one that waited longest; of two that came at once, the one given
    first. A task that has to wait for its VM or its host lets those behind it pass, those of its
    lines excepted; the global limit stops all that count.
    """
    busy_vms = {candidate.vm for candidate in running if candidate.vm is not None}
    busy_lines = {line for candidate in running for line in candidate.lines}
    per_host = Counter(candidate.host for candidate in running if candidate.host)
    crowds = Counter(candidate.crowd.name for candidate in running if candidate.crowd is not None)
    free = limits.max_tasks - sum(candidate.counts for candidate in running)
    chosen: list[TaskId] = []
    for candidate in sorted(pending, key=lambda candidate: (-candidate.priority, candidate.queued_at)):
        has_to_wait = (
            (candidate.counts and free <= 0)
            or candidate.vm in busy_vms
            or not busy_lines.isdisjoint(candidate.lines)
            or (candidate.crowd is not None and crowds[candidate.crowd.name] >= candidate.crowd.most)
            or (candidate.host and per_host[candidate.host] >= limits.max_tasks_per_host)
        )
        busy_lines.update(candidate.lines)  # also of one that waits: those behind it in its lines wait as well
        if has_to_wait:
            continue
        chosen.append(candidate.task)
        free -= candidate.counts
        per_host[candidate.host] += 1
        if candidate.crowd is not None:
            crowds[candidate.crowd.name] += 1
        if candidate.vm is not None:
            busy_vms.add(candidate.vm)
    return chosen
