"""Repairs damage: forgets what is lost, rescues what is whole, returns which bytes to read again."""

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TypeVar

from app.core.cancel import CancelToken
from app.core.durable import unlink
from app.domain.extents import Extent, clip, normalize
from app.domain.ids import PointId
from app.domain.restore_point import PointDisk
from app.repository.errors import DataDamaged, PointDamaged
from app.repository.files import (
    Displaced,
    make_directory,
    storage_error,
    storage_errors,
    write_new,
)
from app.repository.leases import Lease
from app.repository.marking import all_entries
from app.repository.packlists import list_packs
from app.repository.packs import (
    PACK_HEADER_BYTES,
    PackDamaged,
    PackEntry,
    PackTooNew,
    flaw_of_heads,
    read_footer,
    scan_records,
)
from app.repository.pages import PageDamaged, PageTree
from app.repository.parts import RepositoryParts
from app.repository.reasons import INDEX_OF, NO_SUCH_DISK, PACK
from app.repository.records import EncodedRecord, RecordDamaged, RecordDecoder, RecordKind
from app.repository.store import RecordLost

PAUSES_S = (0.5, 2.0, 5.0)
"""Between the attempts to read what the system refuses."""
_WINDOWS_BROKEN = frozenset({23, 27, 1117})
"""Errors of a broken disk: wrong checksum, sector not found, input or output failed."""
_Read = TypeVar("_Read")


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
    with storage_errors(parts.layout.root):
        present = sorted(list_packs(parts.layout))
    decoder = parts.decoder()
    copies: dict[bytes, tuple[str, PackEntry]] = {}
    for pack_id, entries in all_entries(parts, present):
        for entry in entries:
            if entry.digest in lost and entry.digest not in copies:
                state = _state(parts, pack_id, entry, decoder)
                if isinstance(state, OSError):
                    raise storage_error(state, parts.layout.root) from state
                if state is _State.WHOLE:
                    copies[entry.digest] = pack_id, entry
    parts.locator.forget(lost)
    for pack_id, entry in copies.values():
        parts.locator.point_to(pack_id, entry)


def learn_damage(parts: RepositoryParts, lost: RecordLost) -> None:
    """Forget all that is damaged in a pack of which one record turned out to be; damage seldom comes alone.

    What the system refuses to read may be whole, and is not forgotten.

    Raises:
        StandbyUnavailable: the standby is gone.
        LocatorUnavailable: the local disk refuses.
    """
    if lost.pack_id is None:
        return
    try:
        entries, _ = _entries(parts, lost.pack_id)
    except OSError:
        parts.packs.check_standby()
        return
    decoder = parts.decoder()
    states = {entry.digest: _state(parts, lost.pack_id, entry, decoder) for entry in entries}
    forget_lost(parts, {digest for digest, state in states.items() if state is _State.DAMAGED})


class _State(Enum):
    WHOLE = "whole"
    DAMAGED = "damaged"


def _state(parts: RepositoryParts, pack_id: str, entry: PackEntry, decoder: RecordDecoder) -> _State | OSError:
    """Return how a record is: whole, damaged, or the error by which the system refused to read it."""
    try:
        decoder.decode(parts.store.read_entry(pack_id, entry), entry.digest)
    except (RecordLost, RecordDamaged) as error:
        cause = error.__cause__
        return cause if isinstance(cause, OSError) and not isinstance(cause, Displaced) else _State.DAMAGED
    return _State.WHOLE


def _entries(parts: RepositoryParts, pack_id: str) -> tuple[Sequence[PackEntry], bool]:
    """Return what a pack holds, and whether its frame is as it was written."""
    path = parts.layout.pack(pack_id)
    try:
        entries = read_footer(path, parts.repository_id.bytes)
        flaw = flaw_of_heads(path)
    except Displaced:
        return (), False
    except PackTooNew:
        return (), True
    except PackDamaged:  # the records say themselves where they begin and what they are
        return list(scan_records(path, lambda _record: True)), False
    ends = [PACK_HEADER_BYTES, *(entry.offset + entry.length_bytes for entry in entries)]
    follow = all(entry.offset == end for entry, end in zip(entries, ends, strict=False))
    return entries, follow and flaw is None


