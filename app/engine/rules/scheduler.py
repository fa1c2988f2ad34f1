"""When rules run: a look at the clock when a run is due, every few seconds, and whenever something changes.

What is due is decided by :mod:`app.domain.schedule` alone. For every rule the catalog keeps the moment up to which
its runs are dealt with; a look takes what is between that moment and now:

- a run that is at most ``missed_after_s`` late is begun, the most complete one where there are several;
- older ones were missed, while the program or the machine was off: they are made up for by one run where the
  operator allowed it, and logged in any case. A one-time run is never missed, only late.

Then the moment becomes now. It is written after the tasks are: a crash in between begins a run twice at worst, and
the second is skipped because the first has not ended. A clock that was set back a little repeats nothing; after a
larger step back runs are planned from the new time on.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from app.core.changes import ChangeFeed
from app.core.clock import Clock
from app.domain.changes import Subject
from app.domain.ids import RuleId
from app.domain.policies import OneTimePolicy
from app.domain.rules import BackupRule
from app.domain.schedule import PlannedRun, missed_run, next_run, upcoming_runs
from app.domain.states import BackupKind
from app.engine import messages
from app.engine.log.journal import Journal
from app.engine.ports import RuleStore
from app.engine.rules.runs import RuleRuns, shown_moment

_log = logging.getLogger(__name__)


def _nothing() -> None:
    """Nobody brings the next look about."""


CLOCK_TOLERANCE = timedelta(hours=1)
"""A step back of the clock that is no larger repeats no runs."""
PLAN_HOLDS = timedelta(minutes=1)
"""The next runs are computed again so often, for the operator may have changed the time zone."""
_MOST_COUNTED = 10_000


class Scheduler:
    """Begins what is due. Thread: any; looks take turns."""

    def __init__(
        self,
        *,
        rules: RuleStore,
        runs: RuleRuns,
        journal: Journal,
        clock: Clock,
        zone: Callable[[], tzinfo],
        missed_after_s: float,
        changes: ChangeFeed,
    ) -> None:
        self._rules = rules
        self._runs = runs
        self._journal = journal
        self._clock = clock
        self._zone = zone
        self._missed_after_s = missed_after_s
        self._changes = changes
        self._lock = threading.Lock()
        self._dirty = True
        self._next: dict[RuleId, datetime | None] = {}
        self._made_of: dict[RuleId, tuple[BackupRule, datetime, tzinfo]] = {}
        """What each plan was made of; the same rule need not be planned again."""
        self._planned_at: datetime | None = None
        self._on_replan: Callable[[], None] = _nothing

    def replan(self) -> None:
        """Read the rules again at the next look, which is wanted now."""
        self._dirty = True
        self._on_replan()

    def when_replanned(self, call: Callable[[], None]) -> None:
        """Let a function bring the next look about whenever the rules have to be read again."""
        self._on_replan = call

    def seconds_left(self) -> float | None:
        """Return in how long the next run is due, by the clock as it is now; None when none is planned."""
        soonest = self._soonest()
        return None if soonest is None else (soonest - self._clock.now()).total_seconds()

    def is_scheduled(self, rule: RuleId) -> bool:
        """Return whether a rule was taken up since it was created or the engine was started."""
        return rule in self._next

    def look(self) -> None:
        """Begin what is due now.

        Raises:
            CatalogUnavailable: rules cannot be read, or what was begun cannot be noted; the next look tries again.
                The rules that did not fail had their turn.
        """
        with self._lock:
            now, zone = self._clock.now(), self._zone()
            if not self._something_may_be_due(now):
                return
            self._dirty = False
            try:
                self._look(now, zone)
            except BaseException:
                self._dirty = True
                raise
            self._planned_at = now

    def _something_may_be_due(self, now: datetime) -> bool:
        planned_at = self._planned_at
        if self._dirty or planned_at is None or not timedelta(0) <= now - planned_at < PLAN_HOLDS:
            return True
        soonest = self._soonest()
        return soonest is not None and soonest <= now

    def _soonest(self) -> datetime | None:
        return min((at for at in self._next.values() if at is not None), default=None)

    def _look(self, now: datetime, zone: tzinfo) -> None:
        """Deal with every rule; a rule that fails keeps its plan, and does not keep the others from running.

        A rule that was made or deleted while this reads the catalog is in one of the two answers only: it has its
        turn at the next look, for which :meth:`replan` asks.
        """
        known = self._rules.all()
        considered = self._rules.considered()
        planned: dict[RuleId, datetime | None] = {}
        holds = self._planned_at is not None and timedelta(0) <= now - self._planned_at < PLAN_HOLDS
        failures: list[Exception] = []
        for rule in known:
            since = considered.get(rule.id)
            if since is None:
                continue
            if holds and self._made_of.get(rule.id) == (rule, since, zone) and self._is_ahead(rule.id, now):
                planned[rule.id] = self._next[rule.id]
                continue
            try:
                until = self._settle(rule, since, now, zone)
                run = next_run(rule.policy, until, zone)
                planned[rule.id] = None if run is None else run.at
                self._made_of[rule.id] = (rule, until, zone)
            except Exception as error:  # noqa: BLE001 - raised below, after the other rules had their turn
                failures.append(error)
                if rule.id in self._next:
                    planned[rule.id] = self._next[rule.id]
        taken_up = planned.keys() ^ self._next.keys()
        self._next = planned
        self._made_of = {rule: made_of for rule, made_of in self._made_of.items() if rule in planned}
        if taken_up:
            self._changes.note(Subject.RULES, taken_up)
        for another in failures[1:]:
            _log.error("another rule could not be dealt with", exc_info=another)
        if failures:
            raise failures[0]

    def _is_ahead(self, rule: RuleId, now: datetime) -> bool:
        """Return whether a rule is planned, and nothing of it is due."""
        if rule not in self._next:
            return False
        at = self._next[rule]
        return at is None or at > now

    def _settle(self, rule: BackupRule, since: datetime, now: datetime, zone: tzinfo) -> datetime:
        """Deal with the runs of one rule up to now; return the moment up to which they are dealt with."""
        if since > now + CLOCK_TOLERANCE:
            log = self._journal.about(rule.name, "rule.schedule", rule=rule.id)
            log.warning(messages.RULE_CLOCK_WENT_BACK, since=shown_moment(since, zone))
            self._rules.consider(rule.id, now)
            return now
        due = _due(rule, since, now, zone)
        if not due:
            return since
        self._begin(rule, since, due, now, zone)
        self._rules.consider(rule.id, now)
        return now

    def _begin(
        self, rule: BackupRule, since: datetime, due: list[PlannedRun], now: datetime, zone: tzinfo
    ) -> None:
        vms = [vm for vm in rule.vms if vm.is_started]
        if not vms:
            return
        log = self._journal.about(rule.name, "rule.schedule", rule=rule.id)
        policy = rule.policy
        oldest = now - timedelta(seconds=self._missed_after_s)
        in_time = [run for run in due if run.at >= oldest]
        missed = len(due) - len(in_time)
        if isinstance(policy, OneTimePolicy) or not missed:
            run = due[-1] if isinstance(policy, OneTimePolicy) else _most_complete(in_time)
            begun, _ = self._runs.run_planned(rule, vms, run.kind, shown_moment(run.at, zone))
            if begun:
                names = ", ".join(vm.name for vm in begun)
                log.info(messages.RULE_RUN_DUE, at=shown_moment(run.at, zone), kind=run.kind, vms=names)
            return
        made_up = missed_run(policy, since, now, zone) if policy.run_missed_on_start else None
        if made_up is not None:
            begun, _ = self._runs.run_planned(rule, vms, made_up.kind, shown_moment(due[0].at, zone))
            names = ", ".join(vm.name for vm in begun)
            log.warning(
                messages.RULE_RUN_MADE_UP,
                count=missed,
                since=shown_moment(due[0].at, zone),
                kind=made_up.kind,
                vms=names,
            )
            return
        log.warning(messages.RULE_RUN_MISSED, count=missed, since=shown_moment(due[0].at, zone))
        if in_time:
            run = _most_complete(in_time)
            self._runs.run_planned(rule, vms, run.kind, shown_moment(run.at, zone))


def _due(rule: BackupRule, since: datetime, now: datetime, zone: tzinfo) -> list[PlannedRun]:
    found: list[PlannedRun] = []
    for run in upcoming_runs(rule.policy, since, zone):
        if run.at > now or len(found) == _MOST_COUNTED:
            break
        found.append(run)
    return found


_COMPLETENESS = {BackupKind.INCREMENTAL: 0, BackupKind.DIFFERENTIAL: 1, BackupKind.FULL: 2}


def _most_complete(runs: list[PlannedRun]) -> PlannedRun:
    return max(runs, key=lambda run: (_COMPLETENESS[run.kind], run.at))
