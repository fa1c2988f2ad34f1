"""Moves disk bytes: read requests become fragments on the wire, write fragments become writes."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from app.simulator.nfc import codecs, wire
from app.simulator.nfc.codecs import Compression
from app.simulator.nfc.ports import NfcFaults
from app.simulator.nfc.streams import CAN_SEND_FILES, ByteStream, PlainStream
from app.simulator.storage import SimDisk, read_segments

_BATCH_BYTES = 2 << 20


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

    def readinto(self, target: memoryview) -> None:
        """Fill ``target`` with the fragment's bytes."""
        read_segments(self.order.disk.segments(self.order.offset + self.start, self.length_bytes), target)


class Interrupter:
    """Asks the fault script before each piece of data and does what it says.

    Thread: one connection's.
    """

    def __init__(self, faults: NfcFaults, stopping: threading.Event) -> None:
        self._faults = faults
        self._stopping = stopping

    def is_cut(self, n_bytes: int) -> bool:
        """Count bytes about to travel; stall when told to; tell whether the connection shall die within them."""
        interruption = self._faults.nfc_sent(n_bytes)
        if interruption is None:
            return False
        if interruption.stall_s is None:
            return True
        self._stopping.wait(interruption.stall_s)
        return False


class ReadPump:
    """Sends the answers of read requests, with a buffer of a few fragments at most.

    Plain answers go from the page cache to the socket inside the kernel where the stream can do that; else
    several fragments with their headers are laid out in one buffer, read in place and sent at once.

    Thread: one connection's.
    """

    def __init__(self, stream: ByteStream, fragment_bytes: int, interrupter: Interrupter) -> None:
        self._stream = stream
        self._fragment_bytes = fragment_bytes
        self._interrupter = interrupter
        self._header = bytearray(wire.IO_HEADER_BYTES)
        self._buffer: bytearray | None = None

    def send(self, orders: Sequence[ReadOrder], shuffle: Random | None = None) -> None:
        """Answer read requests, fragments in order, or with ``shuffle`` in any order across all of them.

        Raises:
            ConnectionCut: the fault script says so.
            OSError: the connection broke, or a disk's file cannot be read.
        """
        pieces = [piece for order in orders for piece in order.fragments(self._fragment_bytes)]
        if shuffle is not None:
            shuffle.shuffle(pieces)
        plain = [piece for piece in pieces if piece.order.compression is Compression.NONE]
        if len(plain) < len(pieces):
            self._send_compressed(pieces)
        elif CAN_SEND_FILES and isinstance(self._stream, PlainStream):
            self._send_from_files(self._stream, pieces)
        else:
            self._send_batches(pieces)

    def _send_from_files(self, stream: PlainStream, pieces: Sequence[ReadPiece]) -> None:
        for piece in pieces:
            cut = self._interrupter.is_cut(piece.length_bytes)
            piece.pack_into(self._header, 0, 0, piece.length_bytes)
            stream.send_before_more(self._header)
            left = piece.length_bytes // 2 if cut else piece.length_bytes
            for segment in piece.order.disk.segments(piece.order.offset + piece.start, left):
                stream.send_file(segment.file.fileno(), segment.file_offset, segment.length_bytes)
            if cut:
                raise ConnectionCut

    def _send_batches(self, pieces: Sequence[ReadPiece]) -> None:
        slot_bytes = wire.IO_HEADER_BYTES + self._fragment_bytes
        n_slots = max(1, _BATCH_BYTES // self._fragment_bytes)
        buffer = memoryview(self._scratch(slot_bytes * n_slots))
        for first in range(0, len(pieces), n_slots):
            position, cut = 0, False
            for piece in pieces[first : first + n_slots]:
                cut = cut or self._interrupter.is_cut(piece.length_bytes)
                piece.pack_into(buffer, position, 0, piece.length_bytes)
                position += wire.IO_HEADER_BYTES
                piece.readinto(buffer[position : position + piece.length_bytes])
                position += piece.length_bytes
            if cut:
                self._stream.send(buffer[: position // 2])
                raise ConnectionCut
            self._stream.send(buffer[:position])

    def _send_compressed(self, pieces: Sequence[ReadPiece]) -> None:
        buffer = memoryview(self._scratch(self._fragment_bytes))
        for piece in pieces:
            data = buffer[: piece.length_bytes]
            piece.readinto(data)
            compression = piece.order.compression
            encoded = codecs.encode(compression, data)
            extra: bytes | memoryview = data if encoded is None else encoded
            piece.pack_into(self._header, 0, compression if encoded is not None else 0, len(extra))
            cut = self._interrupter.is_cut(len(extra))
            self._stream.send(self._header)
            self._stream.send(extra[: len(extra) // 2] if cut else extra)
            if cut:
                raise ConnectionCut

    def _scratch(self, n_bytes: int) -> bytearray:
        if self._buffer is None or len(self._buffer) < n_bytes:
            self._buffer = bytearray(n_bytes)
        return self._buffer


@dataclass(slots=True)
class WriteOrder:
    """A write request whose fragments are coming in."""

    disk: SimDisk | None
    """None when the request names no open file; it then only waits to be refused."""
    first: wire.Fragment
    received_bytes: int = 0
    failure: tuple[wire.NfcCode, str] | None = None
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

    def answer(self, op_id: int) -> bytes:
        """Build the one answer of 44 bytes, or the error answer."""
        if self.failure is not None:
            return wire.error_frame(op_id, *self.failure)
        payload = wire.IO_FRAGMENT.pack(
            0, wire.OP_WRITE, self.first.offset, self.first.total_bytes, 0, self.first.total_bytes, 0, 0
        )
        return wire.frame(wire.Frame.IO, op_id, payload)
