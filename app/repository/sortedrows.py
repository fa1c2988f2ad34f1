"""The rows of a locator that is rebuilt, sorted on the way: a tree grows best from left to right."""

import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.core.durable import remove_what_can_be
from app.core.privatefiles import open_private
from app.repository.crypto import DIGEST_BYTES
from app.repository.packs import PackEntry

PLACE = struct.Struct("<IIIB")
"""Pack number, offset, length and kind of a record."""
Rows = list[tuple[bytes, bytes]]
"""Digests, each with its packed place."""
_ROWS_IN_MEMORY = 500_000
_PREFIX = "sorting-"
_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class SortedRows:
    """Sorts more rows than memory should hold, through a file per first byte of the digest."""

    def __init__(self, directory: Path) -> None:
        """Begin in a folder in which no one else sorts now; what a killed process left there goes first.

        Raises:
            OSError: the local disk refuses.
        """
        for left in directory.glob(f"{_PREFIX}*"):
            remove_what_can_be(left)
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=directory)
        self._waiting: list[list[bytes]] = [[] for _ in range(256)]
        self._count = 0

    def add(self, pack: int, entries: Sequence[PackEntry]) -> None:
        """Take in what the pack holds that will be the ``pack``-th."""
        for digest, offset, length_bytes, _, kind in entries:
            self._waiting[digest[0]].append(digest + PLACE.pack(pack, offset, length_bytes, kind))
        self._count += len(entries)
        if self._count >= _ROWS_IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        for first, rows in enumerate(self._waiting):
            path = Path(self._folder.name, f"{first:02x}")
            with os.fdopen(open_private(path, _APPENDING), "ab") as file:
                file.write(b"".join(rows))
            rows.clear()
        self._count = 0

    def buckets(self, number_before: int) -> Iterator[tuple[Rows, Rows]]:
        """Yield all places in ascending order of their digests: one for each digest, and further copies.

        Pack numbers follow the given one.
        """
        self._spill()
        size = DIGEST_BYTES + PLACE.size
        for first in range(256):
            data = Path(self._folder.name, f"{first:02x}").read_bytes()
            rows: dict[bytes, bytes] = {}
            copies: Rows = []
            for at in range(0, len(data), size):
                digest, place = data[at : at + DIGEST_BYTES], data[at + DIGEST_BYTES : at + size]
                if rows.setdefault(digest, place) is not place:
                    copies.append((digest, _shifted(place, number_before)))
            yield [(digest, _shifted(rows[digest], number_before)) for digest in sorted(rows)], copies

    def __enter__(self) -> "SortedRows":
        return self

    def __exit__(self, *exc: object) -> None:
        self._folder.cleanup()


def _shifted(place: bytes, by: int) -> bytes:
    number, offset, length_bytes, kind = PLACE.unpack(place)
    return PLACE.pack(number + by, offset, length_bytes, kind)
