"""Pins: which restore points are in use for long, by whom and for what.

A pin is a small file in ``pins/``. Unlike a lease it keeps nobody out, and no time ends it: garbage collection
runs beside it and keeps what its point reaches, and a machine that slept for a week finds its point as it was. It
ends when its holder takes it away, or an operator says that the holder is gone for good.

A pin is written first and its point read afterwards; whoever deletes a point looks for pins, moves the point away
and looks once more. So of two that meet at least one sees the other and steps back.
"""

import platform
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.core.clock import Clock
from app.core.durable import rename, sync_directory, unlink
from app.domain.display import visible
from app.domain.ids import PointId
from app.repository.documents import decode_document, encode_document, is_newer
from app.repository.errors import PinUnreadable, PointPinned, WrittenByNewer
from app.repository.files import Displaced, make_directory, read_bounded, storage_errors, write_new
from app.repository.layout import PIN_SUFFIX, SCRATCH_SUFFIX, Layout, is_pin_id, split_point_id
from app.repository.reasons import PIN, PinPurpose, pin_purpose_of

_LONGEST_PIN_BYTES = 16 * 1024
_PIN_FORMAT = 1

_held: set[str] = set()
"""Pins that this process holds; any other of its holder was left by a process that ended without its goodbye."""


class _PinFile(msgspec.Struct, frozen=True):
    format: int
    id: str
    point: str
    purpose: str
    since: str
    holder: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A restore point that somebody uses for long."""

    id: str
    point: PointId
    purpose: PinPurpose | str
    """Text where a later version of the program wrote what this one has no word for."""
    since: datetime
    """By the holder's clock, for people to read."""
    host: str
    """The holder's machine, for people to read."""
    is_ours: bool
    """Whether this console holds it."""
    is_at_work: bool
    """Whether work of this process holds it right now."""

    @property
    def local_since(self) -> str:
        """Since when, as people read it here."""
        return f"{self.since.astimezone():%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinListing:
    """All pins of a repository, the oldest first."""

    pins: tuple[Pin, ...]
    unreadable: tuple[str, ...] = ()
    """Ids of those that are damaged: it is not known which points they keep."""
    newer: tuple[str, ...] = ()
    """Ids of those that a newer program wrote."""


