"""Keeps sealed packs open for reading at random. Thread: any."""

import os
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from app.repository.files import open_regular, refuse_links
from app.repository.layout import Layout
from app.repository.packheads import StoredHead, split_heads
from app.repository.packs import PACK_HEADER_BYTES, TRAILER_BYTES, PackDamaged, parse_trailer

_OPEN_PACKS = 128
_MOST_HEADS_BYTES = 4 * 1024 * 1024
"""Heads of a pack that are longer are not kept: those of a pack of the usual size are far shorter."""
_HAS_PREAD = hasattr(os, "pread")
_HAS_PREADV = hasattr(os, "preadv")
_HAS_ADVICE = hasattr(os, "posix_fadvise")


class OpenPack:
    """A pack that stays open as long as anybody holds this.

    So a reader takes it without a lock, and a pack that is forgotten meanwhile is closed behind the last read.

    Attributes:
        descriptor: of its file.
        digests: of its records whose heads are at hand; None before anybody needed two of them.
        was_asked: whether anybody needed one.
    """

    __slots__ = ("_close", "descriptor", "digests", "was_asked")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.digests: Iterable[bytes] | None = None
        self.was_asked = False
        self._close = os.close  # which may be gone already when the interpreter ends

    def __del__(self) -> None:
        self._close(self.descriptor)


class PackFiles:
    """Keeps packs open for reading at random; those opened first are closed first. Thread: any.

    Attributes:
        known: returns a pack that is open, at the cost of one look into a dictionary.
        head: returns the head of a record by its digest, where its pack's heads are at hand; at the same cost.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._seek_lock = threading.Lock()
        self._open: dict[str, OpenPack] = {}
        self._heads: dict[bytes, StoredHead] = {}
        self.known: Callable[[str], OpenPack | None] = self._open.get
        self.head: Callable[[bytes], StoredHead | None] = self._heads.get

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
                    self._close(next(iter(self._open)))
            return pack

    def _close(self, pack_id: str) -> None:
        pack = self._open.pop(pack_id, None)
        for digest in () if pack is None else pack.digests or ():
            self._drop_head(pack_id, digest)

    def _drop_head(self, pack_id: str, digest: bytes) -> None:
        head = self._heads.get(digest)
        if head is not None and head[0] == pack_id:
            del self._heads[digest]

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

    def read_together(self, pieces: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Return pieces of packs, each with its pack, offset and length; shorter what cannot be read.

        Never raises. The system begins to fetch all of them before the first is waited for.
        """
        packs = [self.known(pack_id) or self._open_or_none(pack_id) for pack_id, _, _ in pieces]
        if _HAS_ADVICE:
            with suppress(OSError):  # reading says why
                for pack, (_, offset, length) in zip(packs, pieces, strict=True):
                    if pack is not None:
                        os.posix_fadvise(pack.descriptor, offset, length, os.POSIX_FADV_WILLNEED)
        return [
            b"" if pack is None else self._read_or_none(pack, offset, length)
            for pack, (_, offset, length) in zip(packs, pieces, strict=True)
        ]

    def _open_or_none(self, pack_id: str) -> OpenPack | None:
        with suppress(OSError):
            return self.open(pack_id)
        return None

    def _read_or_none(self, pack: OpenPack, offset: int, length: int) -> bytes:
        with suppress(OSError):
            return self.read_open(pack, offset, length)
        return b""

    def fetch_heads(self, pack_id: str) -> None:
        """Have the heads of a pack's records at hand, for the second of its records that is asked for.

        One alone comes cheaper with its record. A pack that cannot be read, or whose heads cannot, has none.
        """
        with suppress(OSError):  # whoever reads the record says why
            pack = self.open(pack_id)
            if pack.digests is not None:
                return
            if not pack.was_asked:
                pack.was_asked = True
                return
            heads = self._read_heads(pack_id, pack)
            with self._lock:
                pack.digests = tuple(heads)
                if self._open.get(pack_id) is pack:
                    self._heads.update(heads)

    def _read_heads(self, pack_id: str, pack: OpenPack) -> dict[bytes, StoredHead]:
        """Return the heads of a pack; none that are not exactly what was written."""
        size = os.fstat(pack.descriptor).st_size
        try:
            trailer = parse_trailer(self.read_open(pack, max(0, size - TRAILER_BYTES), TRAILER_BYTES), size)
        except PackDamaged:
            return {}
        if trailer.heads_bytes > _MOST_HEADS_BYTES:
            return {}
        section = self.read_open(pack, trailer.heads_at, trailer.heads_bytes)
        if zlib.crc32(section) != trailer.heads_crc:
            return {}
        heads, end = split_heads(section, pack_id, PACK_HEADER_BYTES)
        return heads if end == trailer.heads_at else {}

    def forget_head(self, pack_id: str, digest: bytes) -> None:
        """Let a record be looked for where the locator says, because it could not be read where its head says."""
        with self._lock:
            self._drop_head(pack_id, digest)

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
            self._close(pack_id)

    def close(self) -> None:
        """Close all packs, each as soon as no read is under way."""
        with self._lock:
            self._open.clear()
            self._heads.clear()


def _open(path: Path) -> int:
    refuse_links([path.parent])
    return open_regular(path)
