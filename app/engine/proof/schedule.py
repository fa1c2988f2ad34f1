"""Queues proofs of restore by the clock, within the budget of each rule."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from app.core.clock import Clock
from app.domain.ids import PointId, RuleId, TaskId
from app.domain.instant import RecoveryPurpose
from app.domain.moments import believed, is_due
from app.domain.proofs import ProofPolicy, ProofWhen, ProofWhich, ProvenVm, newest_planned
from app.domain.rules import BackupRule
from app.domain.states import TaskKind
from app.domain.tasks import KnownPoint, TaskRecord, VerificationState
from app.engine.ports import Catalog
from app.engine.proof.booting import recoveries_of
from app.engine.rules.points import RulePoints
from app.engine.standbys.watch import StandbyWatch
from app.engine.tasks.spec import ProofSpec
from app.engine.tasks.stored import specs_of

_log = logging.getLogger(__name__)

PROOF_PRIORITY: Final = -5
"""Below what an operator or a plan asks for, above maintenance."""
RETRY_AFTER: Final = timedelta(hours=6)
"""A proof that could not be carried out is tried again so much later."""
_SETTLE_EVERY: Final = timedelta(minutes=10)
_MOST_RECORDS: Final = 500
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class ProofSchedule:
    """Looks what is to be proven. Thread: the scheduler's."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        rule_points: RulePoints,
        watch: StandbyWatch,
        clock: Clock,
        zone: Callable[[], tzinfo],
        look_every_s: float,
        unfinished: Callable[[], Iterable[TaskRecord]],
        is_live: Callable[[TaskId], bool],
        submit: Callable[[ProofSpec], object],
        settle: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            catalog: knows rules, points and tasks.
            rule_points: finds the points of a rule.
            watch: says which standbys can be used.
            clock: the time.
            zone: the operator's time zone.
            look_every_s: how often to look; 0: never.
            unfinished: returns the tasks that wait or run.
            is_live: tells whether a task runs.
            submit: queues a proof.
            settle: takes away, beside the tasks, what proofs could not.
        """
        self._catalog = catalog
        self._rule_points = rule_points
        self._watch = watch
        self._clock = clock
        self._zone = zone
        self._look_every_s = look_every_s
        self._unfinished = unfinished
        self._is_live = is_live
        self._submit = submit
        self._settle = settle
        self._looked_at: datetime | None = None
        # Not right after the start: then what a crash left is settled anyway.
        self._settled_at = clock.now()

    def look(self) -> None:
        """Queue what is due, unless something more important waits.

        Raises:
            CatalogUnavailable: the catalog cannot be read.
        """
        now = self._clock.now()
        if not self._look_every_s or not is_due(self._looked_at, timedelta(seconds=self._look_every_s), now):
            return
        self._looked_at = now
        self._settle_left(now)
        rules = [rule for rule in self._catalog.rules.all() if rule.proof.when is not ProofWhen.OFF]
        if not rules:
            return
        unfinished = list(self._unfinished())
        if any(task.priority > PROOF_PRIORITY and not self._is_live(task.id) for task in unfinished):
            return
        ended = self._catalog.tasks.find(kinds=[TaskKind.PROOF], limit=_MOST_RECORDS)
        for rule in rules:
            for known in self._due(rule, now, History(rule.id, unfinished, ended)):
                self._submit(spec_for(rule, known))

    def _due(self, rule: BackupRule, now: datetime, history: "History") -> Sequence[KnownPoint]:
        """Return the points of a rule whose proofs begin now."""
        room = history.room(rule.proof, now, self._zone())
        if room <= 0 or rule.proof.problems() or not self._watch.is_usable(rule.standby):
            return ()
        if self._watch.is_locked(rule.standby):
            return ()
        last_proven = self._catalog.proofs.last_proven()
        found: list[tuple[datetime, KnownPoint]] = []
        for vm in rule.vms:
            if not vm.is_started:
                continue
            points = self._rule_points.of_vm(rule, vm.vm)
            last = last_tried(points, last_proven.get((rule.id, vm.vm)))
            chosen = due_points(rule.proof, points, last, now, self._zone())
            found += [(last or _NEVER, known) for known in chosen if history.may_try(known.point.id, now)]
        found.sort(key=lambda candidate: candidate[0])
        return [known for _, known in found][:room]

    def _settle_left(self, now: datetime) -> None:
        """Take away what proofs of before could not; no operator sees it in a list."""
        if not is_due(self._settled_at, _SETTLE_EVERY, now):
            return
        self._settled_at = now
        at_work = recoveries_of(self._unfinished())
        left = (one for one in self._catalog.instant.all() if one.purpose is RecoveryPurpose.PROOF)
        if any(one.id not in at_work for one in left):
            self._settle()


def spec_for(rule: BackupRule, known: KnownPoint) -> ProofSpec:
    """Return the automatic proof of a point of a rule."""
    policy = rule.proof
    return ProofSpec(
        standby=known.standby,
        target_path=known.target_path,
        point=known.point.id,
        platform=policy.platform or rule.platform,
        host=policy.host,
        limit_s=60.0 * policy.limit_min,
        cpus=policy.cpus,
        memory_mib=policy.memory_mib,
        rule=rule.id,
        at_once=policy.at_once,
        is_automatic=True,
        priority=PROOF_PRIORITY,
    )


def last_tried(points: Iterable[KnownPoint], proven: ProvenVm | None) -> datetime | None:
    """Return when a point of a VM was last proven, or that was tried.

    Args:
        points: those that are there.
        proven: what is known of the VM, of points that are gone as well.
    """
    moments = [known.proof.at for known in points if known.proof is not None]
    return max(moments if proven is None else [*moments, proven.at], default=None)


def due_points(
    policy: ProofPolicy, points: Sequence[KnownPoint], last: datetime | None, now: datetime, zone: tzinfo
) -> list[KnownPoint]:
    """Return which points of one VM are to be proven now.

    Args:
        policy: of the rule.
        points: those of the VM, the newest first.
        last: when a point of the VM was last proven, or that was tried.
        now: the present.
        zone: the operator's time zone.
    """
    good = [known for known in points if known.verification is not VerificationState.DAMAGED]
    wanted = good[:1] if policy.which is ProofWhich.NEWEST else good
    if policy.when is ProofWhen.AFTER_BACKUP:
        return [known for known in wanted if known.proof is None]
    if policy.when is not ProofWhen.EVERY_DAYS:
        return []
    if policy.which is ProofWhich.NEWEST:
        return wanted if newest_planned(policy, last, now, zone) is not None else []
    return [
        known
        for known in wanted
        if newest_planned(policy, None if known.proof is None else known.proof.at, now, zone) is not None
    ]


@dataclass(frozen=True)
class History:
    """The proofs of one rule so far."""

    rule: RuleId
    unfinished: Sequence[TaskRecord]
    known: Sequence[TaskRecord]
    """Of all rules, the newest first."""

    def _of_rule(self, records: Iterable[TaskRecord]) -> Iterator[tuple[TaskRecord, ProofSpec]]:
        return specs_of((record for record in records if record.rule == self.rule), ProofSpec)

    def room(self, policy: ProofPolicy, now: datetime, zone: tzinfo) -> int:
        """Return how many automatic proofs may begin now."""
        waiting = list(self._of_rule(self.unfinished))
        today = now.astimezone(zone).date()
        open_ids = {record.id for record, _ in waiting}
        used_s = sum(spec.limit_s for _, spec in waiting if spec.is_automatic)
        for record, spec in self._of_rule(self.known):
            began, ended = believed(record.started_at, now), record.ended_at
            if record.id in open_ids or not spec.is_automatic or began is None or ended is None:
                continue
            if began.astimezone(zone).date() == today:
                used_s += max(0.0, (ended - began).total_seconds())
        left_s = 60.0 * policy.minutes_per_day - used_s
        return min(policy.at_once - len(waiting), int(left_s // (60.0 * policy.limit_min)))

    def may_try(self, point: PointId, now: datetime) -> bool:
        """Return whether a point is not being proven, and was not tried a moment ago."""
        if any(record.point == point and record.kind is TaskKind.PROOF for record in self.unfinished):
            return False
        tried: Mapping[PointId | None, datetime] = {
            record.point: record.created_at for record, _ in reversed(list(self._of_rule(self.known)))
        }
        return is_due(tried.get(point), RETRY_AFTER, now)
