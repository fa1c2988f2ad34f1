"""Restore points that are offered over NBD to other programs of this machine."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack

from app.domain.ids import PointId, StandbyId
from app.engine.commands.offers import OfferPoint, WithdrawPoint
from app.engine.desks import Handler
from app.engine.jobs import Workshop
from app.engine.queries.offers import ListOffers, Offer, OfferedDisk
from app.engine.reading import opened_point
from app.nbd.exports import Export
from app.nbd.server import NbdServer

_Key = tuple[StandbyId, str, PointId]


class OffersDesk:
    """Opens and ends NBD offers. Each holds its repository open. Thread: any; one lock around the list."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._lock = threading.Lock()
        self._open: dict[_Key, tuple[Offer, ExitStack]] = {}

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {
            OfferPoint: self._offer,
            WithdrawPoint: self._withdraw,
            ListOffers: lambda _: self._offers(),
        }

    def close(self) -> None:
        """Withdraw everything."""
        with self._lock:
            stacks = [stack for _, stack in self._open.values()]
            self._open.clear()
        for stack in stacks:
            stack.close()

    def _offers(self) -> tuple[Offer, ...]:
        with self._lock:
            return tuple(offer for offer, _ in self._open.values())

    def _offer(self, command: OfferPoint) -> Offer:
        key = (command.standby, command.target_path, command.point)
        with self._lock:
            known = self._open.get(key)
            if known is not None:
                return known[0]
            with ExitStack() as stack:
                offer = self._begin(command, stack)
                self._open[key] = (offer, stack.pop_all())
        return offer

    def _begin(self, command: OfferPoint, stack: ExitStack) -> Offer:
        lease = self._workshop.repositories.lease(command.standby, command.target_path)
        repository = stack.enter_context(lease)
        log = self._workshop.journal.about("", "point.offer")
        reader = stack.enter_context(opened_point(repository, command.point, log))
        point = reader.point
        exports = [
            Export(
                str(disk.key),
                f"{point.facts.name}, {disk.label}, {point.created_at:%Y-%m-%d %H:%M} UTC",
                lambda key=disk.key: reader.open_disk(key),  # type: ignore[misc]
            )
            for disk in point.disks
        ]
        server = stack.enter_context(NbdServer(exports, tcp=command.over_tcp or None))
        disks = tuple(
            OfferedDisk(
                key=disk.key,
                label=disk.label,
                capacity_bytes=disk.capacity_bytes,
                address=server.address(str(disk.key)),
            )
            for disk in point.disks
        )
        return Offer(standby=command.standby, target_path=command.target_path, point=command.point, disks=disks)

    def _withdraw(self, command: WithdrawPoint) -> None:
        with self._lock:
            known = self._open.pop((command.standby, command.target_path, command.point), None)
        if known is not None:
            known[1].close()
