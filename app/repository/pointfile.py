"""What ``point.json`` and ``changes/<disk key>.json`` say, and restore points made of it and turned into it."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

import msgspec

from app.domain.extents import Extent
from app.domain.ids import PointId, VmId
from app.domain.restore_point import HistoryMark, PointDisk, RestorePoint, VmFacts
from app.domain.states import BackupKind, TransportMode
from app.repository.crypto import DIGEST_BYTES
from app.repository.documents import encode_document
from app.repository.layout import is_readable_name, split_point_id

POINT_FORMAT = 1
LARGEST_SEQUENCE = 1 << 53
"""What every reader of JSON can count to."""
_LARGEST_DISK_BYTES = 1 << 60
_MOST_DISKS = 4096


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
    if not 0 <= file.sequence <= LARGEST_SEQUENCE:
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


def encode_changes(disk_key: int, extents: Sequence[Extent], since: str | None) -> bytes:
    """Write down what changed on a disk."""
    pairs = tuple((extent.start, extent.length_bytes) for extent in extents)
    return encode_document(ChangesFile(1, disk_key, since, pairs))
