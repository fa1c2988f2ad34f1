"""The VMs of a rule with their restore points, for the dialogs that bring several back at once."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from app.contract.base import Query
from app.contract.rules import ListRuleVms, ListVmPoints, RuleVmRow
from app.domain.ids import RuleId, VmId
from app.domain.tasks import KnownPoint
from app.workers.answers import Failure
from app.workers.door import DoorClient, OpenCall

R = TypeVar("R")


class RulePoints(QObject):
    """Asks for the VMs of one rule, and for the restore points of each. Thread: GUI.

    Signals:
        listed: the VMs are known, not yet their points.
        found: all points are known.
        failed: something of it could not be had; carries the :class:`Failure`. What else was asked is given up.
    """

    listed = Signal()
    found = Signal()
    failed = Signal(object)

    def __init__(self, door: DoorClient, owner: QObject) -> None:
        super().__init__(owner)
        self._door = door
        self._calls: list[OpenCall] = []
        self._rows: dict[VmId, RuleVmRow] = {}
        self._points: dict[VmId, tuple[KnownPoint, ...]] = {}

    @property
    def rows(self) -> Sequence[RuleVmRow]:
        """Return the VMs of the rule, in its order."""
        return tuple(self._rows.values())

    @property
    def points(self) -> Mapping[VmId, tuple[KnownPoint, ...]]:
        """Return the points of the VMs of which they are known, newest first."""
        return self._points

    @property
    def is_complete(self) -> bool:
        """Return whether the points of all VMs are known."""
        return len(self._points) == len(self._rows)

    def ask(self, rule: RuleId) -> None:
        """Ask about a rule, in place of another or once more."""
        self.forget()
        self.ask_also(ListRuleVms(rule=rule), partial(self._on_vms, rule))

    def ask_also(
        self, query: Query[R], take: Callable[[R], None], fail: Callable[[Failure], None] | None = None
    ) -> None:
        """Ask for what belongs to the rule, until another one is asked about."""
        call = self._door.ask(query, owner=self, on_done=take, on_failed=fail or self._on_failed)
        self._calls.append(call)

    def forget(self) -> None:
        """Give up what was asked, and know nothing."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.cancel()
        self._rows, self._points = {}, {}

    def _on_vms(self, rule: RuleId, rows: Sequence[RuleVmRow]) -> None:
        self._rows = {row.vm: row for row in rows}
        self.listed.emit()
        for row in rows:
            self.ask_also(ListVmPoints(rule=rule, vm=row.vm), partial(self._on_points, row.vm))

    def _on_points(self, vm: VmId, points: tuple[KnownPoint, ...]) -> None:
        self._points[vm] = points
        if self.is_complete:
            self.found.emit()

    def _on_failed(self, failure: Failure) -> None:
        self.forget()
        self.failed.emit(failure)
