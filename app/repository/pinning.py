"""Opens a restore point with a pin, so that it may stay open as long as anybody likes."""

from functools import partial

from app.domain.errors import OperationalError
from app.domain.ids import PointId
from app.repository.errors import PointNotPinned
from app.repository.leases import Leases
from app.repository.parts import RepositoryParts
from app.repository.pins import Pin, Pins
from app.repository.reader import PointReader
from app.repository.reasons import PinPurpose
from app.repository.sharing import SharedLease, is_not_writable


def open_pinned(
    parts: RepositoryParts, shared: SharedLease, leases: Leases, point: PointId, purpose: PinPurpose
) -> PointReader:
    """Pin a point, look whether it is there, and let go of the lease that kept garbage collection out meanwhile.

    Where no pin can be written the reader keeps the lease, if there is one.

    Raises:
        PointMissing, PointDamaged: it cannot be read.
        RepositoryBusy: garbage collection is under way.
        StandbyUnavailable: the standby cannot be read.
    """
    problem = shared.enter_reading()
    pin: Pin | None = None
    try:
        if problem is None:
            pin = _pin_if_writable(leases, parts.pins, point, purpose)
        parts.packs.allow_synchronization()
        found = parts.stored_points.load(point)
    except BaseException:
        if pin is not None:
            parts.pins.give_back(pin)
        shared.leave()
        raise
    if pin is None:
        return PointReader(parts, found, shared.leave, without_lease=problem)
    shared.leave()
    return PointReader(parts, found, partial(parts.pins.give_back, pin))


def keep_point(
    parts: RepositoryParts, shared: SharedLease, leases: Leases, point: PointId, purpose: PinPurpose
) -> Pin:
    """Pin a point for work that outlives this process; the pin ends when somebody ends it.

    Raises:
        PointMissing, PointDamaged: it cannot be read; nothing is pinned.
        RepositoryBusy: garbage collection is under way.
        StandbyFull, StandbyUnavailable: the standby refuses.
    """
    with shared.held():
        pin = leases.with_free_space(lambda: parts.pins.take(point, purpose))
        try:
            parts.stored_points.load(point)
        except BaseException:
            parts.pins.give_back(pin)
            raise
        parts.pins.let_go(pin)
    return pin


def open_held(parts: RepositoryParts, point: PointId) -> PointReader:
    """Open a point that somebody else keeps.

    Raises:
        PointNotPinned: nobody does.
        PinUnreadable, WrittenByNewer: that is not known.
        PointMissing, PointDamaged: it cannot be read.
        StandbyUnavailable: the standby cannot be read.
    """
    if not any(pin.point == point for pin in parts.pins.known()):
        raise PointNotPinned(point=point)
    parts.packs.allow_synchronization()
    return PointReader(parts, parts.stored_points.load(point), _nothing)


def _nothing() -> None:
    """Do nothing: the pin is another's."""


def _pin_if_writable(leases: Leases, pins: Pins, point: PointId, purpose: PinPurpose) -> Pin | None:
    try:
        return leases.with_free_space(lambda: pins.take(point, purpose))
    except OperationalError as error:
        if not is_not_writable(error):
            raise
        return None
