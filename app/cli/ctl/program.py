"""``program``, ``clock``, ``stat`` and ``log``."""

import threading
import time
from argparse import Namespace

from app.cli.ctl.names import find_rule, find_task
from app.cli.ctl.screen import Screen, size
from app.cli.ctl.tasks import DONE, FAILED
from app.contract.door import Door
from app.contract.errors import EngineAway
from app.contract.log import LogEntryRow, LogFilter, ReadLog
from app.contract.overview import ReadOverview, ReadStatus
from app.contract.program import TASKS_RUN, ConfirmClock, EndProgram
from app.contract.statistics import ReadStatistics
from app.domain.engine_events import EngineLost
from app.domain.errors import OperationalError
from app.domain.events import Event
from app.domain.messages import LogLevel
from app.domain.periods import StatisticsPeriod

_PAGE = 500
_LOOK_S = 1.0
_END_S = 180.0
"""Stopping tasks takes the time of a snapshot's removal; an engine that takes longer is said to go on."""


def show_status(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show the state of the engine, or the statistics of a rule."""
    if chosen.rule:
        return _show_statistics(door, screen, chosen)
    status = door.ask(ReadStatus())
    facts: list[tuple[str, object]] = [
        ("Engine", f"process {status.engine_pid}"),
        ("Started", status.started_at),
        ("Running", status.running),
        ("Pending", status.pending),
        ("Reading", f"{size(status.read_bytes_per_s)}/s"),
        ("Unviewed errors", status.unviewed_errors),
    ]
    facts += [
        (
            f"Standby {standby.name}",
            _space(standby.free_bytes, standby.total_bytes) if standby.reachable else "cannot be reached",
        )
        for standby in status.standbys
    ]
    screen.facts(facts, status)
    return DONE


def end_program(door: Door, screen: Screen, chosen: Namespace) -> int:
    """End the window and the engine, and return when the engine has ended."""
    ended = threading.Event()

    def note_end(event: Event) -> None:
        if isinstance(event, EngineLost):
            ended.set()

    unsubscribe = door.subscribe(note_end)
    try:
        _ask_for_end(door, chosen)
        if ended.wait(_END_S):
            screen.remark("The program has ended.")
            return DONE
    finally:
        unsubscribe()
    screen.remark(f"The program has not ended within {_END_S:g} s; it goes on cleaning up.")
    return FAILED


def _ask_for_end(door: Door, chosen: Namespace) -> None:
    while True:
        try:
            door.execute(EndProgram(stops_tasks=chosen.stop_tasks))
        except EngineAway:
            return  # it ended before its answer was on its way
        except OperationalError as error:
            if error.code != TASKS_RUN or not chosen.when_idle:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def show_clock(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show why this machine's clock is not believed; 1 when it is not."""
    del chosen
    doubts = door.ask(ReadOverview()).clock_doubts
    rows = ((doubt.kind.value, doubt.subject or "-", f"{doubt.seconds / 3600:+.1f}") for doubt in doubts)
    screen.table(("doubt", "against", ">hours ahead"), rows, doubts)
    return 1 if doubts else DONE


def confirm_clock(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Say that this machine's clock is right."""
    del chosen
    door.execute(ConfirmClock())
    screen.remark("The clock is believed; expired restore points are removed again after the next runs.")
    return DONE


def _show_statistics(door: Door, screen: Screen, chosen: Namespace) -> int:
    rule = find_rule(door, chosen.rule)
    figures = door.ask(ReadStatistics(rule=rule.id, period=StatisticsPeriod(chosen.period)))
    screen.facts(
        [
            ("Rule", rule.name),
            ("Succeeded", figures.succeeded),
            ("Failed", figures.failed),
            ("Read", size(figures.read_bytes)),
            ("Written", size(figures.stored_bytes)),
            ("Unviewed errors", figures.unviewed_errors),
        ],
        figures,
    )
    if not screen.as_json:
        days = ((day.day, day.succeeded, day.failed, size(day.read_bytes)) for day in figures.days)
        screen.table(("day", ">succeeded", ">failed", ">read"), days, figures.days)
    return DONE


def show_log(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show the newest lines of the log, oldest first."""
    wanted = LogFilter(
        at_least=LogLevel[chosen.level.upper()],
        text=chosen.text,
        rule=find_rule(door, chosen.rule).id if chosen.rule else None,
        task=find_task(door, chosen.task).id if chosen.task else None,
    )
    rows: list[LogEntryRow] = []
    before: int | None = None
    while len(rows) < chosen.lines:
        page = door.ask(ReadLog(filter=wanted, before=before, limit=min(_PAGE, chosen.lines - len(rows))))
        rows.extend(page.rows)
        before = page.older
        if before is None:
            break
    rows.reverse()
    columns = ("time", "level", "subject", "action", "message")
    cells = ((row.line.at, row.line.level.name.lower(), row.subject, row.action, row.line.text) for row in rows)
    screen.table(columns, cells, rows)
    return DONE


def _space(free_bytes: int | None, total_bytes: int | None) -> str:
    if free_bytes is None or total_bytes is None:
        return "free space unknown"
    return f"{size(free_bytes)} of {size(total_bytes)} free"