class Pins:
    """The pins of one repository. Thread: any."""

    def __init__(self, layout: Layout, clock: Clock, holder: str) -> None:
        """Prepare; ``holder`` tells this console from every other, and stays when it is started again."""
        self._layout = layout
        self._clock = clock
        self._holder = holder

    def take(self, point: PointId, purpose: PinPurpose) -> Pin:
        """Pin a point, durably; the caller holds a lease, and looks afterwards whether the point is there.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
            LinkRefused: a link is in the place of the directory.
        """
        pin_id, since, host = uuid.uuid4().hex, self._clock.now(), platform.node()
        file = _PinFile(_PIN_FORMAT, pin_id, point, purpose.value, since.isoformat(), self._holder, host)
        path, scratch = self._path(pin_id), self._layout.pins / f"{pin_id}{SCRATCH_SUFFIX}"
        _held.add(pin_id)
        try:
            with storage_errors(self._layout.root):
                make_directory(self._layout.pins)
                write_new(scratch, encode_document(file))
                rename(scratch, path)
                sync_directory(self._layout.pins)
        except BaseException:
            _held.discard(pin_id)
            for left in (scratch, path):
                with suppress(OSError):
                    unlink(left)
            raise
        return self._described(file)

    def give_back(self, pin: Pin) -> None:
        """End a pin that this process took; never raises: what the standby refuses now is ended later.

        See :meth:`end_abandoned`.
        """
        _held.discard(pin.id)
        with suppress(OSError):
            self._remove(pin.id)

    def let_go(self, pin: Pin) -> None:
        """Leave a pin that this process took to work that goes on without it."""
        _held.discard(pin.id)

    def end(self, pin_id: str) -> None:
        """End a pin whoever holds it, since an operator said so; one that is gone is fine.

        Raises:
            ValueError: that is no id of a pin.
            StandbyUnavailable: the standby refuses.
        """
        if not is_pin_id(pin_id):
            raise ValueError(f"not the id of a pin: {pin_id!r}")
        with storage_errors(self._layout.root):
            self._remove(pin_id)

    def end_abandoned(self) -> int:
        """End the pins of this console that none of its work holds, and return how many there were.

        They are of a process that was killed, or the standby refused to let go of them. No other process of this
        console may be at work. Those of instant recoveries stay: their VMs run without the console.

        Raises:
            StandbyUnavailable: the standby refuses.
        """
        abandoned = [pin for pin in self.listing().pins if pin.is_ours and not pin.is_at_work and not _stays(pin)]
        for pin in abandoned:
            self.end(pin.id)
        return len(abandoned)

    def listing(self) -> PinListing:
        """Return all pins.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        pins: list[Pin] = []
        unreadable: list[str] = []
        newer: list[str] = []
        with storage_errors(self._layout.root):
            for path in self._paths():
                try:
                    data = read_bounded(path, _LONGEST_PIN_BYTES)
                except FileNotFoundError:  # ended in this moment
                    continue
                except (ValueError, Displaced):
                    data = b""
                if is_newer(data, _PIN_FORMAT):
                    newer.append(path.stem)
                    continue
                try:
                    pins.append(self._described(_read(data, path.stem)))
                except ValueError:
                    unreadable.append(path.stem)
        pins.sort(key=lambda pin: (pin.since, pin.id))
        return PinListing(pins=tuple(pins), unreadable=tuple(unreadable), newer=tuple(newer))

    def known(self) -> tuple[Pin, ...]:
        """Return all pins, where it has to be known what each of them keeps.

        Raises:
            PinUnreadable, WrittenByNewer: that is not known of one.
            StandbyUnavailable: the standby cannot be read.
        """
        listing = self.listing()
        for pin_id in listing.newer:
            raise WrittenByNewer(what=PIN.fill(pin=pin_id))
        for pin_id in listing.unreadable:
            raise PinUnreadable(pin=pin_id)
        return listing.pins

    def refuse_pinned(self, *points: PointId) -> None:
        """Make sure that nobody uses any of these points for long.

        Raises:
            PointPinned: somebody does.
            PinUnreadable, WrittenByNewer: that is not known.
            StandbyUnavailable: the standby cannot be read.
        """
        for pin in self.known():
            if pin.point in points:
                raise PointPinned(point=pin.point, host=pin.host, purpose=pin.purpose, since=pin.local_since)

    def _described(self, file: _PinFile) -> Pin:
        is_ours = file.holder == self._holder
        return Pin(
            id=file.id,
            point=PointId(file.point),
            purpose=pin_purpose_of(file.purpose),
            since=datetime.fromisoformat(file.since).astimezone(UTC),
            host=visible(file.host),
            is_ours=is_ours,
            is_at_work=is_ours and file.id in _held,
        )

    def _path(self, pin_id: str) -> Path:
        return self._layout.pins / f"{pin_id}{PIN_SUFFIX}"

    def _paths(self) -> Iterator[Path]:
        try:
            paths = sorted(self._layout.pins.iterdir())
        except FileNotFoundError:  # a repository of an earlier version, or one that was never pinned
            return
        yield from (path for path in paths if path.suffix == PIN_SUFFIX and is_pin_id(path.stem))

    def _remove(self, pin_id: str) -> None:
        with suppress(FileNotFoundError):
            unlink(self._path(pin_id))
            sync_directory(self._layout.pins)


def _stays(pin: Pin) -> bool:
    return isinstance(pin.purpose, PinPurpose) and pin.purpose.outlives_process


def _read(data: bytes, pin_id: str) -> _PinFile:
    """Read a pin's file.

    Raises:
        ValueError: it is not what was written.
    """
    file = decode_document(data, _PinFile)
    split_point_id(PointId(file.point))
    if file.id != pin_id or datetime.fromisoformat(file.since).tzinfo is None:
        raise ValueError("it is not what was written")
    return file
