"""Asks what the VMs to be migrated are made of, one after the other."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import QObject

from app.contract.base import Query
from app.domain.ids import PlatformId, VmId
from app.domain.vms import VmSummary
from app.views.widgets.question import Question
from app.workers.answers import Failure
from app.workers.door import DoorClient

Facts = TypeVar("Facts")


class SourceFacts(Generic[Facts]):
    """Asks about VMs what a query returns, and remembers it. Thread: GUI."""

    def __init__(
        self,
        door: DoorClient,
        owner: QObject,
        query: Callable[[PlatformId, VmId], Query[Facts]],
        on_found: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            door: the way to the engine.
            owner: for whom is asked.
            query: makes the query about a VM.
            on_found: called when all that could be had is known.
        """
        self._question = Question(door, owner)
        self._query = query
        self._on_found = on_found
        self._platform: PlatformId | None = None
        self._known: dict[VmId, Facts] = {}
        self._left: list[VmId] = []

    def ask(self, platform: PlatformId, vms: Sequence[VmSummary]) -> None:
        """Ask about these VMs in place of others; what is known is not asked for again."""
        if platform != self._platform:
            self._platform, self._known = platform, {}
        self._question.withdraw()
        self._left = [vm.id for vm in vms if vm.id not in self._known]
        self._go_on()

    def of(self, vm: VmSummary) -> Facts | None:
        """Return what is known of a VM; None before it is, and where it could not be had."""
        return self._known.get(vm.id)

    def _go_on(self) -> None:
        if not self._left or self._platform is None:
            self._on_found()
            return
        self._question.ask(self._query(self._platform, self._left[0]), self._on_facts, self._on_failed)

    def _on_facts(self, facts: Facts) -> None:
        self._known[self._left.pop(0)] = facts
        self._go_on()

    def _on_failed(self, _failure: Failure) -> None:
        """What could not be had is not offered for change, and stays as it is."""
        self._left.pop(0)
        self._go_on()
