"""Reading a disk by VMware's library, several requests queued."""

import json
from collections import deque
from collections.abc import Iterable, Iterator

from app.core.disks import ReadRequest
from app.domain.extents import Extent, normalize
from app.domain.states import TransportMode
from app.transport import messages
from app.transport.ahead import Pull, ReadAhead
from app.transport.errors import MalformedAnswer
from app.transport.options import SECTOR_BYTES
from app.transport.vddk.process import LibraryFailure, LibraryRefusal
from app.transport.vddk.session import VddkDisk
from app.transport.vddk.wire import LONGEST_READ_BYTES, Kind

_LONGEST_LISTING_BYTES = 64 << 20
_LISTED_BYTES = 32 << 30
"""Of disk per question: half a million ranges at most."""


class _Awaited:
    """A part of a request that the library was asked for."""

    __slots__ = ("number", "offset", "pull", "view")

    def __init__(self, pull: Pull | None, offset: int, view: memoryview) -> None:
        self.pull = pull
        """Whose bytes these are; None when no one wants them any more."""
        self.offset = offset
        self.view = view
        self.number = 0


class VddkReader:
    """A disk that is open for reading by the library.

    The library reads one request after the other, and its answers come in that order. When its process dies, hangs
    or loses the host, a new one opens the disk again and is asked for what is missing.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(self, disk: VddkDisk) -> None:
        self._disk = disk
        self._awaited: deque[_Awaited] = deque()
        self._open_bytes = 0
        self._reading = False

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel, as the library says."""
        return self._disk.attempt.mode

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return self._disk.options.window

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several queued, and yield each, in order, when it is filled.

        Raises:
            DiskAccessFailed: the disk cannot be read, after a new process was tried.
            ValueError: a request reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        if self._reading:
            raise RuntimeError("the disk is being read already")
        self._disk.check_open()
        self._settle()
        ahead = ReadAhead(
            requests,
            capacity_bytes=self.capacity_bytes,
            window=self.window,
            budget_bytes=self._disk.options.transfer_buffer_bytes,
            unit_bytes=SECTOR_BYTES,
            cancel=self._disk.cancel,
        )
        self._reading = True
        try:
            yield from ahead.filled(lambda: self._ask_ahead(ahead), self._receive_or_recover)
        finally:
            self._reading = False
            for awaited in self._awaited:  # the buffers are the caller's again
                awaited.pull, awaited.view = None, memoryview(bytearray(len(awaited.view)))

    def allocated_extents(self) -> list[Extent] | None:
        """Return the ranges that hold data in multiples of 64 KiB, or None where the library does not say.

        Raises:
            DiskAccessFailed: it cannot be asked, after a new process was tried.
            TaskCancelled: the task was cancelled.
        """
        self._disk.check_open()
        self._settle()
        found: list[Extent] = []
        for offset in range(0, self.capacity_bytes, _LISTED_BYTES):
            listed = self._listed(offset, min(_LISTED_BYTES, self.capacity_bytes - offset))
            if listed is None:
                return None
            found += listed
        return normalize(found)

    def close(self) -> None:
        """Close the disk; never raises."""
        self._disk.close()

    # ---- asking ----------------------------------------------------------------------------------------------

    def _ask_ahead(self, ahead: ReadAhead) -> None:
        while (pull := ahead.next_within(self._open_bytes)) is not None:
            for start in range(0, len(pull.view), LONGEST_READ_BYTES):
                part = _Awaited(pull, pull.offset + start, pull.view[start : start + LONGEST_READ_BYTES])
                self._awaited.append(part)
                self._open_bytes += len(part.view)
                try:
                    self._send(part)
                except LibraryFailure as failure:
                    self._recover(failure)

    def _send(self, part: _Awaited) -> None:
        part.number = self._disk.next_number()
        limit_s = self._disk.options.library_call_s
        self._disk.process.send(Kind.READ, part.number, part.offset, len(part.view), within_s=limit_s)

    # ---- answers ---------------------------------------------------------------------------------------------

    def _receive_or_recover(self) -> None:
        try:
            self._receive()
        except LibraryFailure as failure:
            self._recover(failure)
        except MalformedAnswer as answer:
            self._disk.process.kill()
            raise self._disk.violated(answer) from answer

    def _receive(self) -> None:
        limit_s = self._disk.options.library_call_s
        answer = self._disk.process.receive(within_s=limit_s)
        part = self._awaited[0]
        if answer.number != part.number or answer.length_bytes != len(part.view):
            raise MalformedAnswer(
                f"{answer.length_bytes} bytes for request {answer.number}, which was not awaited"
            )
        self._disk.process.receive_into(part.view, within_s=limit_s)
        self._awaited.popleft()
        self._open_bytes -= len(part.view)
        if part.pull is not None:
            part.pull.missing_bytes -= len(part.view)
        self._disk.recovery.progressed()

    def _settle(self) -> None:
        """Receive what an earlier reader of requests left; it is wanted no more."""
        while self._awaited:
            self._receive_or_recover()

    def _recover(self, failure: LibraryFailure) -> None:
        """Open the disk again, and ask for everything that is missing.

        Raises:
            DiskAccessFailed: that does not work.
            TaskCancelled: cancelled meanwhile.
        """
        missing = deque(part for part in self._awaited if part.pull is not None)
        self._awaited.clear()
        self._open_bytes = sum(len(part.view) for part in missing)
        while True:
            self._disk.restore(failure)
            try:
                for part in missing:
                    self._send(part)
            except LibraryFailure as again:
                failure = again
            else:
                self._awaited = missing
                return

    def _listed(self, offset: int, length_bytes: int) -> list[Extent] | None:
        while True:
            try:
                return self._ask_listing(offset, length_bytes)
            except LibraryRefusal as refusal:
                path = self._disk.disk.path
                self._disk.log.info(messages.ALLOCATION_UNKNOWN, path=path, reason=refusal)
                return None
            except LibraryFailure as failure:
                self._disk.restore(failure)
            except (MalformedAnswer, ValueError, TypeError) as answer:
                self._disk.process.kill()
                raise self._disk.violated(MalformedAnswer(str(answer))) from answer

    def _ask_listing(self, offset: int, length_bytes: int) -> list[Extent] | None:
        process, limit_s = self._disk.process, self._disk.options.library_call_s
        number = self._disk.next_number()
        process.send(Kind.ALLOCATED, number, offset, length_bytes, within_s=limit_s)
        answer = process.receive(within_s=limit_s)
        if answer.number != number or answer.length_bytes > _LONGEST_LISTING_BYTES:
            raise MalformedAnswer(f"{answer.length_bytes} bytes for request {answer.number}")
        listed = json.loads(process.text(answer, within_s=limit_s))
        if listed is None:
            return None
        extents = [Extent(int(start), int(length)) for start, length in listed]
        for extent in extents:
            if extent.start < offset or extent.start + extent.length_bytes > offset + length_bytes:
                raise MalformedAnswer(f"blocks at {extent.start} of a part from {offset} on")
        return extents
