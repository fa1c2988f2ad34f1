"""Keeps sealed packs open for reading at random. Thread: any."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from app.repository.files import open_regular, refuse_links
from app.repository.layout import Layout
from app.repository.packheads import split_heads
from app.repository.packs import TRAILER_BYTES, PackDamaged, parse_trailer

_OPEN_PACKS = 128
_MOST_HEADS_BYTES = 4 * 1024 * 1024
"""Of the heads of one pack that are kept: far more than those of a pack of the usual size."""
_HAS_PREAD = hasattr(os, "pread")
_HAS_PREADV = hasattr(os, "preadv")
_HAS_ADVICE = hasattr(os, "posix_fadvise")


class OpenPack:
    """A pack that stays open as long as anybody holds this.

    So a reader takes it without a lock, and a pack that is forgotten meanwhile is closed behind the last read.

    Attributes:
        descriptor: of its file.
        heads: of its records, by their digests; None before anybody needed two of them.
        was_asked: whether anybody needed one.
    """

    __slots__ = ("_close", "descriptor", "heads", "was_asked")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.heads: Mapping[bytes, bytes] | None = None
        self.was_asked = False
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

    def ask_early(self, pack_id: str, offset: int, length: int) -> None:
        """Let the system fetch bytes of a pack that are read soon, without waiting; never raises."""
        if _HAS_ADVICE:
            with suppress(OSError):  # whoever reads them says so
                os.posix_fadvise(self.open(pack_id).descriptor, offset, length, os.POSIX_FADV_WILLNEED)

    def head(self, pack_id: str, digest: bytes) -> bytes | None:
        """Return the head of a record from where those of a pack are together; None: read it from the record.

        They are fetched for the second record that is asked for: one alone comes cheaper with the record. A pack
        that cannot be read, or whose heads cannot, has none.
        """
        try:
            pack = self.open(pack_id)
            if pack.heads is None:
                if not pack.was_asked:
                    pack.was_asked = True
                    return None
                pack.heads = self._read_heads(pack)
        except OSError:  # whoever reads the record says so
            return None
        return pack.heads.get(digest)

    def _read_heads(self, pack: OpenPack) -> Mapping[bytes, bytes]:
        size = os.fstat(pack.descriptor).st_size
        try:
            trailer = parse_trailer(self.read_open(pack, max(0, size - TRAILER_BYTES), TRAILER_BYTES), size)
        except PackDamaged:
            return {}
        return split_heads(self.read_open(pack, trailer.heads_at, min(trailer.heads_bytes, _MOST_HEADS_BYTES)))

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
