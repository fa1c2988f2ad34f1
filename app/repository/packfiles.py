"""Keeps sealed packs open for reading at random. Thread: any."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from app.repository.files import open_regular, refuse_links
from app.repository.layout import Layout

_OPEN_PACKS = 128
_HAS_PREAD = hasattr(os, "pread")
_HAS_PREADV = hasattr(os, "preadv")


class OpenPack:
    """A pack that stays open as long as anybody holds this.

    So a reader takes it without a lock, and a pack that is forgotten meanwhile is closed behind the last read.

    Attributes:
        descriptor: of its file.
    """

    __slots__ = ("_close", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._close = os.close  # which may be gone already when the interpreter ends

    def __del__(self) -> None:
        self._close(self.descriptor)


class PackFiles:
    """Keeps packs open for reading at random; those opened first are closed first. Thread: any."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._seek_lock = threading.Lock()
        self._open: dict[str, OpenPack] = {}
        self.known: Callable[[str], OpenPack | None] = self._open.get
        """Returns a pack that is open, at the cost of one look into a dictionary."""

    def open(self, pack_id: str) -> OpenPack:
        """Return a pack, opened now unless it is open.

        Raises:
            OSError: it cannot be opened.
        """
        pack = self.known(pack_id)
        if pack is not None:
            return pack
        with self._lock:
            pack = self.known(pack_id)
            if pack is None:
                pack = self._open[pack_id] = OpenPack(_open(self._layout.pack(pack_id)))
                if len(self._open) > _OPEN_PACKS:
                    del self._open[next(iter(self._open))]
            return pack

    def read(self, pack_id: str, offset: int, length: int) -> bytes:
        """Return bytes of a pack; fewer when it ends before.

        Raises:
            OSError: the pack cannot be read.
        """
        return self.read_open(self.open(pack_id), offset, length)

    def read_open(self, pack: OpenPack, offset: int, length: int) -> bytes:
        """Return bytes of an open pack; fewer when it ends before.

        Raises:
            OSError: the pack cannot be read.
        """
        if _HAS_PREAD:
            return os.pread(pack.descriptor, length, offset)
        with self._seek_lock:
            os.lseek(pack.descriptor, offset, os.SEEK_SET)
            return os.read(pack.descriptor, length)

    def read_into(self, pack_id: str, offset: int, target: memoryview) -> int:
        """Fill ``target`` with bytes of a pack and return how many there were.

        Raises:
            OSError: the pack cannot be read.
        """
        pack = self.open(pack_id)
        if _HAS_PREADV:
            return os.preadv(pack.descriptor, [target], offset)
        data = self.read_open(pack, offset, len(target))
        target[: len(data)] = data
        return len(data)

    def forget(self, pack_id: str) -> None:
        """Close a pack that is about to go, as soon as no read is under way."""
        with self._lock:
            self._open.pop(pack_id, None)

    def close(self) -> None:
        """Close all packs, each as soon as no read is under way."""
        with self._lock:
            self._open.clear()


def _open(path: Path) -> int:
    refuse_links([path.parent])
    return open_regular(path)
