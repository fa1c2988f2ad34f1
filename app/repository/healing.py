"""What is done about damage: forget what is lost, rescue what is whole, tell which bytes to read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from app.core.cancel import CancelToken
from app.domain.extents import Extent, clip, normalize
from app.domain.restore_point import PointDisk
from app.repository.appender import PackAppender
from app.repository.files import make_directory, remove_tree, storage_errors
from app.repository.leases import Lease
from app.repository.marking import all_entries
from app.repository.packs import PackEntry
from app.repository.pages import PageTree
from app.repository.parts import RepositoryParts
from app.repository.records import EncodedRecord, RecordDamaged, RecordDecoder, RecordKind
from app.repository.store import RecordLost, list_packs


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """What was done about damaged packs."""

    set_aside: tuple[str, ...]
    rescued_bytes: int
    """Stored bytes of whole records that were copied out of them."""


def forget_lost(parts: RepositoryParts, lost: set[bytes]) -> None:
    """Make the next backup store what is lost, but for records that another pack holds whole.

    Raises:
        StandbyUnavailable: the standby is gone.
        LocatorUnavailable: the local disk refuses.
    """
    if not lost:
        return
    parts.locator.forget(lost)
    with storage_errors(parts.layout.root):
        present = sorted(list_packs(parts.layout))
    decoder = parts.decoder()
    for pack_id, entries in all_entries(parts, present):
        for entry in entries:
            if entry.digest in lost and _is_whole(parts, pack_id, entry, decoder):
                parts.locator.point_to(pack_id, entry)
                lost.discard(entry.digest)


def _is_whole(parts: RepositoryParts, pack_id: str, entry: PackEntry, decoder: RecordDecoder) -> bool:
    try:
        decoder.decode(parts.store.read_entry(pack_id, entry), entry.digest)
    except (RecordLost, RecordDamaged):
        return False
    return True


def lost_extents(parts: RepositoryParts, disk: PointDisk, tree: PageTree) -> list[Extent]:
    """Return the parts of a disk whose chunks no pack holds.

    Raises:
        RecordLost, PageDamaged: an index page cannot be read.
    """
    lost: list[Extent] = []
    chunks = tree.stored()
    while batch := list(islice(chunks, 4096)):
        known = parts.locator.find_many(digest for _, digest in batch)
        lost += [
            Extent(index * parts.chunk_bytes, parts.chunk_bytes) for index, digest in batch if digest not in known
        ]
    return clip(normalize(lost), disk.capacity_bytes)


def repair_packs(parts: RepositoryParts, packs: Sequence[str], lease: Lease, cancel: CancelToken) -> RepairReport:
    """Copy the whole records out of damaged packs, then set the packs aside. The lease is exclusive.

    Raises:
        LeaseLost: another process took this one for dead; what was done stays done.
        StandbyFull, StandbyUnavailable: the standby refuses.
        TaskCancelled: cancelled; what was done stays done.
    """
    with storage_errors(parts.layout.root):
        present = list_packs(parts.layout)
        staging = parts.layout.staging / lease.id
        make_directory(staging)
        staging = staging / "repair"
        make_directory(staging)
    done: list[str] = []
    rescued = 0
    try:
        for pack_id in (one for one in packs if one in present):
            appender = PackAppender(
                parts.layout, parts.repository_id.bytes, staging, parts.locator, parts.pack_bytes
            )
            try:
                rescued += _rescue(parts, pack_id, appender, cancel)
                appender.flush()
            finally:
                appender.close()
            lease.check()
            parts.store.set_aside(pack_id)
            done.append(pack_id)
    finally:
        with storage_errors(parts.layout.root):
            remove_tree(staging)
    return RepairReport(set_aside=tuple(done), rescued_bytes=rescued)


def _rescue(parts: RepositoryParts, pack_id: str, appender: PackAppender, cancel: CancelToken) -> int:
    decoder = parts.decoder()
    rescued = 0
    for entry in parts.store.entries(pack_id) or ():
        cancel.check()
        try:
            record = parts.store.read_entry(pack_id, entry)
            decoder.decode(record, entry.digest)
        except (RecordLost, RecordDamaged):
            continue
        appender.append(
            RecordKind(entry.kind), entry.digest, entry.raw_bytes, EncodedRecord([record], len(record))
        )
        rescued += len(record)
    return rescued
