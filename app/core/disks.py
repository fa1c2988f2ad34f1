"""Reading and writing disks, whatever carries the bytes.

A reader fills buffers that its caller owns, so that memory is bounded by the caller and nothing is copied. The
caller keeps the pipe full by giving requests ahead: :meth:`DiskReader.read_many` pulls as many as it can have in
flight.
"""

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from app.domain.extents import Extent
from app.domain.states import TransportMode


@dataclass(slots=True, eq=False)
class ReadRequest:
    """Fill ``buffer`` with the disk's bytes from ``offset`` on."""

    offset: int
    buffer: memoryview
    tag: object = None
    """Anything the caller wants to find again on the completed request."""
    is_exchangeable: bool = False
    """True: ``buffer`` is whole, from :func:`page_aligned`, and the completed request may hold another one of its
    kind and size instead, which is the caller's from then on, as the first is the reader's."""


def page_aligned(size_bytes: int) -> memoryview:
    """Return a buffer of zeros that begins at a page, as reading past the page cache needs it."""
    return memoryview(mmap.mmap(-1, size_bytes))


class DiskReader(Protocol):
    """An open disk. Thread: one at a time, not necessarily the one that opened it."""

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        ...

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel."""
        ...

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several in flight, and yield each, in order, when it is filled.

        Requests are pulled lazily, at most :attr:`window` ahead of what was yielded; bytes never overlap.

        Raises:
            DiskAccessFailed: the disk cannot be read, after reconnecting was tried.
            ValueError: a request reaches beyond the capacity.
        """
        ...

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        ...

    def allocated_extents(self) -> list[Extent] | None:
        """Return the ranges that hold data, or None when this transport cannot find out."""
        ...

    def close(self) -> None:
        """Release the disk; never raises."""
        ...


@runtime_checkable
class ReadsNow(Protocol):
    """What some readers can do besides."""

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Fill a buffer where all of it is in memory; return whether it was filled. Thread: any, never waits."""
        ...


class DiskWriter(Protocol):
    """A disk open for writing. Thread: one at a time."""

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        ...

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel."""
        ...

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; the writer may hold on to ``data``, unchanged, until :meth:`flush` returns.

        Raises:
            DiskAccessFailed: the disk cannot be written, after reconnecting was tried.
            ValueError: the range reaches beyond the capacity.
        """
        ...

    def flush(self) -> None:
        """Wait until everything written is acknowledged.

        Raises:
            DiskAccessFailed: something was not.
        """
        ...

    def close(self) -> None:
        """Release the disk; never raises. Unflushed writes may be lost."""
        ...
