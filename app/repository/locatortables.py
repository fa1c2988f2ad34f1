"""The tables of a locator, in LMDB.

``chunks`` (digest → pack number, offset, length, kind), ``copies`` (the same, for further packs that hold
a chunk), ``numbers`` (pack number → pack id), ``packs`` (pack id → pack number, size of its file) and ``meta``. A
place whose pack number is gone counts as not there: packs leave in one step, whatever they held.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from app.core.durable import remove_directory_tree
from app.core.privatefiles import make_private_folders
from app.domain.reasons import reason_of
from app.repository.environment import give_back_environment, shared_environment
from app.repository.errors import LocatorUnavailable

_SCHEMA = b"3"
_LAST_NUMBER = b"last number"
_NUMBER = struct.Struct(">I")
_PACK = struct.Struct(">IQ")
"""Number of a pack and size of its file."""
_Result = TypeVar("_Result")


class LocatorTables:
    """Opens the tables of one repository's locator, and reads and writes them in transactions. Thread: any.

    Methods with a ``transaction`` work inside one of :meth:`read` or :meth:`write`.
    """

    def __init__(self, directory: Path, repository_id: str) -> None:
        """Open the tables, or begin empty ones when there are none that can be read.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        self.directory = directory
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

    def _open(self) -> None:
        self._environment = environment = shared_environment(self._key)
        self.chunks = environment.table(b"chunks")
        self.copies = environment.table(b"copies", dupsort=True)
        self._numbers = environment.table(b"numbers")
        self._packs = environment.table(b"packs")
        self.meta = environment.table(b"meta")
        environment.write(self._take_over)

    def _take_over(self, transaction: lmdb.Transaction) -> None:
        """Begin an empty locator where another repository's or another version's is stored."""
        mark = _SCHEMA + b" " + self._repository_id
        if transaction.get(b"mark", db=self.meta) != mark:
            self.empty(transaction)
            transaction.drop(self.meta, delete=False)
            transaction.put(b"mark", mark, db=self.meta)

    def close(self) -> None:
        """Release the files."""
        if not self._closed:
            self._closed = True
            give_back_environment(self._key)

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Provide a transaction for reading.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        try:
            with self._environment.read() as transaction:
                yield transaction
        except lmdb.Error as error:
            raise LocatorUnavailable(path=self.directory, detail=reason_of(error)) from error

    def write(self, act: Callable[[Any], _Result]) -> _Result:
        """Do something in a transaction for writing; it may be done twice.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        try:
            return self._environment.write(act)
        except lmdb.Error as error:
            raise LocatorUnavailable(path=self.directory, detail=reason_of(error)) from error

    def empty(self, transaction: lmdb.Transaction) -> None:
        """Forget all that is rebuilt from the packs."""
        for table in (self.chunks, self.copies, self._numbers, self._packs):
            transaction.drop(table, delete=False)

    def pack_ids(self, transaction: lmdb.Transaction) -> dict[int, str]:
        """Return the packs that are known, by their numbers."""
        rows = transaction.cursor(db=self._numbers)
        return {_NUMBER.unpack(number)[0]: pack_id.hex() for number, pack_id in rows}

    def pack_id(self, transaction: lmdb.Transaction, number: int) -> str | None:
        """Return the pack of a number, None when it is gone."""
        found = transaction.get(_NUMBER.pack(number), db=self._numbers)
        return None if found is None else found.hex()

    def pack_sizes(self, transaction: lmdb.Transaction) -> dict[str, int]:
        """Return the packs that are known, and how many bytes the file of each had."""
        return {key.hex(): _PACK.unpack(row)[1] for key, row in transaction.cursor(db=self._packs)}

    def pack(self, transaction: lmdb.Transaction, pack_id: str) -> tuple[int, int] | None:
        """Return the number of a pack and how many bytes its file had, None when it is not known."""
        found = transaction.get(bytes.fromhex(pack_id), db=self._packs)
        if found is None:
            return None
        number, size_bytes = _PACK.unpack(found)
        return number, size_bytes

    def add_packs(self, transaction: lmdb.Transaction, packs: Sequence[tuple[str, int]]) -> int:
        """Give packs, each with the size of its file, consecutive numbers; return the first one's.

        A number is never given out twice: chunks of packs that are gone still carry the old ones.
        """
        last = int(_NUMBER.unpack(transaction.get(_LAST_NUMBER, _NUMBER.pack(0), db=self.meta))[0])
        for number, (pack_id, size_bytes) in enumerate(packs, last + 1):
            key = bytes.fromhex(pack_id)
            transaction.put(key, _PACK.pack(number, size_bytes), db=self._packs)
            transaction.put(_NUMBER.pack(number), key, db=self._numbers)
        transaction.put(_LAST_NUMBER, _NUMBER.pack(last + len(packs)), db=self.meta)
        return last + 1

    def remove_pack(self, transaction: lmdb.Transaction, pack_id: str) -> int | None:
        """Forget a pack, and with it all that it held; return its number, None when it was not known."""
        found = transaction.pop(bytes.fromhex(pack_id), db=self._packs)
        if found is None:
            return None
        number = int(_PACK.unpack(found)[0])
        transaction.delete(_NUMBER.pack(number), db=self._numbers)
        return number

    def put_places(self, transaction: lmdb.Transaction, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Write places by digest, and keep those that were there as further copies."""
        cursor = transaction.cursor(db=self.chunks)
        there = cursor.getmulti([digest for digest, _ in rows])
        if there:
            fresh = set(rows)
            transaction.cursor(db=self.copies).putmulti([row for row in there if row not in fresh])
        cursor.putmulti(rows)
