"""Writing a disk by VMware's library, several writes queued."""

from collections import deque

from app.domain.messages import Message
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.transport.ahead import check_on_disk
from app.transport.errors import MalformedAnswer
from app.transport.options import SECTOR_BYTES
from app.transport.reasons import EARLIER_WRITES_LOST
from app.transport.vddk.process import LibraryFailure
from app.transport.vddk.session import VddkDisk, VddkFailed
from app.transport.vddk.wire import LONGEST_READ_BYTES, Kind


class VddkWriter:
    """A disk that is open for writing by the library.

    No source says what of the acknowledged writes is on the disk when the library's process dies before a flush.
    So nothing is sent again after a failure: the disk counts as not written, and every further write fails.

    Thread: one at a time.
    """

    def __init__(self, disk: VddkDisk) -> None:
        self._disk = disk
        self._awaited: deque[tuple[int, int]] = deque()
        """Numbers and lengths of writes that are not acknowledged."""
        self._open_bytes = 0
        self._lost: Message | None = None

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel, as the library says."""
        return self._disk.attempt.mode

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; they are copied before this returns.

        Raises:
            DiskAccessFailed: the disk cannot be written.
            ValueError: the range reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        view = memoryview(data).cast("B")
        end = offset + len(view)
        self._check_usable()
        check_on_disk(offset, end, self.capacity_bytes)
        if not view:
            return
        if offset % SECTOR_BYTES or end % SECTOR_BYTES:
            offset, view = self._whole_sectors(offset, view)
        for start in range(0, len(view), LONGEST_READ_BYTES):
            self._write_part(offset + start, view[start : start + LONGEST_READ_BYTES])

    def flush(self) -> None:
        """Wait until everything written is on the disk.

        Raises:
            DiskAccessFailed: something is not.
            TaskCancelled: the task was cancelled.
        """
        self._check_usable()
        while self._awaited:
            self._receive()
        self._ask(Kind.FLUSH)
        self._receive()

    def close(self) -> None:
        """Close the disk; never raises. Unflushed writes may be lost."""
        self._disk.close()

    def _write_part(self, offset: int, view: memoryview) -> None:
        options = self._disk.options
        self._disk.cancel.check()
        while self._awaited and (
            self._open_bytes + len(view) > options.transfer_buffer_bytes or len(self._awaited) >= options.window
        ):
            self._receive()
        self._ask(Kind.WRITE, offset, data=view)

    def _ask(self, kind: Kind, offset: int = 0, second: int = 0, *, data: memoryview | bytes = b"") -> None:
        number, limit_s = self._disk.next_number(), self._disk.options.library_call_s
        try:
            self._disk.process.send(kind, number, offset, second, data=data, within_s=limit_s)
        except LibraryFailure as failure:
            self._fail(failure)
        self._awaited.append((number, len(data)))
        self._open_bytes += len(data)

    def _receive(self, view: memoryview | None = None) -> None:
        """Take the next acknowledgement, with its data where some was asked for."""
        limit_s = self._disk.options.library_call_s
        expected = 0 if view is None else len(view)
        try:
            answer = self._disk.process.receive(within_s=limit_s)
            number, length_bytes = self._awaited.popleft()
            if answer.number != number or answer.length_bytes != expected:
                raise MalformedAnswer(f"an answer to request {answer.number}, which was not awaited")
            if view is not None:
                self._disk.process.receive_into(view, within_s=limit_s)
        except LibraryFailure as failure:
            self._fail(failure)
        except MalformedAnswer as answer:
            self._disk.process.kill()
            self._lost = answer.said()
            raise self._disk.violated(answer) from answer
        self._open_bytes -= length_bytes

    def _fail(self, failure: LibraryFailure) -> None:
        self._lost = reason_of(failure)
        raise self._disk.error(failure) from failure

    def _check_usable(self) -> None:
        self._disk.check_open()
        if self._lost is not None:
            raise self._disk.attempt.error(VddkFailed, detail=EARLIER_WRITES_LOST.fill(reason=self._lost))

    def _whole_sectors(self, offset: int, view: memoryview) -> tuple[int, memoryview]:
        """Return the range widened to whole sectors, with what the disk holds around it."""
        while self._awaited:
            self._receive()
        first = offset // SECTOR_BYTES * SECTOR_BYTES
        last = -(-(offset + len(view)) // SECTOR_BYTES) * SECTOR_BYTES
        whole = memoryview(bytearray(last - first))
        for edge in sorted({first, last - SECTOR_BYTES}):
            self._ask(Kind.READ, edge, SECTOR_BYTES)
            self._receive(whole[edge - first : edge - first + SECTOR_BYTES])
        whole[offset - first : offset - first + len(view)] = view
        return first, whole
