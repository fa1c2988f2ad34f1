"""What the first page, the status bar and the search box show."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from app.contract.overview import (
    EngineStatus,
    HitKind,
    OverdueVm,
    Overview,
    ReadOverview,
    ReadStatus,
    Search,
    SearchHit,
    StandbyGauge,
)
from app.core.clock import Clock
from app.domain.changes import Subject
from app.domain.concerns import PlatformCoverage, RuleStops
from app.domain.ids import PlatformId, RuleId, TaskId, VmId
from app.domain.instant import InstantPhase, RecoveryPurpose
from app.domain.moments import TOLERANCE
from app.domain.proofs import ProofKind
from app.domain.rules import BackupRule
from app.domain.schedule import next_run
from app.domain.states import TaskKind
from app.domain.tasks import TaskRecord
from app.engine.handlers import handles
from app.engine.history.held import HeldAnswers
from app.engine.history.overdue import overdue_vms
from app.engine.history.speeds import Speeds
from app.engine.ports import Catalog
from app.engine.program.clockwatch import ClockWatch
from app.engine.proof.lateness import unproven_vms
from app.engine.standbys.watch import StandbyWatch
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.rows import TaskRows

MOST_FAILURES: Final = 50
MOST_OVERDUE: Final = 50
"""What is longest overdue; the rest is counted."""
NEXT_RUNS: Final = 8
GAUGE_WAIT_S: Final = 0.2
"""How long the first page waits for looks at standbys that are under way."""
MOST_HITS: Final = 100
HELD: Final = timedelta(minutes=2)
"""So long an answer is kept that only the clock makes another one."""
OVERDUE_HOLDS_S: Final = 300
"""A VM that becomes overdue, which takes hours, is reported at most so much later."""


class OverviewHandlers:
    """Answers about the whole. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        manager: TaskManager,
        rows: TaskRows,
        speeds: Speeds,
        watch: StandbyWatch,
        clock_watch: ClockWatch,
        clock: Clock,
        zone: Callable[[], tzinfo],
        count_offers: Callable[[], int],
        count_troubled: Callable[[], int],
    ) -> None:
        self._catalog = catalog
        self._manager = manager
        self._rows = rows
        self._speeds = speeds
        self._watch = watch
        self._clock_watch = clock_watch
        self._clock = clock
        self._zone = zone
        self._count_offers = count_offers
        self._count_troubled = count_troubled
        self._started_at = clock.now()
        self._held = HeldAnswers(catalog.changes, clock)
        self._overdue_known: dict[RuleId, tuple[object, list[OverdueVm]]] = {}

    # --- status ------------------------------------------------------------------------------------------------

    @handles(ReadStatus)
    def _status(self, _: ReadStatus) -> EngineStatus:
        return EngineStatus(
            running=self._manager.live_count(),
            pending=self._manager.pending_count(),
            read_bytes_per_s=self._speeds.total(),
            unviewed_errors=self._unviewed_errors(),
            standbys=self._gauges(),
            engine_pid=os.getpid(),
            started_at=self._started_at,
            stopping=len(self._manager.stopping()),
            offers=self._count_offers(),
            instant=self._served(),
        )

    def _served(self) -> int:
        """Return how many VMs run from restore points by the operator's wish; proofs end by themselves."""
        return sum(
            one.phase is not InstantPhase.STOPPED and one.purpose is RecoveryPurpose.RECOVERY
            for one in self._catalog.instant.all()
        )

    def _gauges(self, *, wait_s: float = 0.0) -> tuple[StandbyGauge, ...]:
        """Return how full the standbys were a moment ago; looks that are due go on in the background."""
        self._watch.refresh(wait_s=wait_s)
        found: list[StandbyGauge] = []
        for standby in self._catalog.standbys.all():
            health = self._watch.health(standby.id)
            found.append(
                StandbyGauge(
                    name=standby.name,
                    total_bytes=health.total_bytes if health else None,
                    free_bytes=health.free_bytes if health else None,
                    reachable=health is not None and health.reachable,
                    locked=health is not None and health.locked is not None,
                )
            )
        return tuple(found)

    def _unviewed_errors(self) -> int:
        return self._held.get("unviewed", self._catalog.figures.unviewed, of=[Subject.FIGURES], at_most=HELD)

    # --- overview ----------------------------------------------------------------------------------------------

    @handles(ReadOverview)
    def _overview(self, _: ReadOverview) -> Overview:
        zone = self._zone()
        catalog, now = self._catalog, self._clock.now()
        rules = catalog.rules.all()
        overdue = self._held.get(
            "overdue",
            lambda: self._overdue(rules, now, zone),
            of=[Subject.POINTS, Subject.TASKS],
            at_most=HELD,
            given=(rules, zone),
        )
        since = now.astimezone(zone).date() - timedelta(days=6)
        week = self._held.get(
            "week", lambda: catalog.figures.days(since=since), of=[Subject.FIGURES], at_most=HELD, given=since
        )
        proven = self._held.get(
            "proven", catalog.proofs.last_proven, of=[Subject.POINTS, Subject.RULES], at_most=HELD, given=rules
        )
        late = unproven_vms(rules, proven, catalog.figures.rules_since(), now)
        members = [known for rule in rules for vm in rule.vms if (known := proven.get((rule.id, vm.vm)))]
        running = self._records([record.id for record, _ in self._manager.live()])
        platforms = self._coverage(rules)
        counts = [platform.vm_count for platform in platforms if platform.vm_count is not None]
        return Overview(
            protected_vms=sum(len(rule.vms) for rule in rules),
            known_vms=sum(counts) if counts else None,
            succeeded_7d=sum(day.succeeded for day in week),
            failed_7d=sum(day.failed for day in week),
            failures=self._rows.rows(self._failures()),
            overdue=tuple(overdue[:MOST_OVERDUE]),
            overdue_count=len(overdue),
            clock_doubts=self._clock_watch.doubts(),
            running=self._rows.rows(running),
            pending=self._manager.pending_count(),
            next_runs=self._next_runs(rules, now, zone),
            standbys=self._gauges(wait_s=GAUGE_WAIT_S),
            point_count=catalog.points.count(),
            platforms=platforms,
            stops=tuple(stops_of(rules)),
            proven_vms=len(members),
            booted_vms=sum(known.kind is ProofKind.BOOTS for known in members),
            unproven=tuple(late[:MOST_OVERDUE]),
            unproven_count=len(late),
            troubled_vms=self._count_troubled(),
        )

    def _coverage(self, rules: Sequence[BackupRule]) -> tuple[PlatformCoverage, ...]:
        """Return how much of each registered platform is in a rule."""
        protected: dict[PlatformId, set[VmId]] = {}
        for rule in rules:
            protected.setdefault(rule.platform, set()).update(vm.vm for vm in rule.vms)
        seen = self._catalog.sightings.all()
        return tuple(
            PlatformCoverage(
                platform=platform.id,
                name=platform.name,
                reachable=seen[platform.id].reachable if platform.id in seen else None,
                vm_count=seen[platform.id].vm_count if platform.id in seen else None,
                protected_count=len(protected.get(platform.id, ())),
            )
            for platform in self._catalog.platforms.all()
        )

    def _next_runs(
        self, rules: Sequence[BackupRule], now: datetime, zone: tzinfo
    ) -> tuple[tuple[datetime, str], ...]:
        def soonest() -> tuple[tuple[datetime, str], ...]:
            return tuple(next_runs(rules, now, zone)[:NEXT_RUNS])

        found = self._held.get("next runs", soonest, of=[], at_most=HELD, given=(rules, zone))
        return found if all(at > now for at, _ in found) else soonest()

    def _failures(self) -> list[TaskRecord]:
        def newest() -> tuple[TaskId, ...]:
            until = self._clock.now() + TOLERANCE
            return self._catalog.figures.last_failures(MOST_FAILURES, until=until)

        return self._records(self._held.get("failures", newest, of=[Subject.FIGURES], at_most=HELD))

    def _records(self, ids: Sequence[TaskId]) -> list[TaskRecord]:
        return list(self._catalog.tasks.many(ids)) if ids else []

    def _overdue(self, rules: Sequence[BackupRule], now: datetime, zone: tzinfo) -> list[OverdueVm]:
        catalog = self._catalog
        points, since = catalog.points.newest(), catalog.figures.rules_since()
        busy: dict[str, set[VmId]] = {}
        for record in self._manager.unfinished():
            if record.kind is TaskKind.BACKUP and record.rule is not None:
                busy.setdefault(record.rule, set()).add(record.vm)
        successors = {
            platform: catalog.rules.successions(platform) for platform in {rule.platform for rule in rules}
        }
        by_rule: dict[str, dict[VmId, datetime]] = {}
        for (rule_name, vm), at in points.items():
            by_rule.setdefault(rule_name, {})[vm] = at
        found: list[OverdueVm] = []
        kept: dict[RuleId, tuple[object, list[OverdueVm]]] = {}
        for rule in rules:
            newest = newest_points(by_rule.get(rule.name, {}), successors[rule.platform])
            entered, working = since.get(rule.id, now), busy.get(rule.id, set())
            # For some minutes only what happened to its VMs changes a rule's answer. Each rule has its own
            # minutes, so that they do not all come due together.
            stretch = int(now.timestamp() + hash(rule.id) % OVERDUE_HOLDS_S) // OVERDUE_HOLDS_S
            facts = (rule, newest, entered, working, stretch, zone)
            known = self._overdue_known.get(rule.id)
            if known is None or known[0] != facts:
                known = (facts, overdue_vms(rule, newest, entered, now, zone, busy=working))
            kept[rule.id] = known
            found += known[1]
        self._overdue_known = kept
        return sorted(found, key=lambda late: late.expected_by)

    # --- search ------------------------------------------------------------------------------------------------

    @handles(Search)
    def _search(self, query: Search) -> tuple[SearchHit, ...]:
        words = query.text.split()
        limit = max(1, min(query.limit, MOST_HITS))
        if not words:
            return ()
        rules = self._catalog.rules.all()
        hits = _rule_hits(rules, words)[:limit]
        hits += _vm_hits(rules, words)[: limit - len(hits)]
        hits += self._point_hits(words, limit - len(hits))
        hits += self._task_hits(words, limit - len(hits))
        return tuple(hits)

    def _point_hits(self, words: Sequence[str], limit: int) -> list[SearchHit]:
        if not limit:
            return []
        return [
            SearchHit(
                kind=HitKind.POINT,
                title=known.point.facts.name,
                detail=f"{known.point.rule_name} · {self._local(known.point.created_at)}",
                vm=known.point.facts.vm,
                point=known.point.id,
            )
            for known in self._catalog.points.named(words, limit)
        ]

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone()):%Y-%m-%d %H:%M}"

    def _task_hits(self, words: Sequence[str], limit: int) -> list[SearchHit]:
        if not limit:
            return []
        return [
            SearchHit(
                kind=HitKind.TASK,
                title=record.vm_name,
                detail=f"{record.rule_name} · {self._local(record.created_at)}",
                rule=record.rule,
                vm=record.vm,
                task=record.id,
            )
            for record in self._catalog.tasks.named(words, limit)
        ]


