"""Keeps sealed packs open for reading at random. Thread: any."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.repository.layout import Layout

_OPEN_PACKS = 128


@dataclass(slots=True)
class _OpenPack:
    descriptor: int
    users: int = 0
    stale: bool = False


class PackFiles:
    """Keeps packs open for reading at random. Thread: any."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._seek_lock = threading.Lock()
        self._open: OrderedDict[str, _OpenPack] = OrderedDict()

    def read(self, pack_id: str, offset: int, length: int) -> bytes:
        """Return bytes of a pack; fewer when it ends before.

        Raises:
            OSError: the pack cannot be read.
        """
        with self._use(pack_id) as descriptor:
            if hasattr(os, "pread"):
                return os.pread(descriptor, length, offset)
            with self._seek_lock:
                os.lseek(descriptor, offset, os.SEEK_SET)
                return os.read(descriptor, length)

    def read_into(self, pack_id: str, offset: int, target: memoryview) -> int:
        """Fill ``target`` with bytes of a pack and return how many there were.

        Raises:
            OSError: the pack cannot be read.
        """
        if not hasattr(os, "preadv"):
            data = self.read(pack_id, offset, len(target))
            target[: len(data)] = data
            return len(data)
        with self._use(pack_id) as descriptor:
            return os.preadv(descriptor, [target], offset)

    @contextmanager
    def _use(self, pack_id: str) -> Iterator[int]:
        with self._lock:
            pack = self._open.get(pack_id)
            if pack is None:
                flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
                pack = self._open[pack_id] = _OpenPack(os.open(self._layout.pack(pack_id), flags))
            self._open.move_to_end(pack_id)
            pack.users += 1
            self._trim()
        try:
            yield pack.descriptor
        finally:
            with self._lock:
                pack.users -= 1
                if pack.stale and not pack.users:
                    os.close(pack.descriptor)

    def forget(self, pack_id: str) -> None:
        """Close a pack that is about to go."""
        with self._lock:
            pack = self._open.pop(pack_id, None)
            if pack is not None:
                pack.stale = True
                if not pack.users:
                    os.close(pack.descriptor)

    def _trim(self) -> None:
        if len(self._open) <= _OPEN_PACKS:
            return
        idle = [pack_id for pack_id, pack in self._open.items() if not pack.users]
        for pack_id in idle[: len(self._open) - _OPEN_PACKS]:
            os.close(self._open.pop(pack_id).descriptor)

    def close(self) -> None:
        """Close all packs."""
        with self._lock:
            for pack in self._open.values():
                pack.stale = True
                if not pack.users:
                    os.close(pack.descriptor)
            self._open.clear()
