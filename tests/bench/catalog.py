"""How fast the engine answers about two years of 500 VMs, and along which indices.

A catalog is made as two years of nightly backups would have left it: tasks with their stages, ten log lines for
each, figures per day, an hour of traffic for each backup, minutes for the last month, and thirty restore points of
each VM. Then every query about the past is asked through the engine's door, with other arguments each time
where it takes any, so that no answer comes out of a cache of ours. The plans are those of the statements that
really ran.

Run by ``./dev bench catalog``, or ``python -m tests.bench.catalog [--vms N] [--days N] [--rounds N]``.
"""

import argparse
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from app.contract.log import LogFilter, ReadLog
from app.contract.overview import ReadOverview, ReadStatus, Search
from app.contract.rules import ListRules, ListRuleVms
from app.contract.statistics import (
    ListStatisticsTasks,
    ReadStatistics,
    ReadTraffic,
    TrafficRange,
)
from app.contract.tasks import ListTasks, TaskDetails, TaskLogLines
from app.domain.messages import LogLevel
from app.domain.periods import StatisticsPeriod
from app.domain.states import TaskState
from app.engine.engine import Engine
from tests.bench.catalog_history import NOW, VMS_PER_RULE, Builder, Installation, Vm
from tests.bench.page import circumstances, write_section
from tests.support.engine_lab import EngineLab
from tests.support.fakes import TurnableClock

GOAL_MS: Final = 50.0

Case = tuple[str, Callable[[], object]]


