"""A disk's index: a tree of content-addressed pages, each holding up to 1,024 digests.

Leaves (level 0) hold the digests of chunks, every level above the digests of the pages below it. A digest of
zeros stands for a chunk of zeros or a page that would be empty: neither is stored. A page is cut behind its
last digest that is not zeros, so that equal content has one form. Only pages that changed are rewritten.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.repository.crypto import DIGEST_BYTES
from app.repository.reasons import PAGE_CHANGED, NotAsWritten

PAGE_ENTRIES = 1024
PAGE_BYTES = PAGE_ENTRIES * DIGEST_BYTES
ZERO_DIGEST = bytes(DIGEST_BYTES)
_CACHED_PAGES = 256
_NEAR_LEAVES = 64

LoadPage = Callable[[bytes], bytes]
StorePage = Callable[[bytes], bytes]


class PageDamaged(NotAsWritten):
    """A page's content cannot be an index page."""

    kind = PAGE_CHANGED


def chunk_count(capacity_bytes: int, chunk_bytes: int) -> int:
    """Return how many chunks cover a disk."""
    return -(-capacity_bytes // chunk_bytes)


def tree_depth(count: int) -> int:
    """Return how many levels of pages index so many chunks; at least one."""
    depth, reach = 1, PAGE_ENTRIES
    while reach < count:
        depth, reach = depth + 1, reach * PAGE_ENTRIES
    return depth


class PageTree:
    """Reads the index of one disk. Thread: any.

    ``load`` returns a page's bytes, compared with its digest.
    """

    def __init__(self, root: bytes, count: int, load: LoadPage) -> None:
        self.root = root
        self.count = count
        self.depth = tree_depth(count)
        self._load = load
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._used: dict[int, bytes] = {}
        self._near = self._used.get
        """Returns a leaf that was used of late, without a lock and without the pages above it."""

    def digest(self, index: int) -> bytes:
        """Return the digest of a chunk.

        Raises:
            IndexError: the disk has no such chunk.
        """
        if not 0 <= index < self.count:
            raise IndexError(index)
        number, slot = divmod(index, PAGE_ENTRIES)
        page = self._near(number)
        if page is None:
            page = self.page(0, number)
            if len(self._used) >= _NEAR_LEAVES:
                self._used.clear()
            self._used[number] = page
        return _entry(page, slot)

    def stored(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield index and digest of every chunk in the range that is not zeros, passing empty pages by."""
        last = self.count if stop is None else min(stop, self.count)
        for number, page in self._leaves(self.depth - 1, 0, start, last):
            first = number * PAGE_ENTRIES
            for slot in range(max(0, start - first), min(len(page) // DIGEST_BYTES, last - first)):
                digest = _entry(page, slot)
                if digest != ZERO_DIGEST:
                    yield first + slot, digest

    def _leaves(self, level: int, number: int, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        page = self.page(level, number)
        if level == 0:
            yield number, page
            return
        span = PAGE_ENTRIES**level
        first = number * PAGE_ENTRIES
        for slot in range(max(0, start // span - first), min(len(page) // DIGEST_BYTES, -(-stop // span) - first)):
            if _entry(page, slot) != ZERO_DIGEST:
                yield from self._leaves(level - 1, first + slot, start, stop)

    def page_digests(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield level, number and digest of every stored page, a page before those below it."""
        yield from self._page_digests(self.depth - 1, 0, self.root)

    def _page_digests(self, level: int, number: int, digest: bytes) -> Iterator[tuple[int, int, bytes]]:
        if digest == ZERO_DIGEST:
            return
        yield level, number, digest
        if level:
            page = self._cached(digest)
            for slot in range(len(page) // DIGEST_BYTES):
                yield from self._page_digests(level - 1, number * PAGE_ENTRIES + slot, _entry(page, slot))

    def page(self, level: int, number: int) -> bytes:
        """Return a page's entries; empty bytes for one that is not stored."""
        digest = self.page_digest(level, number)
        return b"" if digest == ZERO_DIGEST else self._cached(digest)

    def page_digest(self, level: int, number: int) -> bytes:
        """Return the digest of a page."""
        if level >= self.depth - 1:
            return self.root if level == self.depth - 1 and number == 0 else ZERO_DIGEST
        return _entry(self.page(level + 1, number // PAGE_ENTRIES), number % PAGE_ENTRIES)

    def _cached(self, digest: bytes) -> bytes:
        with self._lock:
            page = self._cache.get(digest)
            if page is not None:
                self._cache.move_to_end(digest)
                return page
        page = self._load(digest)
        if not page or len(page) > PAGE_BYTES or len(page) % DIGEST_BYTES:
            raise PageDamaged("an index page has an impossible size")
        with self._lock:
            self._cache[digest] = page
            if len(self._cache) > _CACHED_PAGES:
                self._cache.popitem(last=False)
        return page


def _entry(page: bytes, slot: int) -> bytes:
    return page[slot * DIGEST_BYTES : (slot + 1) * DIGEST_BYTES] or ZERO_DIGEST


@dataclass(slots=True)
class _OpenLeaf:
    changes: dict[int, bytes] = field(default_factory=dict)
    awaited: int = 0
    closed: bool = False


class PageTreeBuilder:
    """Makes the index of a disk from its parent's index and the chunks that changed. Thread: any.

    Chunks are announced in ascending order and may be set in any order: a leaf is written as soon as all that
    was announced of it is there, so that memory does not grow with the disk.
    """

    def __init__(self, count: int, parent: PageTree | None, store: StorePage) -> None:
        self._count = count
        self._depth = tree_depth(count)
        self._parent = parent
        self._store = store
        self._lock = threading.Lock()
        self._open: dict[int, _OpenLeaf] = {}
        self._newest = -1
        self._written: dict[int, bytes] = {}

    def announce(self, index: int) -> None:
        """Announce that a chunk's digest will come; indexes never go down."""
        number = index // PAGE_ENTRIES
        finished: _OpenLeaf | None = None
        with self._lock:
            assert number >= self._newest
            assert index < self._count
            if number > self._newest:
                finished = self._close_leaf(self._newest)
                previous, self._newest = self._newest, number
            self._open.setdefault(number, _OpenLeaf()).awaited += 1
        if finished is not None:
            self._write_leaf(previous, finished)

    def _close_leaf(self, number: int) -> _OpenLeaf | None:
        leaf = self._open.get(number)
        if leaf is None:
            return None
        leaf.closed = True
        return self._open.pop(number) if not leaf.awaited else None

    def put(self, index: int, digest: bytes) -> None:
        """Set the digest of a chunk that was announced."""
        number, slot = divmod(index, PAGE_ENTRIES)
        with self._lock:
            leaf = self._open[number]
            leaf.changes[slot] = digest
            leaf.awaited -= 1
            if leaf.awaited or not leaf.closed:
                return
            del self._open[number]
        self._write_leaf(number, leaf)

    def _write_leaf(self, number: int, leaf: _OpenLeaf) -> None:
        digest = self._write_page(0, number, leaf.changes)
        with self._lock:
            self._written[number] = digest

    def finish(self) -> bytes:
        """Write what is left and return the digest of the root page."""
        for number, leaf in sorted(self._open.items()):
            assert not leaf.awaited
            self._write_leaf(number, leaf)
        self._open.clear()
        changed = self._written
        self._touch_border(changed, 0)
        for level in range(1, self._depth):
            above: dict[int, dict[int, bytes]] = {}
            for number, digest in changed.items():
                above.setdefault(number // PAGE_ENTRIES, {})[number % PAGE_ENTRIES] = digest
            changed = {number: self._write_page(level, number, slots) for number, slots in above.items()}
            self._touch_border(changed, level)
        if changed:
            return changed[0]
        return self._parent.root if self._parent is not None else ZERO_DIGEST

    def _touch_border(self, changed: dict[int, bytes], level: int) -> None:
        """Where the disk grew or shrank, also write the pages at the border between old and new."""
        if self._parent is None or self._parent.count == self._count:
            return
        last = min(self._parent.count, self._count) - 1
        number = max(last, 0) // PAGE_ENTRIES ** (level + 1)
        if number not in changed:
            changed[number] = self._write_page(level, number, {})

    def _write_page(self, level: int, number: int, changes: dict[int, bytes]) -> bytes:
        page = bytearray(PAGE_BYTES)
        old = self._old_page(level, number)
        page[: len(old)] = old
        for slot, digest in changes.items():
            page[slot * DIGEST_BYTES : (slot + 1) * DIGEST_BYTES] = digest
        trimmed = _trim(page)
        if not trimmed:
            return ZERO_DIGEST
        if self._parent is not None and trimmed == old == self._parent.page(level, number):
            return self._parent.page_digest(level, number)
        return self._store(trimmed)

    def _old_page(self, level: int, number: int) -> bytes:
        """Return a page of the parent, as far as this disk reaches."""
        parent = self._parent
        if parent is None:
            return b""
        if level >= parent.depth:  # this disk needs more levels: the old root goes below the new one
            return parent.root if level == parent.depth and number == 0 else b""
        span = PAGE_ENTRIES**level
        reach = -(-self._count // span) - number * PAGE_ENTRIES
        return parent.page(level, number)[: max(0, reach) * DIGEST_BYTES]


def _trim(page: bytearray) -> bytes:
    used = len(page.rstrip(b"\0"))
    return bytes(page[: -(-used // DIGEST_BYTES) * DIGEST_BYTES])
