"""Keeps sealed packs open for reading at random. Thread: any."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from app.repository.files import open_regular, refuse_links
from app.repository.layout import Layout

_OPEN_PACKS = 128
_HAS_PREAD = hasattr(os, "pread")
_HAS_PREADV = hasattr(os, "preadv")


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
        pack = self._take(pack_id)
        try:
            if _HAS_PREAD:
                return os.pread(pack.descriptor, length, offset)
            with self._seek_lock:
                os.lseek(pack.descriptor, offset, os.SEEK_SET)
                return os.read(pack.descriptor, length)
        finally:
            self._give_back(pack)

    def read_into(self, pack_id: str, offset: int, target: memoryview) -> int:
        """Fill ``target`` with bytes of a pack and return how many there were.

        Raises:
            OSError: the pack cannot be read.
        """
        if not _HAS_PREADV:
            data = self.read(pack_id, offset, len(target))
            target[: len(data)] = data
            return len(data)
        pack = self._take(pack_id)
        try:
            return os.preadv(pack.descriptor, [target], offset)
        finally:
            self._give_back(pack)

    def _take(self, pack_id: str) -> _OpenPack:
        """Open a pack, or use it once more; every use ends with :meth:`_give_back`."""
        with self._lock:
            pack = self._open.get(pack_id)
            if pack is None:
                descriptor = _open(self._layout.pack(pack_id))
                pack = self._open[pack_id] = _OpenPack(descriptor, users=1)
                self._trim()
            else:
                self._open.move_to_end(pack_id)
                pack.users += 1
            return pack

    def _give_back(self, pack: _OpenPack) -> None:
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


def _open(path: Path) -> int:
    refuse_links([path.parent])
    return open_regular(path)
