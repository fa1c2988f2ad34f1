"""A :class:`FailingStorage` that also loses what was written over old bytes, sector by sector.

A file that is written in place has its full length from the beginning; after a power cut each of its sectors that
was written since the last sync may hold what was there before, or the new bytes, whatever the others hold.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.support.failing_storage import FailingStorage

_SECTOR_BYTES = 512


class OverwritingStorage(FailingStorage):
    """Remembers what every file held when it was synced last; for small files."""

    def __init__(self, root: Path, *args: Any, **kwargs: Any) -> None:
        super().__init__(root, *args, **kwargs)
        self._durable: dict[int, bytes] = {}

    def distrust(self, path: Path, durable: bytes) -> None:
        """Take what a file holds for not synced; ``durable`` is what it held then."""
        self._durable[path.stat().st_ino] = durable

    def _remember(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if found.st_ino not in self._durable:
            # By its name: the descriptor may be for writing only.
            self._durable[found.st_ino] = Path(self.paths[descriptor]).read_bytes()

    def _write(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def remembering(descriptor: int, *args: Any) -> int:
            if descriptor in self.paths:
                self._remember(descriptor)
            return real(descriptor, *args)

        return super()._write(name, remembering)

    def _sync(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        inner = super()._sync(name, real)

        def call(descriptor: int) -> None:
            inner(descriptor)
            if descriptor in self.paths:
                self._durable.pop(os.fstat(descriptor).st_ino, None)

        return call

    def _truncate(self, real: Callable[..., None]) -> Callable[..., None]:
        def remembering(target: Any, length: int) -> None:
            if target in self.paths:
                self._remember(target)
            real(target, length)

        return super()._truncate(remembering)

    def _fallocate(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(descriptor: int, offset: int, length: int) -> None:
            if descriptor in self.paths:
                self.step("fallocate")
                self._remember(descriptor)
            real(descriptor, offset, length)

        return call

    @contextmanager
    def watching(self) -> Iterator["OverwritingStorage"]:
        """Watch inside the block; space that is taken is a step as well."""
        with patch.object(os, "posix_fallocate", self._fallocate(os.posix_fallocate)), super().watching():
            yield self

    def lose_unsynced(self) -> None:
        """Do to the standby what a power failure does; afterwards this object is used up."""
        self._unsynced.clear()
        super().lose_unsynced()
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = Path(folder, name)
                durable = self._durable.get(path.stat().st_ino)
                if durable is not None:
                    path.write_bytes(self._mixed(durable, path.read_bytes()))

    def _mixed(self, durable: bytes, written: bytes) -> bytes:
        fate = self.dice.choice(("old", "new", "mixed", "mixed"))
        if fate != "mixed":
            return durable if fate == "old" else written
        size = self.dice.choice((len(durable), len(written)))
        share = self.dice.random()
        mixed = bytearray(size)
        for start in range(0, size, _SECTOR_BYTES):
            source = durable if self.dice.random() < share else written
            piece = source[start : min(size, start + _SECTOR_BYTES)]
            mixed[start : start + len(piece)] = piece
        return bytes(mixed)
