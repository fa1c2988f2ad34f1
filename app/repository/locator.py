"""Where each chunk and page lies: digest → (pack, offset, length), in LMDB on this machine.

The locator holds nothing that the packs' footers do not; it is thrown away when it cannot be read. It is never
on the standby, which may be a network share. Several processes may use one locator at the same time.

Tables: ``chunks`` (digest → pack number, offset, length, kind), ``numbers`` (pack number → pack id), ``packs``
(pack id → pack number) and ``meta``. A chunk whose pack number is gone counts as not there: packs leave in one
step, whatever they held.
"""

import shutil
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import lmdb

from app.repository.errors import LocatorUnavailable
from app.repository.packs import PackEntry

_MAP_BYTES = 64 * 1024 * 1024 * 1024
"""Address space, not memory or disk: room for several hundred million chunks."""
_SCHEMA = b"1"
_PLACE = struct.Struct("<IIIB")
_NUMBER = struct.Struct(">I")
_BATCH_ENTRIES = 50_000

_environments: dict[str, tuple[Any, int]] = {}
_environments_lock = threading.Lock()
"""LMDB forbids that a process opens one environment twice; these are the open ones and how many use each."""


class Place(NamedTuple):
    """Where a record lies."""

    pack_id: str
    offset: int
    length_bytes: int
    kind: int


