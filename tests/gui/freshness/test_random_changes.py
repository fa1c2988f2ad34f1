"""Hundreds of random changes by another client, and at the end every row that is shown is the engine's answer."""

import math
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.contract.log import ReadLog
from app.contract.overview import Overview, ReadOverview, ReadStatus
from app.contract.platforms import ListPlatformRows, UpdatePlatform
from app.contract.points import DeletePoint, ListPoints, StartVerify
from app.contract.rules import (
    AddVmsToRule,
    ChangeRulePolicy,
    ChangeRuleRetry,
    CreateRule,
    DeleteRule,
    ListRules,
    ListRuleVms,
    MarkErrorsViewed,
    RemoveVmsFromRule,
    RuleDraft,
    RuleRow,
    RunNow,
    StartRules,
    StartVms,
    StopRules,
    StopVms,
    VmChoice,
    VmsInRules,
)
from app.contract.standbys import ListStandbyRows, RegisterStandby, RemoveStandby, StandbyRow, UpdateStandby
from app.contract.statistics import ListStatisticsTasks, ReadStatistics
from app.contract.tasks import CancelTask, ListTasks, RetryTask, TaskRow
from app.domain.errors import OperationalError
from app.domain.ids import RuleId, VmId
from app.domain.periods import StatisticsPeriod
from app.domain.policies import RetryPlan
from app.domain.states import BackupKind
from app.domain.tasks import KnownPoint
from app.views import formatting
from app.views.backup.list_rules import RuleList
from app.views.backup.list_runs import RunList
from app.views.backup.list_vms import VmList
from app.views.backup.statistics import StatisticsView
from app.views.console import Console, ThemeSwitch
from app.views.frame.memory import Memory
from app.views.frame.status import StatusFeed
from app.views.log.page import LogsPage
from app.views.overview.page import OverviewPage
from app.views.page import Page
from app.views.platforms.page import PlatformsPage
from app.views.restore.page import RestorePage
from app.views.standbys.page import StandbysPage
from app.views.tasks.page import TasksPage
from app.views.tasks.task_list import PAGE_ROWS
from tests.gui.shell.conftest import ProgramStub
from tests.support.engine_lab import QUICK, EngineLab
from tests.support.local_hypervisor import PASSWORD
from tests.support.local_line import LocalClient
from tests.support.rule_lab import daily, periodic

CHANGES = 1000 if os.environ.get("STANDFAST_HYPOTHESIS") == "deep" else 500
FRESH_S = 3.0
"""How long the pages may take after the last change: on a busy machine, with all of them shown at once."""
LIVE = replace(QUICK, tick_s=0.1, stop_wait_s=20.0, audit_blocks=0)
VMS = 24
KINDS = (BackupKind.FULL, BackupKind.INCREMENTAL, BackupKind.DIFFERENTIAL)
STAYING = "stays"
"""A rule that is never deleted: some pages show it."""


