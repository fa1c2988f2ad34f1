"""Writing a disk over NFC with several writes in flight."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.disks import ReadRequest
from app.domain.errors import TaskCancelled
from app.domain.messages import Message
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.transport.ahead import check_on_disk
from app.transport.errors import HostRefusal, LinkFailure, MalformedAnswer, ProtocolViolated
from app.transport.nfc import compression
from app.transport.nfc.channel import NfcChannel, take_what_came
from app.transport.nfc.reader import NfcReader
from app.transport.nfc.tuning import WRITING, Slice, Tuner
from app.transport.nfc.wire import ERROR_NO_MEMORY, LONGEST_IO_BYTES
from app.transport.options import SECTOR_BYTES, Compression
from app.transport.reasons import ACKNOWLEDGEMENTS_TOO_SLOW, EARLIER_WRITES_LOST


class NfcWriter:
    """A disk that is open for writing over NFC.

    A write is kept until the host acknowledges it; when the connection breaks or stalls, a new ticket opens the
    disk again and what was not acknowledged is sent again, in its order. Two writes in flight never overlap:
    the later one waits, so that sending again cannot bring back older bytes.

    Thread: one at a time.
    """

    def __init__(self, channel: NfcChannel) -> None:
        self._channel = channel
        self._cancel = channel.cancel
        self._options = channel.options
        self._edges = NfcReader(channel)
        self._tuner = Tuner(
            channel.options,
            channel.file.capacity_bytes,
            lambda message: channel.log.info(message.kind, **dict(message.params)),
            direction=WRITING,
        )
        self._unacknowledged: dict[int, _Write] = {}
        self._open_bytes = 0
        self._lost: Message | None = None

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._channel.file.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel: NFC or NFC_SSL."""
        return self._channel.attempt.mode

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; ``data`` has to stay unchanged until :meth:`flush` returns.

        Raises:
            DiskAccessFailed: the disk cannot be written, after reconnecting was tried.
            ValueError: the range reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        view = memoryview(data).cast("B")
        end = offset + len(view)
        self._check_usable()
        check_on_disk(offset, end, self.capacity_bytes)
        if not view:
            return
        if offset % SECTOR_BYTES or (end % SECTOR_BYTES and end != self.capacity_bytes):
            offset, view = self._whole_sectors(offset, view)
        longest = min(LONGEST_IO_BYTES, self._options.transfer_buffer_bytes)
        for start in range(0, len(view), longest):
            self._write_part(_Write(offset + start, view[start : start + longest]))

    def flush(self) -> None:
        """Wait until everything written is acknowledged.

        Raises:
            DiskAccessFailed: something was not, after reconnecting was tried.
            TaskCancelled: the task was cancelled.
        """
        self._check_usable()
        while self._unacknowledged:
            self._receive_or_recover()
        self._tuner.paused()

    def close(self) -> None:
        """Close the disk in order; never raises and never waits long. Unflushed writes may be lost."""
        if self._channel.closed:
            return
        try:
            self._channel.session.hurry()
            limit = time.monotonic() + self._options.close_timeout_s
            while self._unacknowledged:
                self._receive_acknowledgement()
                if time.monotonic() > limit:
                    raise LinkFailure(ACKNOWLEDGEMENTS_TOO_SLOW)
        except (LinkFailure, MalformedAnswer) as failure:
            self._channel.drop(failure)
        self._channel.farewell()
        self._unacknowledged.clear()

    def _write_part(self, write: "_Write") -> None:
        self._cancel.check()
        while self._unacknowledged and (
            self._open_bytes + len(write.data) > self._tuner.ahead_bytes
            or len(self._unacknowledged) >= self._options.window
            or any(write.overlaps(other) for other in self._unacknowledged.values())
        ):
            self._receive_or_recover()
        self._open_bytes += len(write.data)
        try:
            self._send(write)
        except (LinkFailure, TaskCancelled) as failure:
            self._recover(failure, write)

    def _send(self, write: "_Write") -> None:
        session = self._channel.session
        packing = self._tuner.manner.compression
        fragments = list(_fragments(write.data, session.buffer_bytes, packing))
        write.packed_bytes = sum(len(sent) for sent, _, _ in fragments)
        write.counted = self._tuner.asked(len(write.data))
        self._unacknowledged[session.send_write(self._channel.handle, write.offset, fragments)] = write

    def _receive_or_recover(self) -> None:
        try:
            self._receive_acknowledgement()
        except (LinkFailure, MalformedAnswer, TaskCancelled) as failure:
            self._recover(failure)

    def _receive_acknowledgement(self) -> None:
        number, answer = self._channel.session.receive_io()
        if number not in self._unacknowledged:
            raise MalformedAnswer(f"an answer to write {number}, which was not sent")
        if isinstance(answer, HostRefusal):
            counted = self._unacknowledged[number].counted
            if counted is not None and answer.code != ERROR_NO_MEMORY:
                self._tuner.refused(counted)
            raise answer
        write = self._unacknowledged.pop(number)
        self._open_bytes -= len(write.data)
        if write.counted is not None:
            self._tuner.answered(write.counted, len(write.data), write.packed_bytes)
        self._channel.recovery.progressed()

    def _recover(self, failure: Exception, unsent: "_Write | None" = None) -> None:
        """Connect again and send again what was not acknowledged, or raise what the failure means.

        Raises:
            DiskAccessFailed, TaskCancelled: as they say; nothing can be written any more.
        """
        failure = take_what_came(failure, self._unacknowledged, self._receive_acknowledgement)
        pending = [*self._unacknowledged.values(), *([unsent] if unsent else [])]
        self._unacknowledged.clear()
        self._tuner.interrupted()
        if isinstance(failure, HostRefusal) and failure.code == ERROR_NO_MEMORY:
            self._tuner.back_off()
        try:
            while pending:
                self._give_up_unless_broken(failure)
                self._channel.restore(failure, self._open_bytes)
                try:
                    while pending:
                        self._send(pending[0])
                        del pending[0]
                except (LinkFailure, TaskCancelled) as again:
                    failure = take_what_came(again, self._unacknowledged, self._receive_acknowledgement)
                    pending = [*self._unacknowledged.values(), *pending]
                    self._unacknowledged.clear()
        except BaseException as error:
            self._lost = reason_of(error)
            self._channel.drop(failure)
            raise

    def _give_up_unless_broken(self, failure: Exception) -> None:
        if isinstance(failure, MalformedAnswer):
            raise self._channel.attempt.error(ProtocolViolated, detail=failure) from failure
        if not isinstance(failure, LinkFailure):
            raise failure

    def _check_usable(self) -> None:
        if self._channel.closed:
            raise ValueError("the disk is closed")
        if self._lost is not None:
            raise self._channel.attempt.failed(EARLIER_WRITES_LOST.fill(reason=self._lost))

    def _whole_sectors(self, offset: int, view: memoryview) -> tuple[int, memoryview]:
        """Return the range widened to whole sectors, with what the disk holds around it."""
        self.flush()
        first = offset // SECTOR_BYTES * SECTOR_BYTES
        last = min(self.capacity_bytes, -(-(offset + len(view)) // SECTOR_BYTES) * SECTOR_BYTES)
        whole = memoryview(bytearray(last - first))
        edges = sorted({first, (last - 1) // SECTOR_BYTES * SECTOR_BYTES})
        requests = [ReadRequest(edge, whole[edge - first : edge - first + SECTOR_BYTES]) for edge in edges]
        for _ in self._edges.read_many(requests):
            pass
        whole[offset - first : offset - first + len(view)] = view
        return first, whole


@dataclass(slots=True, eq=False)
class _Write:
    offset: int
    data: memoryview
    packed_bytes: int = 0
    """What travels for it."""
    counted: Slice | None = None
    """What its acknowledgement is counted for."""

    def overlaps(self, other: "_Write") -> bool:
        return self.offset < other.offset + len(other.data) and other.offset < self.offset + len(self.data)


def _fragments(
    data: memoryview, buffer_bytes: int, wanted: Compression
) -> Iterator[tuple[bytes | memoryview, Compression, int]]:
    """Yield what goes over the wire, how it is packed, and how long it is unpacked."""
    for start in range(0, len(data), buffer_bytes):
        piece = data[start : start + buffer_bytes]
        packed = compression.pack(wanted, piece) if wanted is not Compression.NONE else None
        if packed is None:
            yield piece, Compression.NONE, len(piece)
        else:
            yield packed, wanted, len(piece)
