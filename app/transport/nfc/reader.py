"""Reading a disk over NFC with several requests in flight."""

import time
from collections.abc import Iterable, Iterator

from app.core.disks import ReadRequest
from app.domain.errors import TaskCancelled
from app.domain.extents import Extent
from app.domain.messages import Message
from app.domain.states import TransportMode
from app.transport import messages
from app.transport.ahead import Pull, ReadAhead
from app.transport.errors import HostRefusal, LinkFailure, MalformedAnswer, ProtocolViolated
from app.transport.nfc import compression
from app.transport.nfc.allocation import allocated_extents
from app.transport.nfc.channel import NfcChannel, take_what_came
from app.transport.nfc.tuning import Slice, Tuner
from app.transport.nfc.wire import ERROR_NO_MEMORY, LONGEST_IO_BYTES, Fragment, Operation
from app.transport.options import SECTOR_BYTES, Compression
from app.transport.reasons import ANSWERS_TOO_SLOW


class _Awaited:
    """A range that was asked for, and the gaps in it that no fragment has filled yet."""

    __slots__ = ("counted", "disk_offset", "gaps", "length", "packed_bytes", "pull", "start")

    def __init__(self, pull: Pull, start: int, length: int) -> None:
        self.pull: Pull | None = pull
        """Whose bytes these are; None when no one wants them any more."""
        self.start = start
        """Where in the pull's buffer the range starts."""
        self.length = length
        self.disk_offset = pull.offset + start
        self.gaps = [(0, length)]
        self.packed_bytes = 0
        self.counted: Slice | None = None
        """What its answer is counted for; None when that is no measure any more."""

    def gap_of(self, offset: int, length: int) -> int:
        """Return the gap that contains a fragment.

        Raises:
            MalformedAnswer: part of it was answered before, or it is empty.
        """
        end = offset + length
        for index, (gap_start, gap_end) in enumerate(self.gaps):
            if gap_start <= offset < end <= gap_end:
                return index
        raise MalformedAnswer(f"bytes {offset} to {end} of a request of {self.length} bytes were not awaited")

    def fill(self, index: int, offset: int, length: int) -> None:
        """Take a fragment's range out of its gap."""
        gap_start, gap_end = self.gaps[index]
        end = offset + length
        rest = [(gap_start, offset)] if gap_start < offset else []
        if end < gap_end:
            rest.append((end, gap_end))
        self.gaps[index : index + 1] = rest


