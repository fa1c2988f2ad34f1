"""Stopping rules and VMs in a way that can be taken back: exactly what ran on before is started again."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject

from app.contract.base import Command
from app.contract.rules import ListRuleVms, RuleVmRow, StartVms, StopRules, StopVms
from app.domain.ids import RuleId, VmId
from app.domain.states import TaskState
from app.domain.units import filled
from app.views.console import Console
from app.views.widgets.undo import UndoStrip
from app.workers.answers import Failure

_UNDER_WAY = frozenset(TaskState) - {
    TaskState.STARTING,
    TaskState.IDLE,
    TaskState.PENDING,
    TaskState.STOPPED,
    TaskState.UNKNOWN,
    TaskState.COMPLETED,
    TaskState.FAILED,
}


def started(rows: Sequence[RuleVmRow]) -> tuple[VmId, ...]:
    """Return the VMs that are not stopped already."""
    return tuple(row.vm for row in rows if row.state is not TaskState.STOPPED)


def running(rows: Sequence[RuleVmRow]) -> int:
    """Return for how many VMs a run is under way, which takes a moment to end."""
    return sum(row.state in _UNDER_WAY for row in rows)


class Stopper(QObject):
    """Stops rules or VMs, and offers to start again what it stopped. Thread: GUI."""

    def __init__(
        self,
        console: Console,
        strip: UndoStrip,
        on_changed: Callable[[], None],
        on_refused: Callable[[Failure], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._console = console
        self._strip = strip
        self._on_changed = on_changed
        self._on_refused = on_refused

    def stop_vms(self, rule: RuleId, rows: Sequence[RuleVmRow]) -> None:
        """Stop VMs of one rule."""
        vms = tuple(row.vm for row in rows)
        back = [StartVms(rule=rule, vms=ran)] if (ran := started(rows)) else []
        self._stop(StopVms(rule=rule, vms=vms), back, len(started(rows)), running(rows))

    def stop_rules(self, rules: Sequence[RuleId]) -> None:
        """Stop all VMs of some rules; those that were stopped by hand before stay so when it is taken back."""
        waiting, back, under_way = list(rules), list[StartVms](), list[int]()

        def look(_failure: Failure | None = None) -> None:
            if not waiting:
                count = sum(len(group.vms) for group in back)
                self._stop(StopRules(rules=tuple(rules)), back, count, sum(under_way))
                return
            rule = waiting.pop(0)

            def take(rows: tuple[RuleVmRow, ...]) -> None:
                under_way.append(running(rows))
                if ran := started(rows):
                    back.append(StartVms(rule=rule, vms=ran))
                look()

            self._console.door.ask(ListRuleVms(rule=rule), owner=self, on_done=take, on_failed=look)

        look()

    def _stop(self, command: Command[Any], back: Sequence[StartVms], count: int, under_way: int) -> None:
        def done(_answer: object) -> None:
            if back:
                text = QCoreApplication.translate(
                    "Stopper",
                    "{count} {count:VM was/VMs were} stopped; what ran for {count:it/them} is not resumed.",
                )
                if under_way:
                    text = QCoreApplication.translate(
                        "Stopper",
                        "{count} {count:VM is/VMs are} being stopped; "
                        "what ran for {count:it/them} is not resumed.",
                    )
                action = QCoreApplication.translate("Stopper", "Start again")
                self._strip.offer(filled(text, {"count": count}), action, lambda: self._start(list(back)))
            self._on_changed()

        self._console.door.execute(command, owner=self, on_done=done, on_failed=self._on_refused)

    def _start(self, waiting: list[StartVms]) -> None:
        def next_one(_answer: object = None) -> None:
            if waiting:
                command = waiting.pop(0)
                self._console.door.execute(command, owner=self, on_done=next_one, on_failed=self._on_refused)
            else:
                self._on_changed()

        next_one()
