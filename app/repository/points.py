"""Reads restore points: ``points/<chain>/<stamp>/`` with ``point.json``, configuration and changed extents."""

from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from app.domain.extents import Extent
from app.domain.ids import PointId
from app.domain.messages import Param
from app.domain.restore_point import RestorePoint
from app.repository.crypto import RepositoryKeys
from app.repository.documents import decode_document, format_of, is_newer
from app.repository.errors import PointDamaged, PointMissing, PointTooNew
from app.repository.files import (
    Displaced,
    is_link,
    read_bounded,
    refuse_links,
    storage_errors,
    subdirectories,
)
from app.repository.layout import (
    CHANGES_NAME,
    FILES_NAME,
    POINT_NAME,
    Layout,
    composed,
    folded,
    is_readable_name,
    is_stamp,
    split_point_id,
)
from app.repository.pointfile import (
    LARGEST_SEQUENCE,
    POINT_FORMAT,
    ChangesFile,
    PointFile,
    StoredFile,
    restore_point,
)
from app.repository.reasons import (
    FILE_CHANGED,
    LINK_IN_PLACE,
    MISSING,
    NO_DESCRIPTION,
    OTHER_POINT,
    FileLost,
    flaw_of,
)
from app.repository.values import DamagedPoint, PointListing

_LONGEST_POINT_BYTES = 16 * 1024 * 1024
_LONGEST_FILE_BYTES = 256 * 1024 * 1024


def file_place(point: PointId, *names: str) -> str:
    """Name the place that an encrypted file of a point is bound to."""
    return "/".join((point, *names))


def spellings(chain: str) -> list[str]:
    """Return how a chain may be spelled that a file system folded: as it stands, and in the usual cases."""
    rule, separator, rest = chain.partition("_BAK_")
    rules = (rule, rule.lower(), rule.upper(), rule.capitalize(), rule.title(), rule.swapcase())
    return list(dict.fromkeys([chain, *(composed(f"{rule}{separator}{rest}") for rule in rules)]))


