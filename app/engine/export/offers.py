"""Restore points that are offered over NBD to other programs of this machine."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from app.contract.offers import ListOffers, Offer, OfferedDisk, OfferPoint, WithdrawPoint
from app.core.changes import ChangeFeed
from app.core.clock import Clock
from app.domain.changes import Subject
from app.domain.ids import PointId, StandbyId
from app.engine.errors import NoMoreOffers, OfferedBySocket
from app.engine.handlers import handles
from app.engine.history import messages
from app.engine.log.journal import Journal, SubjectLog
from app.engine.points.reading import opened_point
from app.engine.standbys.repositories import Repositories
from app.nbd.exports import Export
from app.nbd.folders import remove_abandoned_folders
from app.nbd.server import NbdServer
from app.repository import PinPurpose, PointReader

_Key = tuple[StandbyId, str, PointId]


@dataclass(frozen=True, slots=True)
class _Running:
    """An offer with what it holds open."""

    offer: Offer
    exports: tuple[Export, ...]
    log: SubjectLog
    stack: ExitStack

    def now(self) -> Offer:
        """Return the offer with how many connections read each disk right now."""
        pairs = zip(self.offer.disks, self.exports, strict=True)
        return replace(
            self.offer, disks=tuple(replace(disk, connections=export.connections) for disk, export in pairs)
        )


class OfferHandlers:
    """Opens and ends NBD offers. Each holds its repository open.

    Thread: any. One lock around the list, and one per point for what may take long: a standby machine that does
    not answer does not hold up the list.
    """

    def __init__(self, repositories: Repositories, journal: Journal, clock: Clock, changes: ChangeFeed) -> None:
        self._repositories = repositories
        self._journal = journal
        self._clock = clock
        self._changes = changes
        self._lock = threading.Lock()
        self._changing: dict[_Key, threading.Lock] = {}
        self._running: dict[_Key, _Running] = {}
        self._is_closed = False

    def start(self) -> None:
        """Remove what engines that were killed have left."""
        remove_abandoned_folders()

    def close(self) -> None:
        """Withdraw everything, and offer nothing more."""
        with self._lock:
            self._is_closed = True
            running = list(self._running.values())
            self._running.clear()
        for offer in running:
            offer.stack.close()

    def _note(self) -> None:
        """Announce that what is offered, or how many read it, is different now."""
        self._changes.note(Subject.OFFERS)

    def count(self) -> int:
        """Return how many restore points are offered."""
        with self._lock:
            return len(self._running)

    def has_any_at(self, standby: StandbyId) -> bool:
        """Return whether a restore point at a standby machine is offered."""
        with self._lock:
            return any(place == standby for place, _, _ in self._running)

    @handles(ListOffers)
    def _list_offers(self, _: ListOffers) -> tuple[Offer, ...]:
        with self._lock:
            return tuple(offer.now() for offer in self._running.values())

    @handles(OfferPoint)
    def _offer(self, command: OfferPoint) -> Offer:
        key = (command.standby, command.target_path, command.point)
        with self._changing_lock(key):
            with self._lock:
                known = self._running.get(key)
            if known is None:
                return self._begin(key, command)
            if command.over_tcp and not known.offer.over_tcp:
                raise OfferedBySocket(point=command.point)
            return known.now()

    def _begin(self, key: _Key, command: OfferPoint) -> Offer:
        with ExitStack() as stack:
            offer, exports = self._opened(command, stack)
            log = self._journal.about(offer.vm_name, "point.offer")
            with self._lock:
                if self._is_closed:
                    raise NoMoreOffers
                running = self._running[key] = _Running(offer, exports, log, stack.pop_all())
        self._note()
        log.info(
            messages.POINT_OFFERED_OVER_TCP if offer.over_tcp else messages.POINT_OFFERED, point=command.point
        )
        return running.now()

    def _opened(self, command: OfferPoint, stack: ExitStack) -> tuple[Offer, tuple[Export, ...]]:
        repository = stack.enter_context(self._repositories.lease(command.standby, command.target_path))
        log = self._journal.about("", "point.offer")
        reader = stack.enter_context(opened_point(repository, command.point, PinPurpose.OFFER, log))
        exports = _exports(reader, self._note)
        server = stack.enter_context(NbdServer(exports, tcp=command.over_tcp or None))
        point = reader.point
        disks = tuple(
            OfferedDisk(
                key=disk.key,
                label=disk.label,
                capacity_bytes=disk.capacity_bytes,
                address=server.address(export.name),
            )
            for disk, export in zip(point.disks, exports, strict=True)
        )
        offer = Offer(
            standby=command.standby,
            target_path=command.target_path,
            point=command.point,
            vm_name=point.facts.name,
            point_at=point.created_at,
            since=self._clock.now(),
            over_tcp=server.socket_path is None,
            disks=disks,
        )
        return offer, exports

    @handles(WithdrawPoint)
    def _withdraw(self, command: WithdrawPoint) -> None:
        key = (command.standby, command.target_path, command.point)
        with self._changing_lock(key):
            with self._lock:
                known = self._running.pop(key, None)
            if known is not None:
                self._note()
                known.stack.close()
                known.log.info(messages.POINT_WITHDRAWN, point=command.point)

    def _changing_lock(self, key: _Key) -> threading.Lock:
        with self._lock:
            return self._changing.setdefault(key, threading.Lock())


def _exports(reader: PointReader, on_connections: Callable[[], None]) -> tuple[Export, ...]:
    point = reader.point
    return tuple(
        Export(
            str(disk.key),
            f"{point.facts.name}, {disk.label}, {point.created_at:%Y-%m-%d %H:%M} UTC",
            partial(reader.open_disk, disk.key),
            on_connections=on_connections,
        )
        for disk in point.disks
    )