def lost_extents(parts: RepositoryParts, point: PointId, disk_key: int) -> list[Extent]:
    """Return the parts of a point's disk whose chunks no pack holds.

    Raises:
        PointMissing, PointDamaged: the point cannot be read.
        DataDamaged: the disk's index cannot be read.
        StandbyUnavailable: the standby is gone.
    """
    disk = parts.stored_points.load(point).disk(disk_key)
    if disk is None:
        raise PointDamaged(point=point, detail=NO_SUCH_DISK.fill(disk=disk_key))
    try:
        return _lost_extents(parts, disk, parts.tree(disk))
    except (RecordLost, PageDamaged) as error:
        raise DataDamaged(what=INDEX_OF.fill(disk=disk.label, point=point), detail=error) from error


def _lost_extents(parts: RepositoryParts, disk: PointDisk, tree: PageTree) -> list[Extent]:
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

    Each pack is read again; one that turns out whole stays where it is. A record that the system refuses to read
    is no damaged record: it is asked for again after a while, and counts as lost only where the error is that of
    a broken disk and lasts while the same standby takes writes.

    Raises:
        LeaseLost: another process took this one for dead; what was done stays done.
        StandbyFull, StandbyUnavailable: the standby refuses; the pack it refused is as it was.
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
        for pack_id in (pack_id for pack_id in packs if pack_id in present):
            found = _PackCheck(parts, pack_id, staging, cancel).run()
            if found is None:
                continue
            rescued += _rescue(parts, pack_id, found, staging, cancel)
            lease.check()
            if parts.packs.set_aside(pack_id, parts.leftovers):
                done.append(pack_id)
    finally:
        parts.leftovers.remove(staging)
    return RepairReport(set_aside=tuple(done), rescued_bytes=rescued)


class _PackCheck:
    """Finds out which records of one pack are lost for good. Use once."""

    def __init__(self, parts: RepositoryParts, pack_id: str, staging: Path, cancel: CancelToken) -> None:
        self._parts = parts
        self._pack_id = pack_id
        self._staging = staging
        self._cancel = cancel
        self._decoder = parts.decoder()

    def run(self) -> list[PackEntry] | None:
        """Return the whole records of the pack, or None when nothing is wrong with it.

        Raises:
            StandbyUnavailable: the standby refuses for now.
            TaskCancelled: cancelled.
        """
        with storage_errors(self._parts.layout.root):
            entries, is_sound = self._patiently(lambda: _entries(self._parts, self._pack_id))
        states = {entry: self._state(entry) for entry in entries}
        for pause_s in PAUSES_S:
            refused = [entry for entry, state in states.items() if isinstance(state, OSError)]
            if refused:
                self._cancel.wait(pause_s)
                states.update((entry, self._state(entry)) for entry in refused)
        for entry, state in states.items():
            if isinstance(state, OSError):
                states[entry] = self._last_word(entry, state)
        whole = [entry for entry, state in states.items() if state is _State.WHOLE]
        return None if is_sound and len(whole) == len(entries) else whole

    def _patiently(self, read: Callable[[], _Read]) -> _Read:
        for pause_s in PAUSES_S:
            try:
                return read()
            except OSError:
                self._cancel.wait(pause_s)
        return read()

    def _state(self, entry: PackEntry) -> _State | OSError:
        self._cancel.check()
        return _state(self._parts, self._pack_id, entry, self._decoder)

    def _last_word(self, entry: PackEntry, error: OSError) -> _State:
        """Decide on a record that stayed refused.

        Raises:
            StandbyUnavailable: that may pass.
        """
        if error.errno != errno.EIO and getattr(error, "winerror", None) not in _WINDOWS_BROKEN:
            raise storage_error(error, self._parts.layout.root) from error
        with storage_errors(self._parts.layout.root):  # a share that is gone refuses this too
            probe = self._staging / "probe"
            write_new(probe, b"is anybody there?")
            unlink(probe)
        state = self._state(entry)
        return _State.DAMAGED if isinstance(state, OSError) else state


def _rescue(
    parts: RepositoryParts, pack_id: str, whole: Sequence[PackEntry], staging: Path, cancel: CancelToken
) -> int:
    """Copy whole records of a pack into new packs, durably; return their stored bytes."""
    appender = parts.appender(staging)
    decoder = parts.decoder()
    rescued = 0
    try:
        for entry in whole:
            cancel.check()
            try:
                record = parts.store.read_entry(pack_id, entry)
                decoder.decode(record, entry.digest)
            except (RecordLost, RecordDamaged) as error:
                raise DataDamaged(what=PACK.fill(pack=pack_id), detail=error) from error
            appender.append(
                RecordKind(entry.kind), entry.digest, entry.raw_bytes, EncodedRecord([record], len(record))
            )
            rescued += len(record)
        appender.flush()
    finally:
        appender.close()
    return rescued