class Locator:
    """The local index of one repository. Thread: any."""

    def __init__(self, directory: Path, repository_id: str) -> None:
        """Open the locator, or begin an empty one when there is none that can be read.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        self._directory = directory
        self._key = str(directory.resolve())
        self._repository_id = repository_id.encode()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            try:
                self._open()
            except lmdb.Error:
                self._release()
                shutil.rmtree(directory)
                directory.mkdir(parents=True)
                self._open()
        except (OSError, lmdb.Error) as error:
            raise LocatorUnavailable(path=directory, detail=error) from error
        self._ids: dict[int, str] = {}
        self._load_numbers()

    def _open(self) -> None:
        with _environments_lock:
            environment, users = _environments.get(self._key, (None, 0))
            if environment is None:
                environment = lmdb.open(
                    self._key, map_size=_MAP_BYTES, max_dbs=4, max_readers=512, readahead=False, max_spare_txns=8
                )
            _environments[self._key] = (environment, users + 1)
        self._environment = environment
        self._chunks = environment.open_db(b"chunks")
        self._numbers = environment.open_db(b"numbers")
        self._packs = environment.open_db(b"packs")
        self._meta = environment.open_db(b"meta")
        with environment.begin(write=True) as transaction:
            mark = _SCHEMA + b" " + self._repository_id
            if transaction.get(b"mark", db=self._meta) != mark:
                for table in (self._chunks, self._numbers, self._packs, self._meta):
                    transaction.drop(table, delete=False)
                transaction.put(b"mark", mark, db=self._meta)

    def _release(self) -> None:
        with _environments_lock:
            environment, users = _environments.pop(self._key, (None, 0))
            if users > 1:
                _environments[self._key] = (environment, users - 1)
            elif environment is not None:
                environment.close()

    def close(self) -> None:
        """Let go of the files."""
        if self._environment is not None:
            self._environment = None
            self._release()

    def _load_numbers(self) -> None:
        with self._transaction() as transaction:
            self._ids = {
                _NUMBER.unpack(number)[0]: pack_id.hex()
                for number, pack_id in transaction.cursor(db=self._numbers)
            }

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[Any]:
        try:
            with self._environment.begin(write=write) as transaction:
                yield transaction
        except lmdb.Error as error:
            raise LocatorUnavailable(path=self._directory, detail=error) from error

    def find(self, digest: bytes) -> Place | None:
        """Return where a chunk or page lies, or None when no sealed pack is known to hold it.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction() as transaction:
            packed = transaction.get(digest, db=self._chunks)
            if packed is None:
                return None
            number, offset, length_bytes, kind = _PLACE.unpack(packed)
            pack_id = self._ids.get(number)
            if pack_id is None:
                found = transaction.get(_NUMBER.pack(number), db=self._numbers)
                if found is None:
                    return None
                pack_id = self._ids[number] = found.hex()
        return Place(pack_id, offset, length_bytes, kind)

    def find_many(self, digests: Iterable[bytes]) -> dict[bytes, Place]:
        """Return the places of those digests that are known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        places: dict[bytes, Place] = {}
        with self._transaction() as transaction:
            for digest, packed in transaction.cursor(db=self._chunks).getmulti(list(digests)):
                number, offset, length_bytes, kind = _PLACE.unpack(packed)
                pack_id = self._ids.get(number)
                if pack_id is not None:
                    places[digest] = Place(pack_id, offset, length_bytes, kind)
        return places

    def add_pack(self, pack_id: str, entries: Sequence[PackEntry]) -> None:
        """Take in what a sealed pack holds; a pack that is known already is fine.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        self._add([(pack_id, entries)])

    def _add(self, packs: Sequence[tuple[str, Sequence[PackEntry]]]) -> None:
        fresh: dict[int, str] = {}
        with self._transaction(write=True) as transaction:
            # a number is never given out twice: chunks of packs that are gone still carry the old ones
            number = _NUMBER.unpack(transaction.get(b"last number", _NUMBER.pack(0), db=self._meta))[0]
            rows: list[tuple[bytes, bytes]] = []
            for pack_id, entries in packs:
                key = bytes.fromhex(pack_id)
                if transaction.get(key, db=self._packs) is not None:
                    continue
                number += 1
                transaction.put(key, _NUMBER.pack(number), db=self._packs)
                transaction.put(_NUMBER.pack(number), key, db=self._numbers)
                fresh[number] = pack_id
                rows += [
                    (entry.digest, _PLACE.pack(number, entry.offset, entry.length_bytes, entry.kind))
                    for entry in entries
                ]
            transaction.put(b"last number", _NUMBER.pack(number), db=self._meta)
            rows.sort()
            transaction.cursor(db=self._chunks).putmulti(rows)
        self._ids.update(fresh)

    def forget_packs(self, pack_ids: Iterable[str]) -> None:
        """Forget packs that are gone, and with them all they held.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction(write=True) as transaction:
            for pack_id in pack_ids:
                number = transaction.pop(bytes.fromhex(pack_id), db=self._packs)
                if number is not None:
                    transaction.delete(number, db=self._numbers)
                    self._ids.pop(_NUMBER.unpack(number)[0], None)

    def forget(self, digests: Iterable[bytes]) -> None:
        """Forget chunks that cannot be read, so that the next backup stores them again.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction(write=True) as transaction:
            for digest in digests:
                transaction.delete(digest, db=self._chunks)

    def point_to(self, pack_id: str, entry: PackEntry) -> None:
        """Let a digest be found in this pack from now on; nothing happens when the pack is not known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction(write=True) as transaction:
            number = transaction.get(bytes.fromhex(pack_id), db=self._packs)
            if number is not None:
                place = _PLACE.pack(_NUMBER.unpack(number)[0], entry.offset, entry.length_bytes, entry.kind)
                transaction.put(entry.digest, place, db=self._chunks)

    def pack_ids(self) -> set[str]:
        """Return the packs that are known.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction() as transaction:
            return {key.hex() for key, _ in transaction.cursor(db=self._packs)}

    def synchronize(self, present: set[str], read_entries: Callable[[str], Sequence[PackEntry] | None]) -> None:
        """Make the locator know exactly the packs that are present.

        ``read_entries`` returns what a pack holds, or None when that cannot be told.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        known = self.pack_ids()
        gone = known - present
        if gone:
            self.forget_packs(gone)
        batch: list[tuple[str, Sequence[PackEntry]]] = []
        size = 0
        for pack_id in sorted(present - known):
            entries = read_entries(pack_id)
            if entries is None:
                continue
            batch.append((pack_id, entries))
            size += len(entries)
            if size >= _BATCH_ENTRIES:
                self._add(batch)
                batch, size = [], 0
        if batch:
            self._add(batch)
        self._load_numbers()

    def clear(self) -> None:
        """Forget everything; the next synchronization reads all footers again.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._transaction(write=True) as transaction:
            for table in (self._chunks, self._numbers, self._packs):
                transaction.drop(table, delete=False)
        self._ids = {}

    def __enter__(self) -> "Locator":
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(lmdb.Error):
            self.close()