class StoredPoints:
    """Reads and lists the points of a repository. Thread: any."""

    def __init__(self, layout: Layout, repository_id: str, keys: RepositoryKeys | None) -> None:
        self._layout = layout
        self._repository_id = repository_id
        self._keys = keys

    def list_all(self) -> PointListing:
        """Return all points, by chain, newest first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        with storage_errors(self._layout.root):
            chains, links = subdirectories(self._layout.points)
        points: list[RestorePoint] = []
        damaged = [DamagedPoint(id=PointId(link), chain=link, detail=LINK_IN_PLACE.fill()) for link in links]
        for chain in chains:
            if is_readable_name(chain):
                listing = self.list_chain(self._spelled(chain))
                points += listing.points
                damaged += listing.damaged
        return PointListing(points=tuple(points), damaged=tuple(damaged))

    def _spelled(self, chain: str) -> str:
        """Return the composed spelling of a directory's name where the file system takes that one too."""
        made = composed(chain)
        return made if made != chain and (self._layout.points / made).is_dir() else chain

    def chains(self) -> list[str]:
        """Return the names of the chains' directories, as the file system spells them.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        with storage_errors(self._layout.root):
            return subdirectories(self._layout.points)[0]

    def list_chain(self, chain: str) -> PointListing:
        """Return the points of one chain, newest first; a chain that does not exist is empty.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        with storage_errors(self._layout.root):
            refuse_links([self._layout.points / chain])
            try:
                stamps = [path.name for path in (self._layout.points / chain).iterdir() if is_stamp(path.name)]
            except (FileNotFoundError, NotADirectoryError):
                stamps = []
        points: list[RestorePoint] = []
        damaged: list[DamagedPoint] = []
        for stamp in sorted(stamps, reverse=True):
            point = PointId(f"{chain}/{stamp}")
            try:
                points.append(self.load(point))
            except PointTooNew as error:
                damaged.append(DamagedPoint(id=point, chain=chain, detail=error.said(), newer=True))
            except PointDamaged as error:
                damaged.append(DamagedPoint(id=point, chain=chain, detail=error.params["detail"]))
            except PointMissing:  # deleted by someone else in this moment
                continue
        points.sort(key=lambda point: point.order, reverse=True)
        return PointListing(points=tuple(points), damaged=tuple(damaged))

    def next_sequence(self, chain: str) -> int:
        """Return the number of the point that is added to a chain next: above those of deleted points, too.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        highest = max((point.sequence for point in self.list_chain(chain).points), default=0)
        with storage_errors(self._layout.root):
            trash = self._layout.trash / chain
            deleted = list(trash.iterdir()) if trash.is_dir() and not is_link(trash) else []
        for directory in deleted:
            point = PointId(f"{chain}/{directory.name.partition('.')[0]}")
            with suppress(PointDamaged, PointMissing):
                highest = max(highest, self.load_from(directory, point).sequence)
        return min(highest, LARGEST_SEQUENCE - 1) + 1

    def load(self, point: PointId) -> RestorePoint:
        """Return one point.

        Raises:
            PointMissing: there is no such point.
            PointDamaged: its description cannot be trusted.
            StandbyUnavailable: the standby cannot be read.
        """
        try:
            return restore_point(self.load_file(point), point)
        except ValueError as error:
            raise PointDamaged(point=point, detail=flaw_of(error)) from error

    def load_file(self, point: PointId) -> PointFile:
        """Return a point's own description.

        Raises:
            PointMissing: there is no such point.
            PointDamaged: its description cannot be trusted.
            StandbyUnavailable: the standby cannot be read.
        """
        try:
            directory = self._layout.point(point)
        except ValueError as error:
            raise PointMissing(point=point) from error
        return self.load_from(directory, point)

    def load_from(self, directory: Path, point: PointId) -> PointFile:
        """Return the description of a point in ``directory``.

        Raises:
            PointMissing: there is no such point.
            PointDamaged: its description cannot be trusted.
            StandbyUnavailable: the standby cannot be read.
        """
        try:
            with storage_errors(self._layout.root):
                try:
                    refuse_links([directory.parent, directory])
                    data = read_bounded(directory / POINT_NAME, _LONGEST_POINT_BYTES)
                except Displaced as error:
                    raise PointDamaged(point=point, detail=error) from error
                except FileNotFoundError as error:
                    if directory.is_dir():
                        raise PointDamaged(point=point, detail=NO_DESCRIPTION.fill(file=POINT_NAME)) from error
                    raise PointMissing(point=point) from error
            if self._keys is not None:
                data = self._open(self._keys, data, point, POINT_NAME)
            if is_newer(data, POINT_FORMAT):
                raise PointTooNew(point=point, found=format_of(data))
            file = decode_document(data, PointFile)
        except ValueError as error:
            raise PointDamaged(point=point, detail=flaw_of(error)) from error
        # a file system that folds names returns another spelling of the chain than the one it was made with
        if folded(f"{file.chain}/{file.stamp}") != folded(point) or file.repository != self._repository_id:
            raise PointDamaged(point=point, detail=OTHER_POINT)
        return file

    def _open(self, keys: RepositoryKeys, data: bytes, point: PointId, *names: str) -> bytes:
        """Decrypt a file, which is bound to its point's name as it was spelled when it was made.

        Raises:
            ValueError: it is not what was stored.
        """
        chain, stamp = split_point_id(point)
        first: ValueError | None = None
        for spelling in spellings(chain):
            try:
                return keys.open_file(data, file_place(PointId(f"{spelling}/{stamp}"), *names))
            except ValueError as error:
                first = first or error
        raise first or ValueError("it cannot be decrypted")

    def file_content(self, point: PointId, name: str) -> bytes:
        """Return a configuration file of a point.

        Raises:
            KeyError: the point has no such file.
            PointMissing: there is no such point.
            PointDamaged: the file is not what was stored.
            StandbyUnavailable: the standby cannot be read.
        """
        stored = next((file for file in self.load_file(point).files if file.name == name), None)
        if stored is None:
            raise KeyError(name)
        return self._content(point, FILES_NAME, stored)

    def changes(self, point: PointId, disk_key: int) -> tuple[list[Extent], str | None]:
        """Return what a point's backup read of a disk, and since when it had changed.

        Raises:
            KeyError: the point keeps no changes of this disk.
            PointMissing: there is no such point.
            PointDamaged: the file is not what was stored.
            StandbyUnavailable: the standby cannot be read.
        """
        name = f"{disk_key}.json"
        stored = next((change for change in self.load_file(point).changes if change.name == name), None)
        if stored is None:
            raise KeyError(disk_key)
        try:
            file = decode_document(self._content(point, CHANGES_NAME, stored), ChangesFile)
            return [Extent(start, length) for start, length in file.extents], file.since
        except ValueError as error:
            raise PointDamaged(point=point, detail=FILE_CHANGED.fill(file=name, reason=flaw_of(error))) from error

    def check_files(self, point: PointId, file: PointFile) -> list[tuple[str, Param]]:
        """Read every file next to ``point.json`` and return those that are damaged, each with the reason.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        damaged: list[tuple[str, Param]] = []
        for folder, names in ((FILES_NAME, file.files), (CHANGES_NAME, file.changes)):
            for stored in names:
                try:
                    self._content(point, folder, stored)
                except PointDamaged as error:
                    damaged.append((f"{folder}/{stored.name}", error.params["detail"]))
        return damaged

    def _content(self, point: PointId, folder: str, stored: StoredFile) -> bytes:
        path = self._layout.point(point) / folder / stored.name
        try:
            if not is_readable_name(stored.name):
                raise ValueError("its name is unsafe")
            with storage_errors(self._layout.root):
                try:
                    refuse_links([path.parent])
                    data = read_bounded(path, min(stored.size_bytes, _LONGEST_FILE_BYTES) + 64)
                except Displaced as error:
                    raise FileLost(error.reason) from error
                except (FileNotFoundError, NotADirectoryError):
                    raise FileLost(MISSING) from None
            if self._keys is not None:
                data = self._open(self._keys, data, point, folder, stored.name)
            if len(data) != stored.size_bytes or blake3(data).hexdigest() != stored.digest:
                raise ValueError("it is not what was stored")
        except ValueError as error:
            raise PointDamaged(
                point=point, detail=FILE_CHANGED.fill(file=stored.name, reason=flaw_of(error))
            ) from error
        return data