class RandomChanges:
    """Changes an engine at random, as another client does, on its own thread. What is refused changes nothing."""

    def __init__(self, lab: EngineLab, seed: int) -> None:
        self._lab = lab
        self._chance = random.Random(seed)
        self._vms = [lab.host.add_vm(f"vm-{number:02}") for number in range(VMS)]
        self._number = 0
        self.carried_out = 0
        self.staying = lab.engine.execute(CreateRule(draft=self._draft(self._vms[:3], STAYING, "stays")))
        self._changes: Sequence[tuple[int, Callable[[], object]]] = (
            (10, self._create_rule),
            (10, self._change_rule),
            (14, self._start_or_stop),
            (4, self._delete_rule),
            (8, self._change_members),
            (12, self._run),
            (5, self._end_or_repeat),
            (5, self._fail_calls),
            (6, self._rename),
            (5, self._change_standbys),
            (8, self._view_errors),
            (5, self._change_points),
        )

    def change(self) -> None:
        """Change one thing."""
        weights = [weight for weight, _ in self._changes]
        (_, change), *_ = self._chance.choices(self._changes, weights)
        with suppress(OperationalError, IndexError):  # refused, as it may be, or there is nothing to change
            change()
            self.carried_out += 1

    def change_often(self, count: int) -> None:
        """Change so many things, one after the other."""
        for _ in range(count):
            self.change()

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number:04}"

    def _rule(self) -> RuleRow:
        rules: tuple[RuleRow, ...] = self._lab.engine.ask(ListRules())
        return self._chance.choice(rules)

    def _free_vms(self) -> list[VmId]:
        taken = self._lab.engine.ask(VmsInRules(platform=self._lab.platform))
        return [vm for vm in self._vms if vm not in taken]

    # --- rules -------------------------------------------------------------------------------------------------

    def _create_rule(self) -> None:
        free = self._free_vms()
        chosen = self._chance.sample(free, min(len(free), self._chance.randint(1, 3)))
        draft = self._draft(chosen, self._name("rule"), f"vm/{self._chance.randint(1, 3)}")
        self._lab.engine.execute(CreateRule(draft=draft))

    def _draft(self, vms: Sequence[VmId], name: str, target_path: str) -> RuleDraft:
        return RuleDraft(
            name=name,
            platform=self._lab.platform,
            standby=self._lab.standby,
            target_path=target_path,
            vms=self._choices(vms),
            policy=periodic(daily("12:00")),
        )

    def _choices(self, vms: Sequence[VmId]) -> tuple[VmChoice, ...]:
        return tuple(VmChoice(vm=vm, name=self._lab.host.vm(vm).name) for vm in vms)

    def _change_rule(self) -> None:
        rule = self._rule().id
        if self._chance.random() < 0.5:
            retry = RetryPlan(times=self._chance.randint(0, 3), pause_min=5)
            self._lab.engine.execute(ChangeRuleRetry(rule=rule, retry=retry))
        else:
            policy = periodic(daily(f"{self._chance.randint(0, 23):02}:{self._chance.randint(0, 59):02}"))
            self._lab.engine.execute(ChangeRulePolicy(rule=rule, policy=policy))

    def _start_or_stop(self) -> None:
        rule = self._rule().id
        vms = tuple(row.vm for row in self._lab.engine.ask(ListRuleVms(rule=rule)))
        some = tuple(self._chance.sample(vms, self._chance.randint(1, len(vms))))
        command = self._chance.choice(
            (
                StartRules(rules=(rule,)),
                StopRules(rules=(rule,)),
                StartVms(rule=rule, vms=some),
                StopVms(rule=rule, vms=some),
            )
        )
        self._lab.engine.execute(command)

    def _delete_rule(self) -> None:
        rule = self._rule()
        if rule.name != STAYING:
            self._lab.engine.execute(DeleteRule(rule=rule.id, delete_data=self._chance.random() < 0.5))

    def _change_members(self) -> None:
        rule = self._rule().id
        vms = [row.vm for row in self._lab.engine.ask(ListRuleVms(rule=rule))]
        if self._chance.random() < 0.5:
            free = self._free_vms()[:1]
            self._lab.engine.execute(AddVmsToRule(rule=rule, vms=self._choices(free)))
        else:
            gone = (self._chance.choice(vms),)
            self._lab.engine.execute(
                RemoveVmsFromRule(rule=rule, vms=gone, delete_data=self._chance.random() < 0.5)
            )

    # --- tasks -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._lab.engine.execute(RunNow(rule=self._rule().id, kind=self._chance.choice(KINDS)))

    def _end_or_repeat(self) -> None:
        tasks: tuple[TaskRow, ...] = self._lab.engine.ask(ListTasks(limit=30))
        task = self._chance.choice(tasks)
        if task.state.is_final:
            self._lab.engine.execute(RetryTask(task=task.id))
        else:
            self._lab.engine.execute(CancelTask(task=task.id))

    def _fail_calls(self) -> None:
        """Let the next snapshots fail, or not any more."""
        self._lab.host.faults.snapshot_failures = self._chance.choice((0, 2, 6))

    def _view_errors(self) -> None:
        rule = self._rule().id if self._chance.random() < 0.7 else None
        self._lab.engine.execute(MarkErrorsViewed(rule=rule))

    # --- what is registered ------------------------------------------------------------------------------------

    def _rename(self) -> None:
        engine = self._lab.engine
        if self._chance.random() < 0.5:
            name = self._name("platform")
            engine.execute(UpdatePlatform(platform=self._lab.platform, name=name, user="root", password=PASSWORD))
            return
        rows: tuple[StandbyRow, ...] = engine.ask(ListStandbyRows())
        row = self._chance.choice(rows)
        name, note = self._name("standby"), self._name("note")
        engine.execute(UpdateStandby(standby=row.id, name=name, root_path=row.root_path, note=note))

    def _change_standbys(self) -> None:
        engine = self._lab.engine
        others = [row for row in engine.ask(ListStandbyRows()) if row.id != self._lab.standby]
        if others and self._chance.random() < 0.5:
            engine.execute(RemoveStandby(standby=self._chance.choice(others).id))
        else:
            path = self._lab.directory / self._name("other")
            engine.execute(RegisterStandby(name=path.name, root_path=str(path)))

    def _change_points(self) -> None:
        engine = self._lab.engine
        points: tuple[KnownPoint, ...] = engine.ask(ListPoints(standby=self._lab.standby))
        known = self._chance.choice(points)
        standby, path, point = known.standby, known.target_path, known.point.id
        if self._chance.random() < 0.5:
            engine.execute(StartVerify(standby=standby, target_path=path, point=point))
        else:
            engine.execute(DeletePoint(standby=standby, target_path=path, point=point))


class Window:
    """Every page at once, each seen and followed, and the feed of the status bar."""

    def __init__(self, console: Console, staying: RuleId, qtbot: QtBot) -> None:
        self.rules = RuleList(console)
        self.vms = VmList(console, staying)
        self.runs = RunList(console, staying)
        self.all_runs = RunList(console, None, only_failed=True)
        self.statistics = StatisticsView(console, staying, None)
        self.tasks = TasksPage(console)
        self.restores = RestorePage(console)
        self.platforms = PlatformsPage(console)
        self.standbys = StandbysPage(console)
        self.log = LogsPage(console)
        self.overview = OverviewPage(console, ProgramStub())
        self.feed = StatusFeed(console)
        self.pages: tuple[Page, ...] = tuple(page for page in vars(self).values() if isinstance(page, Page))
        for page in self.pages:
            qtbot.addWidget(page)
            page.resize(1100, 600)
            page.show()
            page.open(())
        self.feed.start()

    def close(self) -> None:
        """Follow nothing any more."""
        for page in self.pages:
            page.leave()
        self.feed.stop()


