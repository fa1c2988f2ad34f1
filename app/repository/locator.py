"""Where each chunk and page is stored: digest → (pack, offset, length), in LMDB on this machine.

The locator holds nothing that the packs' footers do not; it is thrown away when it cannot be read. It is never
on the standby, which may be a network share. Several processes may use one locator at the same time.

Its tables are in ``locatortables``; ``locatorrebuild`` fills them from nothing. A pack whose file has another size
than was noted is read again.

Two that back up at the same time may both store a chunk. Which of the two is kept is the choice of the
process that collects garbage: every locator has to know them all.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import lmdb

from app.repository.locatorrebuild import LocatorRebuild
from app.repository.locatortables import LocatorTables
from app.repository.packs import PackEntry
from app.repository.sortedrows import PLACE

_FEW_PACKS = 500
_POLL_S = 0.1


class Place(NamedTuple):
    """Where a record is stored."""

    pack_id: str
    offset: int
    length_bytes: int
    kind: int


class Locator:
    """Finds chunks and pages in the packs of one repository, by an index on this machine. Thread: any."""

    def __init__(self, directory: Path, repository_id: str) -> None:
        """Open the locator, or begin an empty one when there is none that can be read.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        self._tables = LocatorTables(directory, repository_id)
        self._rebuild = LocatorRebuild(self._tables)
        self._ids: dict[int, str] = {}
        self._load_numbers()

    def close(self) -> None:
        """Release the files."""
        self._tables.close()

    def _load_numbers(self) -> None:
        with self._tables.read() as transaction:
            self._ids = self._tables.pack_ids(transaction)

    def find(self, digest: bytes) -> Place | None:
        """Return where a chunk or page is stored, or None when no sealed pack is known to hold it.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._tables.read() as transaction:
            packed = transaction.get(digest, db=self._tables.chunks)
            return None if packed is None else self._living(transaction, digest, packed)

    def find_many(self, digests: Iterable[bytes]) -> dict[bytes, Place]:
        """Return the places of those digests that are known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        places: dict[bytes, Place] = {}
        with self._tables.read() as transaction:
            for digest, packed in transaction.cursor(db=self._tables.chunks).getmulti(list(digests)):
                place = self._living(transaction, digest, packed)
                if place is not None:
                    places[digest] = place
        return places

    def _living(self, transaction: lmdb.Transaction, digest: bytes, packed: bytes | memoryview) -> Place | None:
        """Return this place, or, when its pack is gone, that of another copy."""
        place = self._place(transaction, packed)
        if place is None:
            copies = transaction.cursor(db=self._tables.copies)
            if copies.set_key(digest):
                return next(filter(None, (self._place(transaction, copy) for copy in copies.iternext_dup())), None)
        return place

    def _place(self, transaction: lmdb.Transaction, packed: bytes | memoryview) -> Place | None:
        number, offset, length_bytes, kind = PLACE.unpack(packed)
        pack_id = self._ids.get(number)
        if pack_id is None:
            pack_id = self._tables.pack_id(transaction, number)
            if pack_id is None:
                return None
            self._ids[number] = pack_id
        return Place(pack_id, offset, length_bytes, kind)

    def add_pack(self, pack_id: str, size_bytes: int, entries: Sequence[PackEntry]) -> None:
        """Take in what a sealed pack holds, whose file has this size; a pack that is known already is fine.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """

        def act(transaction: lmdb.Transaction) -> int | None:
            if self._tables.pack(transaction, pack_id) is not None:
                return None
            number = self._tables.add_packs(transaction, [(pack_id, size_bytes)])
            rows = [(entry.digest, _packed(number, entry)) for entry in entries]
            self._tables.put_places(transaction, sorted(rows))
            return number

        number = self._tables.write(act)
        if number is not None:
            self._ids[number] = pack_id

    def forget_packs(self, pack_ids: Iterable[str]) -> None:
        """Forget packs that are gone, and with them all they held.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        gone = list(pack_ids)

        def act(transaction: lmdb.Transaction) -> list[int | None]:
            return [self._tables.remove_pack(transaction, pack_id) for pack_id in gone]

        for number in self._tables.write(act):
            if number is not None:
                self._ids.pop(number, None)

    def forget(self, digests: Iterable[bytes]) -> None:
        """Forget chunks that cannot be read, so that the next backup stores them again.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        lost = list(digests)

        def act(transaction: lmdb.Transaction) -> None:
            for digest in lost:
                transaction.delete(digest, db=self._tables.chunks)
                transaction.delete(digest, db=self._tables.copies)

        self._tables.write(act)

    def point_to(self, pack_id: str, entry: PackEntry) -> None:
        """Let a digest be found in this pack from now on; nothing happens when the pack is not known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """

        def act(transaction: lmdb.Transaction) -> None:
            pack = self._tables.pack(transaction, pack_id)
            if pack is not None:
                transaction.put(entry.digest, _packed(pack[0], entry), db=self._tables.chunks)

        self._tables.write(act)

    def pack_sizes(self) -> dict[str, int]:
        """Return the packs that are known, and how many bytes the file of each had.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._tables.read() as transaction:
            return self._tables.pack_sizes(transaction)

    def pack_size(self, pack_id: str) -> int | None:
        """Return how many bytes the file of a pack had when it was taken in, None when it is not known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._tables.read() as transaction:
            pack = self._tables.pack(transaction, pack_id)
        return None if pack is None else pack[1]

    def synchronize(
        self, present: Mapping[str, int], read_entries: Callable[[str], Sequence[PackEntry] | None]
    ) -> None:
        """Make the locator know exactly the packs that are present, as they are now.

        Args:
            present: the packs, and the size in bytes of the file of each.
            read_entries: returns what a pack holds, or None when that cannot be determined.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        while True:
            is_rebuilding = self._rebuild.is_under_way()
            known, there = self.pack_sizes().items(), present.items()
            gone, fresh = known - there, there - known
            if not is_rebuilding and len(fresh) <= max(len(known), _FEW_PACKS):
                break
            if self._rebuild.run(present, read_entries):
                self._load_numbers()
                return
            time.sleep(_POLL_S)
        if gone:
            self.forget_packs(pack_id for pack_id, _ in gone)
        for pack_id, size_bytes in sorted(fresh):
            entries = read_entries(pack_id)
            if entries is not None:
                self.add_pack(pack_id, size_bytes, entries)
        self._load_numbers()

    def __enter__(self) -> "Locator":
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(lmdb.Error):
            self.close()


def _packed(number: int, entry: PackEntry) -> bytes:
    """Return where a record is stored, as a row of the tables."""
    return PLACE.pack(number, entry.offset, entry.length_bytes, entry.kind)