class NfcReader:
    """A disk that is open for reading over NFC.

    Fragments are received straight into the buffers of the requests, in whatever order they come. When the
    connection breaks or stalls, a new ticket opens the disk again and only the gaps are asked for again.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(self, channel: NfcChannel) -> None:
        self._channel = channel
        self._cancel = channel.cancel
        self._options = channel.options
        self._awaited: dict[int, _Awaited] = {}
        self._held: list[_Awaited] = []
        """What is asked for in a session with other buffers, once nothing is awaited in this one."""
        self._open_bytes = 0
        self._reading = False
        self._scratch = bytearray()
        self._buffer_bytes = channel.session.buffer_bytes
        self._tuner = Tuner(
            channel.options, channel.file.capacity_bytes, self._report, buffers=channel.buffers_to_compare
        )

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._channel.file.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel: NFC or NFC_SSL."""
        return self._channel.attempt.mode

    @property
    def host_words(self) -> str:
        """What the host said of itself when the disk was opened, in one line."""
        return self._channel.host_words

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return self._options.window

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several in flight, and yield each, in order, when it is filled.

        Raises:
            DiskAccessFailed: the disk cannot be read, after reconnecting was tried.
            ValueError: a request reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        if self._reading:
            raise RuntimeError("the disk is being read already")
        self._channel.begin()
        self._tuner.paused()
        ahead = ReadAhead(
            requests,
            capacity_bytes=self.capacity_bytes,
            window=self.window,
            budget_bytes=self._options.transfer_buffer_bytes,
            unit_bytes=SECTOR_BYTES,
            cancel=self._cancel,
        )
        self._reading = True
        try:
            yield from ahead.filled(lambda: self._ask_ahead(ahead), self._receive_if_awaited)
        finally:
            self._reading = False
            self._open_bytes -= sum(held.length for held in self._held)
            self._held.clear()
            for awaited in self._awaited.values():
                awaited.pull = None

    def allocated_extents(self) -> list[Extent] | None:
        """Return the ranges that hold data in multiples of 64 KiB, or None when the host cannot determine.

        Raises:
            DiskAccessFailed: the disk cannot be reached, after reconnecting was tried.
            TaskCancelled: the task was cancelled.
        """
        self._channel.begin()
        return allocated_extents(self.capacity_bytes, self._ask_allocation)

    def database_entry(self, key: str) -> str | None:
        """Return an entry of the disk's database such as ``uuid`` or ``adapterType``, or None.

        Raises:
            DiskAccessFailed: the disk cannot be reached, after reconnecting was tried.
            TaskCancelled: the task was cancelled.
        """
        self._channel.begin()
        while True:
            try:
                self._drain()
                return self._channel.session.database_entry(self._channel.handle, key)
            except HostRefusal as refusal:
                self._channel.renew()
                raise self._channel.attempt.failed(refusal) from refusal
            except (LinkFailure, MalformedAnswer, TaskCancelled) as failure:
                self._recover(failure)

    def close(self) -> None:
        """Close the disk in order; never raises and never waits long."""
        if self._channel.closed:
            return
        try:
            self._channel.session.hurry()
            self._drain(limit_s=self._options.close_timeout_s)
        except (LinkFailure, MalformedAnswer) as failure:
            self._channel.drop(failure)
        self._channel.farewell()

    def _ask_ahead(self, ahead: ReadAhead) -> None:
        """Send as many requests as the window and the buffer allow, in one go."""
        asked = self._take_held()
        if self._held:
            return
        sending = self._open_bytes
        ahead.budget_bytes = self._tuner.ahead_bytes
        while (pull := ahead.next_within(sending)) is not None:
            sending += pull.missing_bytes
            asked += _cut(pull, min(LONGEST_IO_BYTES, self._options.transfer_buffer_bytes))
        if asked:
            self._open_bytes = sending
            try:
                self._send(asked)
            except (LinkFailure, TaskCancelled) as failure:
                self._recover(failure, asked)

    def _take_held(self) -> list[_Awaited]:
        """Return what may be asked for now, because the session with other buffers can be had."""
        if not self._held or self._awaited:
            return []
        self._buffer_bytes = self._tuner.manner.buffer_bytes
        self._channel.use_buffers(self._buffer_bytes)
        self._tuner.paused()
        held, self._held = self._held, []
        return held

    def _wants_other_buffers(self) -> bool:
        wanted = self._tuner.manner.buffer_bytes
        return wanted not in (0, self._buffer_bytes)

    def _send(self, asked: list[_Awaited]) -> None:
        ranges = []
        for awaited in asked:
            if self._wants_other_buffers():
                break
            ranges.append((awaited.disk_offset, awaited.length, self._tuner.manner.compression))
            awaited.counted = self._tuner.asked(awaited.length)
        ids = self._channel.session.send_reads(self._channel.handle, ranges)
        self._awaited.update(zip(ids, asked[: len(ids)], strict=True))
        self._held = asked[len(ids) :]

    def _receive_if_awaited(self) -> None:
        if self._awaited:
            self._receive_or_recover()

    def _receive_or_recover(self) -> None:
        try:
            self._receive_fragment()
        except (LinkFailure, MalformedAnswer, TaskCancelled) as failure:
            self._recover(failure)

    def _receive_fragment(self) -> None:
        """Take one fragment from the connection.

        Raises:
            LinkFailure, MalformedAnswer, TaskCancelled: the connection is of no use any more.
        """
        session = self._channel.session
        number, answer = session.receive_io()
        awaited = self._awaited.get(number)
        if awaited is None:
            raise MalformedAnswer(f"an answer to request {number}, which was not asked")
        if isinstance(answer, HostRefusal):
            if awaited.counted is not None and answer.code != ERROR_NO_MEMORY:
                self._tuner.refused(awaited.counted)
            raise answer
        fragment = Fragment.decode(answer)
        gap = self._gap_of(awaited, fragment)
        length = fragment.fragment_bytes
        target = self._target(awaited, fragment.fragment_offset, length)
        if fragment.compression is Compression.NONE:
            session.receive_into(target)
        else:
            packed = memoryview(bytearray(fragment.extra_bytes))
            session.receive_into(packed)
            compression.unpack_into(fragment.compression, packed, target)
        awaited.fill(gap, fragment.fragment_offset, length)
        awaited.packed_bytes += fragment.extra_bytes
        self._open_bytes -= length
        if awaited.pull is not None:
            awaited.pull.missing_bytes -= length
        if not awaited.gaps:
            del self._awaited[number]
            if awaited.counted is not None:
                self._tuner.answered(awaited.counted, awaited.length, awaited.packed_bytes)
            self._channel.recovery.progressed()

    def _gap_of(self, awaited: _Awaited, fragment: Fragment) -> int:
        """Check that a fragment answers what was asked, and return the gap that it helps to fill."""
        if fragment.operation is not Operation.READ:
            raise MalformedAnswer("a read was answered as a write")
        if fragment.total_bytes != awaited.length:
            raise MalformedAnswer(f"a request of {awaited.length} bytes answered as one of {fragment.total_bytes}")
        if fragment.offset != awaited.disk_offset:
            raise MalformedAnswer(f"an answer for offset {fragment.offset} where {awaited.disk_offset} was asked")
        if fragment.compression is not Compression.NONE:
            longest = self._channel.session.buffer_bytes
            if fragment.extra_bytes > longest or fragment.fragment_bytes > longest:
                raise MalformedAnswer(
                    f"a compressed fragment of {fragment.fragment_bytes} bytes in a buffer of {longest}"
                )
        return awaited.gap_of(fragment.fragment_offset, fragment.fragment_bytes)

    def _target(self, awaited: _Awaited, offset: int, length: int) -> memoryview:
        if awaited.pull is None:
            if len(self._scratch) < length:
                self._scratch = bytearray(length)
            return memoryview(self._scratch)[:length]
        start = awaited.start + offset
        return awaited.pull.view[start : start + length]

    def _recover(self, failure: Exception, unsent: Iterable[_Awaited] = ()) -> None:
        """Connect again and ask for what is missing, or raise what the failure means for the caller.

        Raises:
            DiskAccessFailed, TaskCancelled: as they say.
        """
        failure = take_what_came(failure, self._awaited, self._receive_fragment)
        missing = [*self._awaited.values(), *unsent, *self._held]
        self._awaited.clear()
        self._held = []
        self._tuner.interrupted()
        if isinstance(failure, HostRefusal) and failure.code == ERROR_NO_MEMORY:
            self._tuner.back_off()
        while True:
            if isinstance(failure, LinkFailure):
                missing = [piece for awaited in missing for piece in _gaps(awaited)]
                self._open_bytes = sum(awaited.length for awaited in missing)
                self._channel.restore(failure, self._open_bytes)
            else:
                self._channel.drop(failure)
                self._open_bytes = 0
                if isinstance(failure, MalformedAnswer):
                    raise self._channel.attempt.error(ProtocolViolated, detail=failure) from failure
                raise failure
            try:
                if missing:
                    self._send(missing)
                return
            except (LinkFailure, TaskCancelled) as again:
                failure = again

    def _report(self, message: Message) -> None:
        self._channel.log.info(message.kind, **dict(message.params))

    def _drain(self, *, limit_s: float | None = None) -> None:
        """Pass over the answers that no one waits for any more.

        Raises:
            LinkFailure, MalformedAnswer, TaskCancelled: the connection is of no use any more.
        """
        if self._reading:
            raise RuntimeError("the disk is being read")
        limit = None if limit_s is None else time.monotonic() + limit_s
        while self._awaited:
            self._receive_fragment()
            if limit is not None and time.monotonic() > limit:
                raise LinkFailure(ANSWERS_TOO_SLOW)

    def _ask_allocation(self, offset: int, count: int, chunk_bytes: int) -> bytes | None:
        while True:
            self._cancel.check()
            try:
                self._drain()
                bitmap = self._channel.session.allocation(
                    self._channel.handle,
                    chunk_bytes=chunk_bytes,
                    start=offset,
                    chunk_count=count,
                )
            except HostRefusal as refusal:
                self._channel.log.info(
                    messages.ALLOCATION_UNKNOWN, path=self._channel.attempt.path, reason=refusal
                )
                self._channel.renew()
                return None
            except (LinkFailure, MalformedAnswer, TaskCancelled) as failure:
                self._recover(failure)
            else:
                self._channel.recovery.progressed()
                return bitmap


def _cut(pull: Pull, longest_bytes: int) -> Iterator[_Awaited]:
    """Ask for a request that is larger than the buffer in several parts."""
    for start in range(0, len(pull.view), longest_bytes):
        yield _Awaited(pull, start, min(longest_bytes, len(pull.view) - start))


def _gaps(awaited: _Awaited) -> Iterator[_Awaited]:
    if awaited.pull is not None:
        for start, end in awaited.gaps:
            yield _Awaited(awaited.pull, awaited.start + start, end - start)
