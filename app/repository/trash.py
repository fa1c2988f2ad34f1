"""Deleted points: they lie in the trash for a grace time and can be taken back."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.core.durable import remove_directory, rename, sync_directory
from app.domain.ids import PointId
from app.domain.moments import is_in_future
from app.domain.restore_point import RestorePoint
from app.repository.errors import PointDamaged, PointExists, PointMissing, PointPinned, PointTooNew
from app.repository.files import (
    move_into,
    refuse_links,
    storage_errors,
    subdirectories,
)
from app.repository.layout import Layout, is_readable_name, is_stamp, split_point_id
from app.repository.leftovers import Leftovers
from app.repository.pins import Pins
from app.repository.pointfile import restore_point
from app.repository.points import StoredPoints

_ENTRY = re.compile(r"(?P<stamp>[0-9_-]+)\.(?P<seconds>\d{1,12})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedPoint:
    """A deleted point that can still be taken back."""

    id: PointId
    deleted_at: datetime
    point: RestorePoint | None
    """None when its description cannot be read."""
    newer: bool = False
    """Whether it is whole, and only a newer program reads it."""


class Trash:
    """The trash of one repository. Thread: any; the caller holds a lease for everything but listing."""

    def __init__(self, layout: Layout, stored_points: StoredPoints, pins: Pins) -> None:
        self._layout = layout
        self._pins = pins
        self._stored_points = stored_points

    def put(self, point: PointId, now: datetime) -> None:
        """Move a committed point to the trash, unless somebody uses it for long.

        Raises:
            PointPinned: somebody does; it is where it was.
            PinUnreadable, WrittenByNewer: it is not known whether somebody does.
            PointMissing: there is no such point.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        try:
            chain, stamp = split_point_id(point)
        except ValueError as error:
            raise PointMissing(point=point) from error
        source, folder = self._layout.point(point), self._layout.trash / chain
        self._pins.refuse_pinned(point)
        with storage_errors(self._layout.root):
            refuse_links([source.parent])
            if not source.is_dir():
                raise PointMissing(point=point)
            move_into(source, _free_place(folder, stamp, now))
            sync_directory(folder)
            sync_directory(source.parent)
            with suppress(OSError):  # the last point of a chain takes the chain's directory with it
                remove_directory(source.parent)
        try:
            self._pins.refuse_pinned(point)
        except PointPinned:  # in this moment: it stays
            self.take_back(point)
            raise

    def entries(self) -> tuple[TrashedPoint, ...]:
        """Return the deleted points, the one deleted last first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        found = [self._describe(path, point, deleted) for path, point, deleted in self._directories()]
        return tuple(sorted(found, key=lambda entry: (entry.deleted_at, entry.id), reverse=True))

    def take_back(self, point: PointId) -> None:
        """Move a deleted point back to the committed ones; of several deletions the last one counts.

        Raises:
            PointMissing: it is not in the trash.
            PointExists: a point of that name is there.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        deletions = [(deleted, path) for path, found, deleted in self._directories() if found == point]
        if not deletions:
            raise PointMissing(point=point)
        source, target = max(deletions)[1], self._layout.point(point)
        with storage_errors(self._layout.root):
            if target.exists():
                raise PointExists(point=point)
            move_into(source, target)
            sync_directory(target.parent)
            sync_directory(source.parent)
            with suppress(OSError):
                remove_directory(source.parent)

    def restart_grace(self, now: datetime) -> None:
        """Let the grace time of points begin now that were deleted in the future, by a clock that was wrong.

        The caller holds the exclusive lease.

        Raises:
            StandbyUnavailable: the standby refuses.
        """
        for path, _, deleted in self._directories():
            if is_in_future(deleted, now):
                with suppress(OSError):  # the next garbage collection tries again
                    rename(path, _free_place(path.parent, path.name.partition(".")[0], now))
                    sync_directory(path.parent)

    def purge(self, point: PointId, deleted_at: datetime, scratch: Path, leftovers: Leftovers) -> bool:
        """Delete a point for good; return whether it is gone. It leaves the trash at once, into ``scratch``.

        Raises:
            StandbyUnavailable: the standby is gone.
        """
        gone = True
        for path, found, deleted in self._directories():
            if found != point or deleted != deleted_at:
                continue
            target = scratch / f"purged-{path.name}"
            try:
                rename(path, target)
            except OSError as error:
                with storage_errors(self._layout.root):
                    self._layout.settings.stat()
                leftovers.note(path, error)
                gone = leftovers.remove(path)
                continue
            with storage_errors(self._layout.root):
                sync_directory(path.parent)
            leftovers.remove(target)
            with suppress(OSError):
                remove_directory(path.parent)
        return gone

    def _directories(self) -> list[tuple[Path, PointId, datetime]]:
        found: list[tuple[Path, PointId, datetime]] = []
        with storage_errors(self._layout.root):
            names, links = subdirectories(self._layout.trash)
            refuse_links(self._layout.trash / name for name in links)
            for name in filter(is_readable_name, names):
                chain = self._layout.trash / name
                for path in _inside(chain):
                    match = _ENTRY.fullmatch(path.name)
                    if match and is_stamp(match["stamp"]):
                        deleted = datetime.fromtimestamp(min(int(match["seconds"]), 250_000_000_000), UTC)
                        found.append((path, PointId(f"{chain.name}/{match['stamp']}"), deleted))
        return found

    def _describe(self, path: Path, point: PointId, deleted_at: datetime) -> TrashedPoint:
        try:
            described = restore_point(self._stored_points.load_from(path, point), point)
        except PointTooNew:
            return TrashedPoint(id=point, deleted_at=deleted_at, point=None, newer=True)
        except (PointDamaged, PointMissing, ValueError):
            described = None
        return TrashedPoint(id=point, deleted_at=deleted_at, point=described)


def _inside(chain: Path) -> list[Path]:
    """Return what is in a chain's directory; one that someone else emptied and removed meanwhile is empty."""
    with suppress(FileNotFoundError):
        return list(chain.iterdir())
    return []


def _free_place(folder: Path, stamp: str, now: datetime) -> Path:
    """Return the place of a point that is deleted now, or as soon after as its name is not taken."""
    seconds = int(now.timestamp())
    while (folder / f"{stamp}.{seconds}").exists():
        seconds += 1
    return folder / f"{stamp}.{seconds}"
