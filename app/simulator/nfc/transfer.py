"""Moves disk bytes: read requests become fragments on the wire, write fragments become writes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from app.simulator.nfc import codecs, wire
from app.simulator.nfc.codecs import Compression
from app.simulator.nfc.ports import NfcFaults
from app.simulator.nfc.streams import ByteStream
from app.simulator.storage import SimDisk, read_segments

_BUFFER_BYTES = 1 << 20


class ConnectionCut(Exception):
    """The fault script wants this connection dead."""


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """A read request that passed all checks."""

    op_id: int
    disk: SimDisk
    compression: Compression
    offset: int
    length_bytes: int

    def readinto(self, start: int, target: memoryview) -> None:
        """Fill ``target`` with the request's bytes from ``start`` on.

        Raises:
            OSError: a file of the disk cannot be read.
        """
        read_segments(self.disk.segments(self.offset + start, len(target)), target)

    def fragments(self, fragment_bytes: int) -> Iterator["ReadPiece"]:
        """Cut the request into the fragments of its answer."""
        for start in range(0, self.length_bytes, fragment_bytes):
            yield ReadPiece(self, start, min(fragment_bytes, self.length_bytes - start))


@dataclass(frozen=True, slots=True)
class ReadPiece:
    """One fragment of an answer."""

    order: ReadOrder
    start: int
    length_bytes: int

    def pack_into(self, target: memoryview | bytearray, position: int, compression: int, extra_bytes: int) -> None:
        """Write the fragment's frame header and payload."""
        order = self.order
        wire.Fragment(
            handle=0,
            operation=wire.OP_READ,
            compression=compression,
            offset=order.offset,
            total_bytes=order.length_bytes,
            fragment_offset=self.start,
            plain_bytes=self.length_bytes,
            extra_bytes=extra_bytes,
        ).pack_frame_into(target, position, order.op_id)


class Interrupter:
    """Asks the fault script before each piece of data and does what it says.

    Thread: one connection's.
    """

    def __init__(self, faults: NfcFaults, stopping: threading.Event) -> None:
        self._faults = faults
        self._stopping = stopping
        self._after_cut: Callable[[], None] | None = None

    def is_cut(self, n_bytes: int) -> bool:
        """Count bytes about to travel, stall when scripted, and return whether to cut within them."""
        interruption = self._faults.nfc_sent(n_bytes)
        if interruption is None:
            return False
        if interruption.stall_s is None:
            self._after_cut = interruption.meanwhile
            return True
        if interruption.meanwhile is not None:
            interruption.meanwhile()
        self._stopping.wait(interruption.stall_s)
        return False

    def finish_cut(self) -> None:
        """Do what is to be done before the client notices; the session has let go of its disks."""
        if self._after_cut is not None:
            self._after_cut()


class ReadPump:
    """Sends the answers of read requests.

    Frame headers and disk bytes are laid out in one buffer that fits the processor's cache, read in place, and
    sent in one piece: measured, that costs both sides less time than ``sendfile``, and it serves TLS as well.

    Thread: one connection's.
    """

    def __init__(self, stream: ByteStream, fragment_bytes: int, interrupter: Interrupter) -> None:
        self._stream = stream
        self._fragment_bytes = fragment_bytes
        self._interrupter = interrupter
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._filled = 0
        self._plain: bytearray | None = None

    def send(self, orders: Sequence[ReadOrder], shuffle: Random | None = None) -> None:
        """Answer read requests, fragments in order, or with ``shuffle`` in any order across all of them.

        Raises:
            ConnectionCut: the fault script says so.
            OSError: the connection broke, or a disk's file cannot be read.
        """
        pieces = [piece for order in orders for piece in order.fragments(self._fragment_bytes)]
        if shuffle is not None:
            shuffle.shuffle(pieces)
        for piece in pieces:
            if piece.order.compression is Compression.NONE:
                self._add_plain(piece)
            else:
                self._add_compressed(piece)
        self._flush()

    def _add_plain(self, piece: ReadPiece) -> None:
        is_cut = self._interrupter.is_cut(piece.length_bytes)
        self._add_header(piece, Compression.NONE, piece.length_bytes)
        end = piece.start + (piece.length_bytes // 2 if is_cut else piece.length_bytes)
        position = piece.start
        while position < end:
            if self._filled == _BUFFER_BYTES:
                self._flush()
            n_bytes = min(_BUFFER_BYTES - self._filled, end - position)
            piece.order.readinto(position, self._buffer[self._filled : self._filled + n_bytes])
            self._filled += n_bytes
            position += n_bytes
        if is_cut:
            self._cut()

    def _add_compressed(self, piece: ReadPiece) -> None:
        if self._plain is None:
            self._plain = bytearray(self._fragment_bytes)
        data = memoryview(self._plain)[: piece.length_bytes]
        piece.order.readinto(piece.start, data)
        encoded = codecs.encode(piece.order.compression, data)
        extra: bytes | memoryview = data if encoded is None else encoded
        is_cut = self._interrupter.is_cut(len(extra))
        self._add_header(piece, Compression.NONE if encoded is None else piece.order.compression, len(extra))
        self._flush()
        self._stream.send(extra[: len(extra) // 2] if is_cut else extra)
        if is_cut:
            self._cut()

    def _add_header(self, piece: ReadPiece, compression: Compression, extra_bytes: int) -> None:
        if self._filled + wire.IO_HEADER_BYTES > _BUFFER_BYTES:
            self._flush()
        piece.pack_into(self._buffer, self._filled, compression, extra_bytes)
        self._filled += wire.IO_HEADER_BYTES

    def _flush(self) -> None:
        if self._filled:
            filled, self._filled = self._filled, 0
            self._stream.send(self._buffer[:filled])

    def _cut(self) -> None:
        self._flush()
        raise ConnectionCut


@dataclass(slots=True)
class WriteOrder:
    """A write request whose fragments are coming in."""

    disk: SimDisk | None
    """None when the request names no open file; it then only waits to be refused."""
    first: wire.Fragment
    received_bytes: int = 0
    failure: tuple[int, str] | None = None
    """The first thing that went wrong; it is answered after the last fragment."""
    seen: set[int] = field(default_factory=set)

    @property
    def is_complete(self) -> bool:
        """True when the uncompressed lengths add up."""
        return self.received_bytes >= self.first.total_bytes

    def problem_with(self, fragment: wire.Fragment) -> str | None:
        """Return why a fragment cannot belong to this request, None when it can."""
        if (fragment.offset, fragment.total_bytes) != (self.first.offset, self.first.total_bytes):
            return "fragments of one write disagree about it"
        if fragment.fragment_offset + fragment.plain_bytes > fragment.total_bytes:
            return "a fragment reaches beyond its write"
        if fragment.fragment_offset in self.seen:
            return "a fragment came twice"
        if self.disk is None or fragment.offset + fragment.total_bytes > self.disk.capacity_bytes:
            return "the write reaches beyond the disk"
        return None

    def answer(self, op_id: int, form: wire.RefusalForm) -> bytes:
        """Build the one answer of 44 bytes, or the refusal."""
        if self.failure is not None:
            return wire.refusal(form, wire.Frame.IO, op_id, *self.failure)
        payload = wire.IO_FRAGMENT.pack(
            0, wire.OP_WRITE, self.first.offset, self.first.total_bytes, 0, self.first.total_bytes, 0, 0
        )
        return wire.frame(wire.Frame.IO, op_id, payload)