def stops_of(rules: Sequence[BackupRule]) -> list[RuleStops]:
    """Return of which rules VMs are stopped, and how many."""
    stops = [
        RuleStops(
            rule=rule.id,
            name=rule.name,
            stopped_count=sum(not vm.is_started for vm in rule.vms),
            vm_count=len(rule.vms),
        )
        for rule in rules
    ]
    return [stop for stop in stops if stop.stopped_count]


def next_runs(rules: Sequence[BackupRule], now: datetime, zone: tzinfo) -> list[tuple[datetime, str]]:
    """Return when the rules with started VMs run next, soonest first."""
    found: list[tuple[datetime, str]] = []
    for rule in rules:
        run = next_run(rule.policy, now, zone) if any(vm.is_started for vm in rule.vms) else None
        if run is not None:
            found.append((run.at, rule.name))
    return sorted(found)


def newest_points(points: Mapping[VmId, datetime], successors: Mapping[VmId, VmId]) -> dict[VmId, datetime]:
    """Return the newest point of each VM of a rule; those of a VM whose place it took count for it.

    Args:
        points: moment of the newest point of each VM that has any in the rule.
        successors: for each VM whose place was taken, the one that took it.
    """
    if not successors:
        return dict(points)
    found: dict[VmId, datetime] = {}
    for vm, at in points.items():
        seen = {vm}
        while vm in successors and successors[vm] not in seen:
            vm = successors[vm]
            seen.add(vm)
        found[vm] = max(at, found.get(vm, at))
    return found


def _rule_hits(rules: Sequence[BackupRule], words: Sequence[str]) -> list[SearchHit]:
    return [
        SearchHit(kind=HitKind.RULE, title=rule.name, detail=rule.target_path, rule=rule.id)
        for rule in rules
        if _fits(rule.name, words)
    ]


def _vm_hits(rules: Sequence[BackupRule], words: Sequence[str]) -> list[SearchHit]:
    return [
        SearchHit(kind=HitKind.VM, title=vm.name, detail=rule.name, rule=rule.id, vm=vm.vm)
        for rule in rules
        for vm in rule.vms
        if _fits(vm.name, words)
    ]


def _fits(name: str, words: Sequence[str]) -> bool:
    return all(word.casefold() in name.casefold() for word in words)
