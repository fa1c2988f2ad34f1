"""An engine whose clock a test turns, with short ways to make rules and look at them."""

import threading
import time as stopwatch
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from app.contract.rules import (
    CreateRule,
    ListRules,
    ListRuleVms,
    OneTime,
    Periodic,
    Policy,
    RuleDraft,
    RuleRow,
    RuleVmRow,
    VmChoice,
)
from app.contract.tasks import ListTasks, TaskRow
from app.domain.history import LogSearch
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.policies import OneTimePolicy, PeriodicPolicy, Plan, PolicyUnit, Retention, Weekday
from app.domain.rules import AdvancedSettings
from app.domain.states import BackupKind, TaskState
from app.engine.program.settings import EngineSettings
from tests.support.engine_lab import QUICK, EngineLab
from tests.support.fakes import TurnableClock
from tests.support.local_host import LocalHost

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
MORNING = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
"""Monday, 8 o'clock in Shanghai."""
BY_HAND = replace(QUICK, tick_s=0.0, stop_wait_s=20.0)
"""Nothing happens automatically: tests call :meth:`RuleLab.tick`."""
_LOOK_S = 5.0


def local(hour: int, minute: int = 0, *, day: int = 2, month: int = 3, zone: tzinfo = SHANGHAI) -> datetime:
    """Return a moment of 2026 by the wall clock of the operator, in UTC."""
    return datetime(2026, month, day, hour, minute, tzinfo=zone).astimezone(UTC)


def daily(*times: str, kind: BackupKind = BackupKind.INCREMENTAL) -> Plan:
    """Return a plan for every day."""
    return Plan(unit=PolicyUnit.DAILY, kind=kind, times=tuple(time.fromisoformat(text) for text in times))


def weekly(day: Weekday, at: str, kind: BackupKind = BackupKind.FULL) -> Plan:
    """Return a plan for a day of the week."""
    return Plan(unit=PolicyUnit.WEEKLY, kind=kind, times=(time.fromisoformat(at),), weekdays=frozenset({day}))


def periodic(*plans: Plan, retention: Retention | None = None, run_missed: bool = False) -> Periodic:
    """Return a periodic policy, by default every day at noon."""
    return Periodic(
        policy=PeriodicPolicy(
            plans=plans or (daily("12:00"),),
            retention=retention or Retention(),
            run_missed_on_start=run_missed,
        )
    )


def once(start: datetime) -> OneTime:
    """Return a one-time policy."""
    return OneTime(policy=OneTimePolicy(start=start))


class RuleLab(EngineLab):
    """An engine lab in Shanghai on a Monday morning; time passes when a test says so."""

    def __init__(
        self,
        directory: Path,
        *,
        host: LocalHost | None = None,
        settings: EngineSettings = BY_HAND,
        start: datetime = MORNING,
    ) -> None:
        self.turnable = TurnableClock(start)
        self.zone_now: tzinfo = SHANGHAI
        super().__init__(directory, host=host, settings=settings, clock=self.turnable, zone=lambda: self.zone_now)

    # --- time --------------------------------------------------------------------------------------------------

    def turn_to(self, moment: datetime) -> None:
        """Let time pass up to a moment without anyone noticing.

        Looks at standbys end first: one that was under way over hours counts as hanging.
        """
        until = stopwatch.monotonic() + _LOOK_S
        while (
            any(thread.name.startswith("look-") for thread in threading.enumerate())
            and stopwatch.monotonic() < until
        ):
            stopwatch.sleep(0.001)
        self.turnable.turn((moment - self.turnable.now()).total_seconds())

    def tick(self) -> None:
        """Let the engine look at the clock, and wait until it came to rest."""
        self.engine.tick()
        assert self.engine.wait_until_idle(30), "the engine did not come to rest"

    def at(self, moment: datetime) -> None:
        """Let time pass up to a moment, and let the engine look."""
        self.turn_to(moment)
        self.tick()

    def live_until(self, moment: datetime, step: timedelta = timedelta(minutes=1)) -> None:
        """Let time pass in small steps, as it does for an engine that runs."""
        while self.turnable.now() < moment:
            self.turn_to(min(moment, self.turnable.now() + step))
            self.tick()

    # --- rules -------------------------------------------------------------------------------------------------

    def draft(
        self,
        *vms: VmId,
        name: str = "nightly",
        policy: Policy | None = None,
        target_path: str = "vm/web",
        advanced: AdvancedSettings | None = None,
    ) -> RuleDraft:
        """Return a draft over VMs."""
        return RuleDraft(
            name=name,
            platform=self.platform,
            standby=self.standby,
            target_path=target_path,
            vms=tuple(VmChoice(vm=vm, name=self.host.vm(vm).name) for vm in vms),
            advanced=advanced or AdvancedSettings(),
            policy=policy or periodic(),
        )

    def rule(
        self,
        *vms: VmId,
        name: str = "nightly",
        policy: Policy | None = None,
        target_path: str = "vm/web",
        advanced: AdvancedSettings | None = None,
    ) -> RuleId:
        """Create a rule over VMs."""
        draft = self.draft(*vms, name=name, policy=policy, target_path=target_path, advanced=advanced)
        return self.engine.execute(CreateRule(draft=draft))

    def row(self, rule: RuleId) -> RuleRow:
        """Return the row of a rule."""
        return next(row for row in self.engine.ask(ListRules()) if row.id == rule)

    def vm_row(self, rule: RuleId, vm: VmId) -> RuleVmRow:
        """Return the row of a VM in a rule."""
        return next(row for row in self.engine.ask(ListRuleVms(rule=rule)) if row.vm == vm)

    def state(self, rule: RuleId, vm: VmId) -> TaskState:
        """Return the state of a VM in a rule."""
        return self.vm_row(rule, vm).state

    def tasks(self) -> Sequence[TaskRow]:
        """Return all tasks, oldest first."""
        newest_first: tuple[TaskRow, ...] = self.engine.ask(ListTasks(limit=1000))
        return list(newest_first[::-1])

    def ended(self) -> dict[TaskId, TaskState]:
        """Return how every task ended."""
        return {row.id: row.state for row in self.tasks()}

    def kinds(self) -> list[BackupKind]:
        """Return the kinds of all known points, oldest first."""
        found = sorted(self.catalog.points.find(), key=lambda known: known.point.created_at)
        return [known.point.kind for known in found]

    def moments(self) -> list[datetime]:
        """Return when the known points were made, oldest first, to the minute: waiting turns the clock."""
        return sorted(
            known.point.created_at.replace(second=0, microsecond=0) for known in self.catalog.points.find()
        )

    def log_codes(self) -> list[str]:
        """Return the codes of all lines of the operator's log that belong to no task, oldest first."""
        slice_ = self.catalog.log.page(LogSearch(), limit=10_000)
        return [entry.code for entry in reversed(slice_.entries) if entry.task is None]
