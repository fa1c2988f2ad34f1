"""Pins: which restore points are in use for long, and an end to those whose holder is gone."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from app.contract.pins import EndPin, ListPins, PinProblem, PinRow
from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.domain.instant import InstantRecovery
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.history import messages
from app.engine.instant.errors import NeededByRecovery
from app.engine.log.journal import Journal
from app.engine.points.errors import PinAtWork
from app.engine.ports import InstantStore, PointStore, StandbyStore
from app.engine.reasons import NO_SUCH_PIN
from app.engine.standbys.lookup import registered_standby
from app.engine.standbys.repositories import Repositories
from app.repository import Pin

_NEVER = datetime.min.replace(tzinfo=UTC)
_log = logging.getLogger(__name__)


class PinHandlers:
    """Lists and ends pins. Thread: any."""

    def __init__(
        self,
        *,
        points: PointStore,
        standbys: StandbyStore,
        recoveries: InstantStore,
        repositories: Repositories,
        journal: Journal,
    ) -> None:
        self._recoveries = recoveries
        self._points = points
        self._standbys = standbys
        self._repositories = repositories
        self._journal = journal

    @handles(ListPins)
    def _list_pins(self, query: ListPins) -> tuple[PinRow, ...]:
        standby = registered_standby(self._standbys, query.standby)
        rows: list[PinRow] = []
        for target_path in sorted(self._standbys.repositories(standby.id)):
            try:
                rows += self._rows(standby.id, target_path)
            except OperationalError as error:
                _log.info("the pins of %s were not read: %s", target_path or "/", error)
        return tuple(sorted(rows, key=lambda row: (row.since or _NEVER, row.id)))

    def _rows(self, standby: StandbyId, target_path: str) -> Iterator[PinRow]:
        with self._repositories.lease(standby, target_path) as repository:
            listing = repository.pins.listing()
        for problem, pins in ((PinProblem.UNREADABLE, listing.unreadable), (PinProblem.NEWER, listing.newer)):
            for pin_id in pins:
                yield PinRow(standby=standby, target_path=target_path, id=pin_id, problem=problem)
        for pin in listing.pins:
            yield self._row(standby, target_path, pin)

    def _row(self, standby: StandbyId, target_path: str, pin: Pin) -> PinRow:
        known = self._points.get(standby, target_path, pin.point)
        return PinRow(
            standby=standby,
            target_path=target_path,
            id=pin.id,
            point=pin.point,
            vm_name="" if known is None else known.point.facts.name,
            point_at=None if known is None else known.point.created_at,
            purpose=pin.purpose if isinstance(pin.purpose, str) else pin.purpose.said(),
            since=pin.since,
            host=pin.host,
            is_ours=pin.is_ours,
            is_at_work=pin.is_at_work or self._recovery_of(pin.id) is not None,
        )

    def _recovery_of(self, pin: str) -> InstantRecovery | None:
        return next((recovery for recovery in self._recoveries.all() if recovery.pin == pin), None)

    @handles(EndPin)
    def _end_pin(self, command: EndPin) -> None:
        """End a pin.

        Raises:
            PinAtWork: work of this console holds it.
            NeededByRecovery: an instant recovery does.
            RequestRefused: that is no id of a pin.
            OperationalError: the repository refused.
        """
        recovery = self._recovery_of(command.pin)
        if recovery is not None:
            raise NeededByRecovery(name=recovery.point, vm=recovery.name)
        with self._repositories.lease(command.standby, command.target_path) as repository:
            listing = repository.pins.listing()
            pin = next((pin for pin in listing.pins if pin.id == command.pin), None)
            if pin is not None and pin.is_at_work:
                raise PinAtWork(point=pin.point, purpose=pin.purpose)
            try:
                repository.pins.end(command.pin)
            except ValueError as error:
                raise RequestRefused(detail=NO_SUCH_PIN.fill(pin=command.pin)) from error
        if pin is None:
            if command.pin in (*listing.unreadable, *listing.newer):
                self._journal.about("", "pin.end").warning(messages.UNKNOWN_PIN_ENDED, pin=command.pin)
            return
        known = self._points.get(command.standby, command.target_path, pin.point)
        vm_name = "" if known is None else known.point.facts.name
        self._journal.about(vm_name, "pin.end").warning(
            messages.PIN_ENDED, point=pin.point, host=pin.host, purpose=pin.purpose, since=pin.local_since
        )
