"""Where each chunk and page is stored: digest → (pack, offset, length), in LMDB on this machine.

The locator holds nothing that the packs' footers do not; it is thrown away when it cannot be read. It is never
on the standby, which may be a network share. Several processes may use one locator at the same time.

Tables: ``chunks`` (digest → pack number, offset, length, kind), ``copies`` (the same, for further packs that hold
a chunk), ``numbers`` (pack number → pack id), ``packs`` (pack id → pack number, size of its file) and ``meta``. A
place whose pack number is gone counts as not there: packs leave in one step, whatever they held. A pack whose file
has another size than was noted is read again.

Two that back up at the same time may both store a chunk. Which of the two is kept is the choice of the
process that collects garbage: every locator has to know them all.
"""

import os
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import lmdb

from app.core.durable import remove_directory_tree
from app.core.privatefiles import make_private_folders
from app.domain.reasons import reason_of
from app.repository.environment import give_back_environment, shared_environment
from app.repository.errors import LocatorUnavailable
from app.repository.packs import PackEntry, sealed_bytes
from app.repository.processes import is_same_process, process_mark
from app.repository.sortedrows import PLACE, Rows, SortedRows

_SCHEMA = b"3"
_NUMBER = struct.Struct(">I")
_PACK = struct.Struct(">IQ")
"""Number of a pack and size of its file."""
_FEW_PACKS = 500
_REBUILDING = b"rebuilding"
_POLL_S = 0.1
_Result = TypeVar("_Result")
_rebuild_lock = threading.Lock()


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
        self._directory = directory
        self._key = str(directory.resolve())
        self._closed = False
        self._repository_id = repository_id.encode()
        try:
            make_private_folders(directory)
            try:
                self._open()
            except lmdb.Error:
                give_back_environment(self._key)
                remove_directory_tree(directory)
                make_private_folders(directory)
                self._open()
        except (OSError, lmdb.Error) as error:
            raise LocatorUnavailable(path=directory, detail=reason_of(error)) from error
        self._ids: dict[int, str] = {}
        self._load_numbers()

    def _open(self) -> None:
        self._environment = environment = shared_environment(self._key)
        self._chunks = environment.table(b"chunks")
        self._copies = environment.table(b"copies", dupsort=True)
        self._numbers = environment.table(b"numbers")
        self._packs = environment.table(b"packs")
        self._meta = environment.table(b"meta")
        environment.write(self._take_over)

    def _take_over(self, transaction: lmdb.Transaction) -> None:
        """Begin an empty locator where another repository's or another version's is stored."""
        mark = _SCHEMA + b" " + self._repository_id
        if transaction.get(b"mark", db=self._meta) != mark:
            for table in (*self._tables, self._meta):
                transaction.drop(table, delete=False)
            transaction.put(b"mark", mark, db=self._meta)

    @property
    def _tables(self) -> tuple[Any, ...]:
        """All that is rebuilt from the packs."""
        return (self._chunks, self._copies, self._numbers, self._packs)

    def close(self) -> None:
        """Release the files."""
        if not self._closed:
            self._closed = True
            give_back_environment(self._key)

    def _load_numbers(self) -> None:
        with self._transaction() as transaction:
            self._ids = {
                _NUMBER.unpack(number)[0]: pack_id.hex()
                for number, pack_id in transaction.cursor(db=self._numbers)
            }

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        try:
            with self._environment.read() as transaction:
                yield transaction
        except lmdb.Error as error:
            raise LocatorUnavailable(path=self._directory, detail=reason_of(error)) from error

    def _write(self, act: Callable[[Any], _Result]) -> _Result:
        """Do something in a transaction for writing; it may be done twice."""
        try:
            return self._environment.write(act)
        except lmdb.Error as error:
            raise LocatorUnavailable(path=self._directory, detail=reason_of(error)) from error

    def find(self, digest: bytes) -> Place | None:
        """Return where a chunk or page is stored, or None when no sealed pack is known to hold it.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction() as transaction:
            packed = transaction.get(digest, db=self._chunks)
            return None if packed is None else self._living(transaction, digest, packed)

    def find_many(self, digests: Iterable[bytes]) -> dict[bytes, Place]:
        """Return the places of those digests that are known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        places: dict[bytes, Place] = {}
        with self._transaction() as transaction:
            for digest, packed in transaction.cursor(db=self._chunks).getmulti(list(digests)):
                place = self._living(transaction, digest, packed)
                if place is not None:
                    places[digest] = place
        return places

    def _living(self, transaction: lmdb.Transaction, digest: bytes, packed: bytes | memoryview) -> Place | None:
        """Return this place, or, when its pack is gone, that of another copy."""
        place = self._place(transaction, packed)
        if place is None:
            copies = transaction.cursor(db=self._copies)
            if copies.set_key(digest):
                return next(filter(None, (self._place(transaction, copy) for copy in copies.iternext_dup())), None)
        return place

    def _place(self, transaction: lmdb.Transaction, packed: bytes | memoryview) -> Place | None:
        number, offset, length_bytes, kind = PLACE.unpack(packed)
        pack_id = self._ids.get(number)
        if pack_id is None:
            found = transaction.get(_NUMBER.pack(number), db=self._numbers)
            if found is None:
                return None
            pack_id = self._ids[number] = found.hex()
        return Place(pack_id, offset, length_bytes, kind)

    def add_pack(self, pack_id: str, entries: Sequence[PackEntry]) -> None:
        """Take in what a sealed pack holds; a pack that is known already is fine.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        self._add([(pack_id, sealed_bytes(entries), entries)])

    def _add(self, packs: Sequence[tuple[str, int, Sequence[PackEntry]]]) -> None:
        def act(transaction: lmdb.Transaction) -> dict[int, str]:
            fresh: dict[int, str] = {}
            # a number is never given out twice: chunks of packs that are gone still carry the old ones
            number = self._last_number(transaction)
            rows: list[tuple[bytes, bytes]] = []
            for pack_id, size_bytes, entries in packs:
                key = bytes.fromhex(pack_id)
                if transaction.get(key, db=self._packs) is not None:
                    continue
                number += 1
                transaction.put(key, _PACK.pack(number, size_bytes), db=self._packs)
                transaction.put(_NUMBER.pack(number), key, db=self._numbers)
                fresh[number] = pack_id
                rows += [
                    (entry.digest, PLACE.pack(number, entry.offset, entry.length_bytes, entry.kind))
                    for entry in entries
                ]
            transaction.put(b"last number", _NUMBER.pack(number), db=self._meta)
            rows.sort()
            self._put(transaction, rows)
            return fresh

        self._ids.update(self._write(act))

    def _last_number(self, transaction: lmdb.Transaction) -> int:
        return int(_NUMBER.unpack(transaction.get(b"last number", _NUMBER.pack(0), db=self._meta))[0])

    def _put(self, transaction: lmdb.Transaction, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Write places, and keep those that stood there as further copies."""
        cursor = transaction.cursor(db=self._chunks)
        there = cursor.getmulti([digest for digest, _ in rows])
        if there:
            fresh = set(rows)
            transaction.cursor(db=self._copies).putmulti([row for row in there if row not in fresh])
        cursor.putmulti(rows)

    def forget_packs(self, pack_ids: Iterable[str]) -> None:
        """Forget packs that are gone, and with them all they held.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        gone = list(pack_ids)

        def act(transaction: lmdb.Transaction) -> list[int]:
            numbers: list[int] = []
            for pack_id in gone:
                found = transaction.pop(bytes.fromhex(pack_id), db=self._packs)
                if found is not None:
                    numbers.append(_PACK.unpack(found)[0])
                    transaction.delete(_NUMBER.pack(numbers[-1]), db=self._numbers)
            return numbers

        for number in self._write(act):
            self._ids.pop(number, None)

    def forget(self, digests: Iterable[bytes]) -> None:
        """Forget chunks that cannot be read, so that the next backup stores them again.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        lost = list(digests)

        def act(transaction: lmdb.Transaction) -> None:
            for digest in lost:
                transaction.delete(digest, db=self._chunks)
                transaction.delete(digest, db=self._copies)

        self._write(act)

    def point_to(self, pack_id: str, entry: PackEntry) -> None:
        """Let a digest be found in this pack from now on; nothing happens when the pack is not known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """

        def act(transaction: lmdb.Transaction) -> None:
            found = transaction.get(bytes.fromhex(pack_id), db=self._packs)
            if found is not None:
                place = PLACE.pack(_PACK.unpack(found)[0], entry.offset, entry.length_bytes, entry.kind)
                transaction.put(entry.digest, place, db=self._chunks)

        self._write(act)

    def pack_sizes(self) -> dict[str, int]:
        """Return the packs that are known, and how many bytes the file of each had.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction() as transaction:
            return self._known_packs(transaction)

    def pack_size(self, pack_id: str) -> int | None:
        """Return how many bytes the file of a pack had when it was taken in, None when it is not known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction() as transaction:
            found = transaction.get(bytes.fromhex(pack_id), db=self._packs)
        return None if found is None else int(_PACK.unpack(found)[1])

    def _known_packs(self, transaction: lmdb.Transaction) -> dict[str, int]:
        return {key.hex(): _PACK.unpack(row)[1] for key, row in transaction.cursor(db=self._packs)}

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
            with self._transaction() as transaction:
                mark = transaction.get(_REBUILDING, db=self._meta)
            known, there = self.pack_sizes().items(), present.items()
            gone, fresh = known - there, there - known
            if mark is None and len(fresh) <= max(len(known), _FEW_PACKS):
                break
            with _rebuild_lock:
                if self._begin_rebuild(present):
                    self._rebuild(present, read_entries)
                    return
            time.sleep(_POLL_S)
        if gone:
            self.forget_packs(pack_id for pack_id, _ in gone)
        for pack_id, size_bytes in sorted(fresh):
            entries = read_entries(pack_id)
            if entries is not None:
                self._add([(pack_id, size_bytes, entries)])
        self._load_numbers()

    def _rebuild(
        self, present: Mapping[str, int], read_entries: Callable[[str], Sequence[PackEntry] | None]
    ) -> None:
        """Start over: digests are random, so they are sorted first and the tree is written from left to right.

        A mark stands in the database meanwhile. A process that finds it waits for its owner, or starts
        over when that is dead.
        """
        with SortedRows(self._directory) as rows:
            readable: list[tuple[bytes, int]] = []
            for pack_id in sorted(present):
                entries = read_entries(pack_id)
                if entries is not None:
                    readable.append((bytes.fromhex(pack_id), present[pack_id]))
                    rows.add(len(readable), entries)
            first = self._register(readable)
            for bucket, copies in rows.buckets(first):
                self._write(partial(self._fill, bucket=bucket, copies=copies))
        self._write(lambda transaction: transaction.delete(_REBUILDING, db=self._meta))
        self._load_numbers()

    def _fill(self, transaction: lmdb.Transaction, bucket: Rows, copies: Rows) -> None:
        """Write the next places in ascending order of their digests."""
        _, added = transaction.cursor(db=self._chunks).putmulti(bucket, append=True)
        if added != len(bucket):  # another process has sealed a pack meanwhile
            self._put(transaction, bucket)
        transaction.cursor(db=self._copies).putmulti(copies)

    def _begin_rebuild(self, present: Mapping[str, int]) -> bool:
        """Empty the tables and leave the mark; False when another process is at it, or has just done it."""

        def act(transaction: lmdb.Transaction) -> bool:
            mark = transaction.get(_REBUILDING, db=self._meta)
            known = self._known_packs(transaction).items()
            if _is_mark_of_another(mark) or (mark is None and known >= present.items()):
                return False
            for table in self._tables:
                transaction.drop(table, delete=False)
            transaction.put(_REBUILDING, _own_mark(), db=self._meta)
            return True

        return self._write(act)

    def _register(self, packs: Sequence[tuple[bytes, int]]) -> int:
        """Give packs their numbers, one after the other; return the number before the first."""

        def act(transaction: lmdb.Transaction) -> int:
            number = self._last_number(transaction)
            for offset, (pack_id, size_bytes) in enumerate(packs, 1):
                transaction.put(pack_id, _PACK.pack(number + offset, size_bytes), db=self._packs)
                transaction.put(_NUMBER.pack(number + offset), pack_id, db=self._numbers)
            transaction.put(b"last number", _NUMBER.pack(number + len(packs)), db=self._meta)
            return number

        return self._write(act)

    def clear(self) -> None:
        """Forget everything; the next synchronization reads all footers again.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """

        def act(transaction: lmdb.Transaction) -> None:
            for table in self._tables:
                transaction.drop(table, delete=False)

        self._write(act)
        self._ids = {}

    def __enter__(self) -> "Locator":
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(lmdb.Error):
            self.close()


def _own_mark() -> bytes:
    pid = os.getpid()
    return f"{pid} {process_mark(pid) or ''}".encode()


def _is_mark_of_another(mark: bytes | memoryview | None) -> bool:
    """Return whether the mark is that of another process, which is alive.

    Marks of earlier versions, which held a time of the wall clock, count as left behind: no two versions of the
    program work on one locator at the same time.
    """
    if mark is None or mark == _own_mark():
        return False
    pid, _, name = bytes(mark).partition(b" ")
    if not pid.isdigit() or not name:
        return False
    return is_same_process(int(pid), name.decode("utf-8", "replace")) is True