def cases(engine: Engine, made: Installation, chance: random.Random, days: int) -> list[Case]:
    """Return what is asked, each with a name."""

    def vm() -> Vm:
        return chance.choice(made.vms)

    def log(**conditions: Any) -> object:
        return engine.ask(ReadLog(filter=LogFilter(**conditions)))

    def long_ago() -> datetime:
        return NOW - timedelta(days=chance.randrange(days // 2, days))

    def page_deep_inside() -> object:
        return engine.ask(ReadLog(before=chance.randrange(made.line_count // 4, made.line_count // 2)))

    def of_vm(range_: TrafficRange) -> object:
        chosen = vm()
        return engine.ask(ReadTraffic(range=range_, rule=chosen.rule, vm=chosen.id))

    return [
        ("log, newest page", lambda: log()),
        ("log, page deep inside", page_deep_inside),
        ("log, a day long ago", lambda: log(start=(at := long_ago()), end=at + timedelta(days=1))),
        ("log, errors", lambda: log(at_least=LogLevel.ERROR)),
        ("log of a rule", lambda: log(rule=vm().rule)),
        ("log of a rule, errors", lambda: log(rule=vm().rule, at_least=LogLevel.ERROR)),
        ("log of a VM", lambda: log(rule=(chosen := vm()).rule, vm=chosen.id)),
        ("log, a word that is frequent", lambda: log(text="snapshot")),
        ("log, a VM's name", lambda: log(text=vm().name)),
        ("log, a word that never occurs (one stretch)", lambda: log(text=f"absent{chance.random()}")),
        ("traffic of a VM, day", lambda: of_vm(TrafficRange.DAY)),
        ("traffic of a VM, two years", lambda: of_vm(TrafficRange.HISTORY)),
        ("traffic of a rule, day", lambda: engine.ask(ReadTraffic(range=TrafficRange.DAY, rule=vm().rule))),
        (
            "traffic of a rule, two years",
            lambda: engine.ask(ReadTraffic(range=TrafficRange.HISTORY, rule=vm().rule)),
        ),
        ("traffic of everything, day", lambda: engine.ask(ReadTraffic(range=TrafficRange.DAY))),
        ("traffic of everything, two years", lambda: engine.ask(ReadTraffic(range=TrafficRange.HISTORY))),
        (
            "statistics of a VM, year",
            lambda: engine.ask(
                ReadStatistics(rule=(chosen := vm()).rule, vm=chosen.id, period=StatisticsPeriod.YEAR)
            ),
        ),
        (
            "statistics of a rule, year",
            lambda: engine.ask(ReadStatistics(rule=vm().rule, period=StatisticsPeriod.YEAR)),
        ),
        ("statistics of everything, year", lambda: engine.ask(ReadStatistics(period=StatisticsPeriod.YEAR))),
        (
            "tasks of a VM's statistics",
            lambda: engine.ask(ListStatisticsTasks(rule=(chosen := vm()).rule, vm=chosen.id, limit=200)),
        ),
        ("tasks of a rule's statistics", lambda: engine.ask(ListStatisticsTasks(rule=vm().rule, limit=200))),
        (
            "tasks of a rule's statistics, page behind the failed ones",
            lambda: engine.ask(ListStatisticsTasks(rule=vm().rule, limit=200, offset=chance.randrange(400, 2000))),
        ),
        ("tasks of all statistics, failed", lambda: engine.ask(ListStatisticsTasks(only_failed=True, limit=200))),
        ("tasks, newest", lambda: engine.ask(ListTasks(limit=200))),
        ("tasks that failed", lambda: engine.ask(ListTasks(states=(TaskState.FAILED,), limit=200))),
        ("tasks that completed", lambda: engine.ask(ListTasks(states=(TaskState.COMPLETED,), limit=200))),
        ("one task with its log", lambda: engine.ask(TaskDetails(task=chance.choice(made.tasks)))),
        ("a task's log lines", lambda: engine.ask(TaskLogLines(task=chance.choice(made.tasks)))),
        ("rules", lambda: engine.ask(ListRules())),
        ("VMs of a rule", lambda: engine.ask(ListRuleVms(rule=vm().rule))),
        ("overview", lambda: engine.ask(ReadOverview())),
        ("status", lambda: engine.ask(ReadStatus())),
        ("search for a VM", lambda: engine.ask(Search(text=vm().name))),
        ("search for what is not there", lambda: engine.ask(Search(text=f"absent{chance.random()}"))),
    ]


class PlanRecorder:
    """Writes down the plan of every statement that reads, as SQLite tells it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.plans: dict[str, None] = {}
        sa.event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, connection: sa.Connection, _: Any, statement: str, values: Any, *__: Any) -> None:
        if not statement.lstrip().startswith("SELECT"):
            return
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall():
            if str(row[3]).startswith(("SEARCH", "SCAN", "USE TEMP")) and "CONSTANT ROW" not in row[3]:
                self.plans[str(row[3])] = None

    def taken(self) -> list[str]:
        """Return the plans since the last call."""
        found, self.plans = list(self.plans), {}
        return found


@dataclass(frozen=True)
class Finding:
    """What was measured of one query."""

    name: str
    work_ms: list[float]
    """Time the answering thread worked."""
    times_ms: list[float]
    """Time until the answer was there."""
    plan: list[str]

    @property
    def median_ms(self) -> float:
        """The median of the work."""
        return statistics.median(self.work_ms)


def measure(engine: Engine, database: sa.Engine, asked: list[Case], rounds: int) -> list[Finding]:
    """Ask everything in turn, ``rounds`` times after one round that warms up, and once more for the plans."""
    times: dict[str, list[float]] = {name: [] for name, _ in asked}
    work: dict[str, list[float]] = {name: [] for name, _ in asked}
    for number in range(rounds + 1):
        for name, ask in asked:
            started, began = time.perf_counter(), time.thread_time()
            ask()
            if number:
                work[name].append((time.thread_time() - began) * 1000)
                times[name].append((time.perf_counter() - started) * 1000)
    recorder = PlanRecorder(database)
    found = []
    for name, ask in asked:
        ask()
        found.append(Finding(name, work[name], times[name], recorder.taken()))
        print(
            f"{name:60} {found[-1].median_ms:6.1f} ms of work, {statistics.median(times[name]):6.1f} ms in all",
            flush=True,
        )
        for line in found[-1].plan:
            print(f"    {line}")
    return found


def report(found: list[Finding], made: Installation, size_bytes: int, arguments: argparse.Namespace) -> bool:
    """Write the figures down; return whether the goal is reached."""
    rows = ["| query | work, median ms | work, most ms | until answered, median ms |", "|---|---|---|---|"]
    rows += [
        f"| {row.name} | {row.median_ms:.1f} | {max(row.work_ms):.1f} | {statistics.median(row.times_ms):.1f} |"
        for row in found
    ]
    plans = [line for row in found for line in [f"{row.name}:", *(f"    {step}" for step in row.plan)]]
    reached = all(row.median_ms < GOAL_MS for row in found)
    body = "\n".join(
        [
            f"A catalog of {arguments.days} days of {arguments.vms} VMs in rules of {VMS_PER_RULE}, a backup of "
            f"each every night: {len(made.tasks):,} tasks, {made.line_count:,} log lines, "
            f"{made.point_count:,} known restore points, {size_bytes / (1 << 20):,.0f} MiB on disk. Asked through "
            f"the engine's door, rows made and all, {arguments.rounds} rounds. Work is the processor time of the "
            "thread that answers, database included; until the answer is there also counts the waiting for a "
            f"processor of a machine that others used as well (load {_load():.1f} on {os.cpu_count()} cores). The "
            f"goal is a median of work below {GOAL_MS:.0f} ms each. A page of the log looks at 10,000 lines at "
            "most where words are searched for, and tells how far it got.",
            "",
            *rows,
            "",
            "Query plans (`EXPLAIN QUERY PLAN` of the statements that ran):",
            "",
            "```",
            *plans,
            "```",
            "",
            circumstances(f"./dev bench catalog --vms {arguments.vms} --days {arguments.days}"),
        ]
    )
    write_section("catalog", "Asking two years of history", body)
    return reached


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def main() -> int:
    """Build, measure, write the figures down, and fail when the goal is missed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--vms", type=int, default=500)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as folder:
        clock = TurnableClock(NOW)
        with EngineLab(Path(folder), clock=clock) as lab:
            started = time.perf_counter()
            file = Path(folder) / "catalog.db"
            made = Builder(lab.catalog, file, lab, arguments.days).build(arguments.vms)
            print(f"built in {time.perf_counter() - started:.0f} s: {file.stat().st_size / (1 << 20):.0f} MiB")
            asked = cases(lab.engine, made, random.Random(7), arguments.days)
            found = measure(lab.engine, lab.catalog.databases[0].engine, asked, arguments.rounds)
            size_bytes = file.stat().st_size
    reached = report(found, made, size_bytes, arguments)
    print("goal reached" if reached else "THE GOAL IS MISSED")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
