"""Rebuilds a locator from the footers of all packs.

Digests are random, so they are sorted first and the tree is written from left to right. A mark stands in the
database meanwhile. A process that finds it waits for its owner, or starts over when that is dead.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import lmdb

from app.repository.locatortables import LocatorTables
from app.repository.packs import PackEntry
from app.repository.processes import is_same_process, process_mark
from app.repository.sortedrows import Rows, SortedRows

_MARK = b"rebuilding"
_one_at_a_time = threading.Lock()
"""One rebuild in this process; other processes go by the mark."""


class LocatorRebuild:
    """Rebuilds one locator. Thread: any."""

    def __init__(self, tables: LocatorTables) -> None:
        self._tables = tables

    def is_under_way(self) -> bool:
        """Return whether the mark is there: a rebuild goes on, or was broken off.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with self._tables.read() as transaction:
            return transaction.get(_MARK, db=self._tables.meta) is not None

    def run(self, present: Mapping[str, int], read_entries: Callable[[str], Sequence[PackEntry] | None]) -> bool:
        """Start over with the packs that are present; False when another process is at it, or has just done it.

        Args:
            present: the packs, and the size in bytes of the file of each.
            read_entries: returns what a pack holds, or None when that cannot be determined.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        with _one_at_a_time:
            if not self._begin(present):
                return False
            self._fill_tables(present, read_entries)
            return True

    def _begin(self, present: Mapping[str, int]) -> bool:
        """Empty the tables and leave the mark, unless another process is at it, or has just done it."""

        def act(transaction: lmdb.Transaction) -> bool:
            mark = transaction.get(_MARK, db=self._tables.meta)
            known = self._tables.pack_sizes(transaction).items()
            if _is_mark_of_another(mark) or (mark is None and known >= present.items()):
                return False
            self._tables.empty(transaction)
            transaction.put(_MARK, _own_mark(), db=self._tables.meta)
            return True

        return self._tables.write(act)

    def _fill_tables(
        self, present: Mapping[str, int], read_entries: Callable[[str], Sequence[PackEntry] | None]
    ) -> None:
        with SortedRows(self._tables.directory) as rows:
            readable: list[tuple[str, int]] = []
            for pack_id in sorted(present):
                entries = read_entries(pack_id)
                if entries is not None:
                    readable.append((pack_id, present[pack_id]))
                    rows.add(len(readable), entries)
            first = self._tables.write(partial(self._tables.add_packs, packs=readable))
            for bucket, copies in rows.buckets(first - 1):
                self._tables.write(partial(self._fill, bucket=bucket, copies=copies))
        self._tables.write(lambda transaction: transaction.delete(_MARK, db=self._tables.meta))

    def _fill(self, transaction: lmdb.Transaction, bucket: Rows, copies: Rows) -> None:
        """Write the next places in ascending order of their digests."""
        _, added = transaction.cursor(db=self._tables.chunks).putmulti(bucket, append=True)
        if added != len(bucket):  # another process has sealed a pack meanwhile
            self._tables.put_places(transaction, bucket)
        transaction.cursor(db=self._tables.copies).putmulti(copies)


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
