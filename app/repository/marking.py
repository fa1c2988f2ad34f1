"""What the restore points reach: the records that must stay, as arrays instead of objects.

Records are known by the first 8 bytes of their digests here: a collision can only keep a record that could have
gone, never the other way round, and costs a space report a chunk in many millions of years.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from app.domain.messages import Message
from app.domain.restore_point import PointDisk
from app.repository.crypto import DIGEST_BYTES
from app.repository.packs import PackEntry
from app.repository.pages import PAGE_BYTES, ZERO_DIGEST, PageDamaged, chunk_count, tree_depth
from app.repository.parts import RepositoryParts
from app.repository.reasons import PAGE_CHANGED
from app.repository.store import RecordLost

Prefixes = NDArray[np.uint64]
_COMPACT_AT = 4_000_000
_WORDS = DIGEST_BYTES // 8


def prefixes_of(digests: bytes) -> Prefixes:
    """Return the first 8 bytes of each of many digests, without those of zeros."""
    words = np.frombuffer(digests, dtype="<u8").reshape(-1, _WORDS)
    return np.ascontiguousarray(words[words.any(axis=1)][:, 0])


def entry_prefixes(entries: Sequence[PackEntry]) -> Prefixes:
    """Return the first 8 bytes of the digest of each entry, in order."""
    joined = b"".join([entry.digest for entry in entries])
    return np.ascontiguousarray(np.frombuffer(joined, dtype="<u8").reshape(-1, _WORDS)[:, 0])


class PrefixSet:
    """A growing set of digest prefixes."""

    def __init__(self) -> None:
        self._parts: list[Prefixes] = []
        self._waiting = 0

    def add(self, prefixes: Prefixes) -> None:
        """Take in prefixes."""
        self._parts.append(prefixes)
        self._waiting += len(prefixes)
        if self._waiting >= _COMPACT_AT:
            self.sorted()

    def sorted(self) -> Prefixes:
        """Return all prefixes once each, in ascending order."""
        joined = np.unique(np.concatenate(self._parts)) if self._parts else np.empty(0, dtype=np.uint64)
        self._parts, self._waiting = [joined], 0
        return joined


def contained(values: Prefixes, ordered: Prefixes) -> NDArray[np.bool_]:
    """Return for each value whether it is in an ascending array."""
    if not len(ordered):
        return np.zeros(len(values), dtype=np.bool_)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[at] == values, dtype=np.bool_)


class UnreadablePage(Exception):
    """An index page cannot be read, so that it is not known what it reaches."""

    def __init__(self, digest: bytes, detail: str) -> None:
        self.digest = digest
        self.detail = detail
        super().__init__(detail)

    def said(self) -> Message:
        """Return it as a message."""
        return PAGE_CHANGED.fill(details=self.detail)


class Marker:
    """Collects the digests that the indexes of disks reach. Thread: one at a time."""

    def __init__(self, parts: RepositoryParts, check: Callable[[], None]) -> None:
        """Prepare; ``check`` is called for each page and ends the walk by raising."""
        self._parts = parts
        self._check = check
        self._decoder = parts.decoder()

    def mark(self, disks: Iterable[PointDisk]) -> Prefixes:
        """Return the prefixes of all pages and chunks that disks reach, ascending. Shared pages are read once.

        Raises:
            UnreadablePage: a page cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        reached = PrefixSet()
        seen: set[bytes] = set()
        for disk in disks:
            depth = tree_depth(chunk_count(disk.capacity_bytes, self._parts.chunk_bytes))
            self._walk(bytes.fromhex(disk.root), depth - 1, reached.add, seen)
        return reached.sorted()

    def _walk(self, digest: bytes, level: int, add: Callable[[Prefixes], None], seen: set[bytes]) -> None:
        if digest == ZERO_DIGEST or digest in seen:
            return
        seen.add(digest)
        self._check()
        page = self._page(digest)
        add(prefixes_of(digest))
        add(prefixes_of(page))
        if level:
            for slot in range(0, len(page), DIGEST_BYTES):
                self._walk(page[slot : slot + DIGEST_BYTES], level - 1, add, seen)

    def _page(self, digest: bytes) -> bytes:
        try:
            page = self._parts.store.blob(digest, self._decoder)
            if len(page) > PAGE_BYTES or len(page) % DIGEST_BYTES:
                raise PageDamaged("an index page has an impossible size")
        except (RecordLost, PageDamaged) as error:
            raise UnreadablePage(digest, str(error)) from error
        return page


def all_entries(parts: RepositoryParts, pack_ids: Iterable[str]) -> Iterator[tuple[str, Sequence[PackEntry]]]:
    """Yield what each pack holds, leaving out packs that cannot be read at all.

    Raises:
        StandbyUnavailable: the standby is gone.
    """
    for pack_id in pack_ids:
        entries = parts.packs.entries(pack_id)
        if entries is not None:
            yield pack_id, entries
