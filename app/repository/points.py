"""Restore points on disk: ``points/<chain>/<stamp>/`` with ``point.json``, configuration and changed extents."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple
from datetime import datetime
from pathlib import Path

import msgspec
from blake3 import blake3

from app.domain.extents import Extent
from app.domain.ids import PointId, VmId
from app.domain.messages import Param
from app.domain.restore_point import HistoryMark, PointDisk, RestorePoint, VmFacts
from app.domain.states import BackupKind, TransportMode
from app.repository.crypto import DIGEST_BYTES, RepositoryKeys
from app.repository.documents import decode_document, encode_document, format_of, is_newer
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

POINT_FORMAT = 1
_LONGEST_POINT_BYTES = 16 * 1024 * 1024
_LONGEST_FILE_BYTES = 256 * 1024 * 1024
_LARGEST_DISK_BYTES = 1 << 60
_MOST_DISKS = 4096
_LARGEST_SEQUENCE = 1 << 53
"""What every reader of JSON can count to."""


class _Facts(msgspec.Struct, frozen=True):
    vm: str
    name: str
    platform_address: str
    instance_uuid: str | None
    datacenter: str
    datastore: str
    host: str
    hostname: str | None
    guest: str
    bios_uuid: str | None = None
    folder: tuple[str, ...] | None = None
    platform_uuid: str | None = None


class _Disk(msgspec.Struct, frozen=True):
    key: int
    label: str
    uuid: str | None
    capacity_bytes: int
    path: str
    change_id: str | None
    root: str
    read_bytes: int
    stored_bytes: int
    read_whole: bool
    transport: str | None = None


class _History(msgspec.Struct, frozen=True):
    at: datetime
    platform: str | None = None
    event_key: int | None = None
    event_at: datetime | None = None


class StoredFile(msgspec.Struct, frozen=True):
    """A file next to ``point.json``: its name, and size and BLAKE3-256 of its content."""

    name: str
    size_bytes: int
    digest: str


class PointFile(msgspec.Struct, frozen=True):
    """The body of ``point.json``."""

    format: int
    repository: str
    chain: str
    stamp: str
    rule_name: str
    created_at: datetime
    kind: str
    parent: str | None
    consistent: bool
    tool_version: str
    facts: _Facts
    disks: tuple[_Disk, ...]
    files: tuple[StoredFile, ...]
    changes: tuple[StoredFile, ...]
    sequence: int = 0
    history: _History | None = None


class ChangesFile(msgspec.Struct, frozen=True):
    """The body of ``changes/<disk key>.json``: what was read, and since when it had changed."""

    format: int
    disk_key: int
    since: str | None
    extents: tuple[tuple[int, int], ...]


def describe(
    point: RestorePoint, repository_id: str, files: Sequence[StoredFile], changes: Sequence[StoredFile]
) -> PointFile:
    """Turn a restore point into what ``point.json`` says."""
    chain, stamp = split_point_id(point.id)
    facts = point.facts
    return PointFile(
        format=POINT_FORMAT,
        repository=repository_id,
        chain=chain,
        stamp=stamp,
        rule_name=point.rule_name,
        created_at=point.created_at,
        kind=point.kind.value,
        parent=point.parent,
        consistent=point.consistent,
        tool_version=point.tool_version,
        facts=_Facts(
            facts.vm,
            facts.name,
            facts.platform_address,
            facts.instance_uuid,
            facts.datacenter,
            facts.datastore,
            facts.host,
            facts.hostname,
            facts.guest,
            facts.bios_uuid,
            facts.folder,
            facts.platform_uuid,
        ),
        disks=tuple(
            _Disk(
                disk.key,
                disk.label,
                disk.uuid,
                disk.capacity_bytes,
                disk.path,
                disk.change_id,
                disk.root,
                disk.read_bytes,
                disk.stored_bytes,
                disk.read_whole,
                None if disk.transport is None else disk.transport.value,
            )
            for disk in point.disks
        ),
        files=tuple(files),
        changes=tuple(changes),
        sequence=point.sequence,
        history=None if point.history is None else _History(*astuple(point.history)),
    )


def restore_point(file: PointFile, found_as: PointId | None = None) -> RestorePoint:
    """Turn what ``point.json`` says into a restore point; its id is the one under which it was found.

    Raises:
        ValueError: it says something impossible.
    """
    facts = file.facts
    if file.created_at.tzinfo is None:
        raise ValueError("its time has no zone")
    if len(file.disks) > _MOST_DISKS or len({disk.key for disk in file.disks}) != len(file.disks):
        raise ValueError("its list of disks is impossible")
    if not all(is_readable_name(stored.name) for stored in (*file.files, *file.changes)):
        raise ValueError("one of its files has an unsafe name")
    if not 0 <= file.sequence <= _LARGEST_SEQUENCE:
        raise ValueError("its sequence is impossible")
    point = found_as or PointId(f"{file.chain}/{file.stamp}")
    return RestorePoint(
        id=point,
        chain=point.partition("/")[0],
        rule_name=file.rule_name,
        created_at=file.created_at,
        kind=BackupKind(file.kind),
        parent=None if file.parent is None else PointId(file.parent),
        facts=VmFacts(
            vm=VmId(facts.vm),
            name=facts.name,
            platform_address=facts.platform_address,
            instance_uuid=facts.instance_uuid,
            datacenter=facts.datacenter,
            datastore=facts.datastore,
            host=facts.host,
            hostname=facts.hostname,
            guest=facts.guest,
            bios_uuid=facts.bios_uuid,
            folder=facts.folder,
            platform_uuid=facts.platform_uuid,
        ),
        disks=tuple(_restore_disk(disk) for disk in file.disks),
        configuration_files=tuple(file.name for file in file.files),
        consistent=file.consistent,
        tool_version=file.tool_version,
        sequence=file.sequence,
        history=_restore_history(file.history),
    )


def _restore_history(history: _History | None) -> HistoryMark | None:
    """Return a mark; one that cannot be right is none, so that the next backup reads everything."""
    if history is None or history.at.tzinfo is None:
        return None
    if history.event_at is not None and history.event_at.tzinfo is None:
        return None
    return HistoryMark(
        at=history.at, platform=history.platform, event_key=history.event_key, event_at=history.event_at
    )


def _transport(value: str | None) -> TransportMode | None:
    """Return how a disk travelled; a way that only later programs know counts as not noted."""
    try:
        return None if value is None else TransportMode(value)
    except ValueError:
        return None


def _restore_disk(disk: _Disk) -> PointDisk:
    if not 0 <= disk.capacity_bytes <= _LARGEST_DISK_BYTES:
        raise ValueError("a disk has an impossible capacity")
    if len(disk.root) != 2 * DIGEST_BYTES or len(bytes.fromhex(disk.root)) != DIGEST_BYTES:
        raise ValueError("a disk's root is not a digest")
    return PointDisk(
        key=disk.key,
        label=disk.label,
        uuid=disk.uuid,
        capacity_bytes=disk.capacity_bytes,
        path=disk.path,
        change_id=disk.change_id,
        root=disk.root,
        read_bytes=disk.read_bytes,
        stored_bytes=disk.stored_bytes,
        read_whole=disk.read_whole,
        transport=_transport(disk.transport),
    )


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
        return min(highest, _LARGEST_SEQUENCE - 1) + 1

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


def encode_changes(disk_key: int, extents: Sequence[Extent], since: str | None) -> bytes:
    """Write down what changed on a disk."""
    pairs = tuple((extent.start, extent.length_bytes) for extent in extents)
    return encode_document(ChangesFile(1, disk_key, since, pairs))
