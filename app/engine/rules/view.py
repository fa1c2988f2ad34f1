"""Rows and states for the rule pages."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from app.contract.rules import RuleDetails, RuleRow, RuleVmRow
from app.core.changes import Keys
from app.core.clock import Clock
from app.domain.changes import Subject
from app.domain.engines import EngineBeat
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.moments import TOLERANCE
from app.domain.platforms import Platform
from app.domain.progress import ProgressSample, fraction_of
from app.domain.retry import PendingRetry
from app.domain.rules import BackupRule, ProtectedVm, VmSituation, rule_state, vm_state
from app.domain.schedule import next_run
from app.domain.states import TaskKind, TaskState, shown_state
from app.domain.tasks import PointTally, TaskRecord
from app.engine.history.speeds import Speeds
from app.engine.platforms.succession import former_ids
from app.engine.ports import Catalog
from app.engine.proof.rows import RuleProofs
from app.engine.rules.drafts import ROOT_SHOWN, draft_of, shown_policy
from app.engine.rules.retries import Retries
from app.engine.rules.rowcache import RowCache
from app.engine.rules.scheduler import Scheduler
from app.engine.standbys.watch import StandbyWatch
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.rows import kept_error_row, mean_speed

_Key = tuple[RuleId, VmId]
_Tallies = Mapping[tuple[str, str, VmId], PointTally]
"""By target path, platform address and VM; of one rule at one standby."""
_WORST_FIRST = (TaskState.FAILED, TaskState.STOPPED, TaskState.COMPLETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Knowledge:
    """All that rows are made of, read once for all of them."""

    platforms: Mapping[PlatformId, Platform]
    standby_names: Mapping[StandbyId, str]
    newest: Mapping[_Key, TaskRecord]
    ended: Mapping[_Key, TaskRecord]
    ours: frozenset[TaskId]
    stopping: frozenset[TaskId]
    others_alive: bool
    samples: Mapping[TaskId, ProgressSample]
    speeds: Mapping[TaskId, float]
    successions: Mapping[PlatformId, Mapping[VmId, VmId]]
    unviewed: Mapping[tuple[RuleId | None, VmId], int]
    now: datetime

    def samples_of(self, rule: BackupRule) -> list[ProgressSample]:
        """Return the counters of what runs for a rule."""
        tasks = [record.id for vm in rule.vms if (record := self.newest.get((rule.id, vm.vm))) is not None]
        return [self.samples[task] for task in tasks if task in self.samples]

    def unfinished_state(self, record: TaskRecord | None) -> TaskState | None:
        """Return the state of a task that has not ended; unknown where no engine can be running it."""
        if record is None or record.state.is_final:
            return None
        if record.id in self.ours or record.state is TaskState.PENDING or self.others_alive:
            return shown_state(record.state, is_asked_to_stop=record.id in self.stopping)
        return TaskState.UNKNOWN


class RuleView:
    """Makes the rows. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        manager: TaskManager,
        scheduler: Scheduler,
        retry_plans: Retries,
        watch: StandbyWatch,
        clock: Clock,
        zone: Callable[[], tzinfo],
        engine: str,
        speeds: Speeds,
    ) -> None:
        self._catalog = catalog
        self._manager = manager
        self._scheduler = scheduler
        self._retry_plans = retry_plans
        self._watch = watch
        self._clock = clock
        self._zone = zone
        self._engine = engine
        self._speeds = speeds
        self._cache = RowCache(self._rule_rows, catalog.changes)
        self._surroundings: object = None

    def rules(self, only: Collection[RuleId] | None = None) -> tuple[RuleRow, ...]:
        """Return the rows of all rules, or of some, by name."""
        self.look()
        rows = self._cache.rows(self._catalog.rules.all, self._clock.now(), only)
        catalog = self._catalog
        platforms = {platform.id: platform.name for platform in catalog.platforms.all()}
        standbys = {standby.id: standby.name for standby in catalog.standbys.all()}
        running, proofs = self._running_of_rules(), self._proofs()
        return tuple(
            replace(
                proofs.shown_in(row),
                platform_name=platforms.get(row.platform, ""),
                standby_name=standbys.get(row.standby, ""),
                fraction=fraction_of(running.get(row.id, ())),
            )
            for row in rows
        )

    def _proofs(self) -> RuleProofs:
        return RuleProofs(self._catalog, self._clock.now())

    def when_all_differ(self, tell: Callable[[], None]) -> None:
        """Call a function whenever the rows of all rules are different: soon after it, :meth:`prepare` is due."""

        def on_changed(subject: Subject, keys: Keys) -> None:
            if subject is Subject.RULES and keys is None:
                tell()

        self._catalog.changes.watch(on_changed)

    def prepare(self) -> None:
        """Make the rows that are missing now, so that the next question finds them: those of all take a second.

        Raises:
            CatalogUnavailable: the catalog cannot be read.
        """
        self.look()
        self._cache.rows(self._catalog.rules.all, self._clock.now())

    def look(self) -> None:
        """Announce that all rows are different where the clock or another engine made them so.

        Raises:
            CatalogUnavailable: the catalog cannot be read.
        """
        now = self._clock.now()
        surroundings = (self._others_alive(now), self._zone().utcoffset(now))
        if surroundings != self._surroundings:
            self._surroundings = surroundings
            self._catalog.changes.note(Subject.RULES)

    def _running_of_rules(self) -> dict[RuleId, list[ProgressSample]]:
        found: dict[RuleId, list[ProgressSample]] = {}
        for record, sample in self._manager.live():
            if record.kind is TaskKind.BACKUP and record.rule is not None:
                found.setdefault(record.rule, []).append(sample)
        return found

    def _rule_rows(self, rules: Collection[BackupRule], *, are_all: bool) -> list[RuleRow]:
        known = self._knowledge(rules, None if are_all else [rule.id for rule in rules])
        return [self._rule_row(rule, known) for rule in rules]

    def vms(self, rule: BackupRule) -> tuple[RuleVmRow, ...]:
        """Return the rows of a rule's VMs, by name."""
        known = self._knowledge([rule], [rule.id])
        tallies = self._tallies_of(rule)
        again = self._retry_plans.of_rule(rule.id)
        proofs = self._proofs()
        rows = [proofs.shown_of(self._vm_row(rule, vm, known, tallies, again.get(vm.vm))) for vm in rule.vms]
        return tuple(sorted(rows, key=lambda row: (row.name.casefold(), row.vm)))

    def details(self, rule: BackupRule) -> RuleDetails:
        """Return a rule as its editor shows it."""
        known = self._knowledge([rule], [rule.id])
        return RuleDetails(row=self._proofs().shown_in(self._rule_row(rule, known)), draft=draft_of(rule))

    # --- reading -----------------------------------------------------------------------------------------------

    def _knowledge(self, rules: Iterable[BackupRule], only: Collection[RuleId] | None = None) -> _Knowledge:
        catalog, manager = self._catalog, self._manager
        self._watch.refresh()
        before = {task.id for task in manager.unfinished()}
        until = self._clock.now() + TOLERANCE
        newest = _by_vm(catalog.tasks.newest_of_rules(only, until=until))
        ended = newest
        if any(task.ended_at is None for task in newest.values()):
            ended = _by_vm(catalog.tasks.newest_of_rules(only, ended=True, until=until))
        samples = manager.samples()
        now = self._clock.now()
        return _Knowledge(
            platforms={platform.id: platform for platform in catalog.platforms.all()},
            standby_names={standby.id: standby.name for standby in catalog.standbys.all()},
            newest=newest,
            ended=ended,
            ours=frozenset(before | {task.id for task in manager.unfinished()}),
            stopping=manager.stopping(),
            others_alive=self._others_alive(now),
            samples=samples,
            speeds=self._speeds.of_each(samples),
            successions={
                platform: catalog.rules.successions(platform) for platform in {rule.platform for rule in rules}
            },
            unviewed=catalog.figures.unviewed_by_vm(),
            now=now,
        )

    def _others_alive(self, now: datetime) -> bool:
        return any(self._is_other(engine, now) for engine in self._catalog.engines.all())

    def _tallies_of(self, rule: BackupRule) -> _Tallies:
        found = self._catalog.points.tallies(rule.standby, rule_name=rule.name)
        return {(tally.target_path, tally.origin, tally.vm): tally for tally in found}

    def _is_other(self, beat: EngineBeat, now: datetime) -> bool:
        return beat.id != self._engine and beat.is_alive(now)

    # --- making rows -------------------------------------------------------------------------------------------

    def _rule_row(self, rule: BackupRule, known: _Knowledge) -> RuleRow:
        states = [self._state(rule, vm, known) for vm in rule.vms]
        started = any(vm.is_started for vm in rule.vms)
        run = next_run(rule.policy, known.now, self._zone()) if started else None
        ended = [task for vm in rule.vms if (task := known.ended.get((rule.id, vm.vm))) is not None]
        last = max(ended, key=lambda record: record.ended_at or record.created_at, default=None)
        platform = known.platforms.get(rule.platform)
        return RuleRow(
            id=rule.id,
            name=rule.name,
            state=rule_state(states),
            fraction=fraction_of(known.samples_of(rule)),
            platform=rule.platform,
            platform_name=platform.name if platform else "",
            standby=rule.standby,
            standby_name=known.standby_names.get(rule.standby, ""),
            target_path=rule.target_path or ROOT_SHOWN,
            vm_count=len(rule.vms),
            next_run=None if run is None else run.at,
            next_kind=None if run is None else run.kind,
            last_run=None if last is None else (last.started_at or last.created_at),
            last_result=_worst(ended),
            unviewed_errors=sum(known.unviewed.get((rule.id, vm.vm), 0) for vm in rule.vms),
            policy=shown_policy(rule.policy),
        )

    def _state(self, rule: BackupRule, vm: ProtectedVm, known: _Knowledge) -> TaskState:
        ended = known.ended.get((rule.id, vm.vm))
        return vm_state(
            VmSituation(
                is_started=vm.is_started,
                is_one_time=rule.is_one_time,
                unfinished=known.unfinished_state(known.newest.get((rule.id, vm.vm))),
                last=None if ended is None else ended.state,
                standby_reachable=self._watch.is_usable(rule.standby),
                is_scheduled=self._scheduler.is_scheduled(rule.id),
            )
        )

    def _vm_row(
        self, rule: BackupRule, vm: ProtectedVm, known: _Knowledge, counted: _Tallies, again: PendingRetry | None
    ) -> RuleVmRow:
        record, ended = known.newest.get((rule.id, vm.vm)), known.ended.get((rule.id, vm.vm))
        sample = None if record is None else known.samples.get(record.id)
        tallies = _tallies(rule, vm.vm, known, counted)
        speed = _speed(record, known)
        platform = known.platforms.get(rule.platform)
        return RuleVmRow(
            rule=rule.id,
            vm=vm.vm,
            name=vm.name,
            state=self._state(rule, vm, known),
            fraction=None if sample is None else fraction_of([sample]),
            task=None if record is None else record.id,
            platform_name=platform.name if platform else "",
            standby_name=known.standby_names.get(rule.standby, ""),
            disk_bytes=tallies[0].capacity_bytes if tallies else None,
            started_at=None if record is None else record.started_at,
            ended_at=None if record is None else record.ended_at,
            read_bytes_per_s=speed,
            seconds_left=None if sample is None else sample.seconds_left(speed),
            error=None if ended is None or ended.error is None else kept_error_row(ended.error),
            point_count=sum(tally.count for tally in tallies),
            newest_point=tallies[0].newest if tallies else None,
            unviewed_errors=known.unviewed.get((rule.id, vm.vm), 0),
            next_try=None if again is None else again.next,
        )


def _tallies(rule: BackupRule, vm: VmId, known: _Knowledge, counted: _Tallies) -> list[PointTally]:
    """Return what is counted of a VM's points, under its present id first."""
    ids = dict.fromkeys((vm, *former_ids(vm, known.successions[rule.platform])))
    keys = [(rule.target_path, rule.platform, vm_id) for vm_id in ids]
    return [counted[key] for key in keys if key in counted]


def _by_vm(records: Iterable[TaskRecord]) -> dict[_Key, TaskRecord]:
    return {(record.rule, record.vm): record for record in records if record.rule is not None}


def _worst(ended: Sequence[TaskRecord]) -> TaskState | None:
    """Return how the last runs of a rule's VMs ended: one that failed is not hidden by others that did not."""
    states = {record.state for record in ended}
    return next((state for state in _WORST_FIRST if state in states), None)


def _speed(record: TaskRecord | None, known: _Knowledge) -> float | None:
    """Return the speed now while a task runs, else the mean of its run."""
    if record is None or record.id in known.samples:
        return None if record is None else known.speeds.get(record.id)
    return mean_speed(record)