def differences(window: Window, lab: EngineLab, staying: RuleId) -> list[str]:
    """Return what is shown and is not the engine's answer."""
    engine = lab.engine
    statistics = engine.ask(ReadStatistics(rule=staying, vm=None, period=StatisticsPeriod.MONTH))
    overview, status = engine.ask(ReadOverview()), engine.ask(ReadStatus())
    found = window.overview.overview
    tasks = tuple(line.task for line in window.tasks.table.rows.rows)
    told_standbys: tuple[StandbyRow, ...] = engine.ask(ListStandbyRows())
    pairs: dict[str, tuple[object, object]] = {
        "rules": (window.rules.table.rows.rows, engine.ask(ListRules())),
        "VMs of a rule": (window.vms.table.rows.rows, engine.ask(ListRuleVms(rule=staying))),
        "runs of a rule": (window.runs.table.rows.rows, engine.ask(window.runs.query())),
        "failed runs": (window.all_runs.table.rows.rows, engine.ask(ListStatisticsTasks(only_failed=True))),
        "tasks": (tasks, engine.ask(ListTasks(limit=_limit(len(tasks))))),
        "platforms": (window.platforms.table.rows.rows, engine.ask(ListPlatformRows())),
        "standbys": (_still(window.standbys.table.rows.rows), _still(told_standbys)),
        "newest lines of the log": (
            [row.line for row in window.log.table.rows.rows[:100]],
            [row.line for row in engine.ask(ReadLog(limit=200)).rows[:100]],
        ),
        "unviewed errors": (window.statistics.unviewed.text(), formatting.count(statistics.unviewed_errors)),
        "read": (window.statistics.read.text(), formatting.size(statistics.read_bytes)),
        "overview": (None if found is None else _calm(found), _calm(overview)),
        "status": (
            window.feed.latest and replace(window.feed.latest, read_bytes_per_s=0.0, standbys=()),
            replace(status, read_bytes_per_s=0.0, standbys=()),
        ),
    }
    return [
        f"{name}: shown {_first_difference(shown, told)}" for name, (shown, told) in pairs.items() if shown != told
    ]


def _limit(shown: int) -> int:
    """Return how many tasks the page holds: it grows by pages when it is scrolled to its end."""
    return max(1, math.ceil(shown / PAGE_ROWS)) * PAGE_ROWS


def _still(rows: Sequence[StandbyRow]) -> tuple[StandbyRow, ...]:
    """Take out what changes by itself: the free space of the machine's disk."""
    return tuple(replace(row, free_bytes=None) for row in rows)


def _calm(overview: Overview) -> Overview:
    standbys = tuple(replace(standby, free_bytes=None) for standby in overview.standbys)
    return replace(overview, standbys=standbys, running=tuple(replace(task) for task in overview.running))


def _first_difference(shown: object, told: object) -> str:
    if isinstance(shown, Sequence) and isinstance(told, Sequence) and not isinstance(shown, str):
        if len(shown) != len(told):
            return f"{len(shown)} rows, told {len(told)}"
        place = next((at for at, (row, other) in enumerate(zip(shown, told, strict=True)) if row != other), 0)
        return f"{shown[place]}, told {told[place]}"
    return f"{shown}, told {told}"


def change(changes: RandomChanges, count: int, lab: EngineLab, qtbot: QtBot) -> None:
    """Make changes while the window lives, and the engine come to rest."""
    thread = threading.Thread(target=changes.change_often, args=(count,), name="random-changes")
    thread.start()
    qtbot.waitUntil(lambda: not thread.is_alive(), timeout=120_000)
    qtbot.waitUntil(lambda: lab.engine.wait_until_idle(0), timeout=120_000)


@pytest.mark.parametrize("seed", [20261129])
def test_nothing_that_is_shown_stays_wrong(qtbot: QtBot, qapp: QApplication, tmp_path: Path, seed: int) -> None:
    with EngineLab(tmp_path / "lab", settings=LIVE) as lab:
        changes = RandomChanges(lab, seed)
        client = LocalClient(lab.engine)
        memory = Memory(tmp_path / "window.ini")
        window = Window(Console(client, memory, ThemeSwitch(qapp, memory)), changes.staying, qtbot)
        for _ in range(10):
            change(changes, CHANGES // 10, lab, qtbot)
            until_s = time.monotonic() + FRESH_S
            while (wrong := differences(window, lab, changes.staying)) and time.monotonic() < until_s:
                qtbot.wait(20)
            assert wrong == []
        assert changes.carried_out > CHANGES // 2
        window.close()
        assert client.close()
