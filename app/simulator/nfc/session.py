"""One NFC session: the classic messages that open it, then AIO frames until the client closes it."""

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from app.simulator.nfc import codecs, wire
from app.simulator.nfc.abandoned import AbandonedSessions
from app.simulator.nfc.codecs import BadFragment, Compression
from app.simulator.nfc.errors import ProtocolViolation, Refusal
from app.simulator.nfc.greeting import Greeting
from app.simulator.nfc.openfiles import OpenFiles
from app.simulator.nfc.ports import DiskResolver, NfcFaults
from app.simulator.nfc.profiles import NfcProfile
from app.simulator.nfc.resources import BufferBudget, allocation_bitmap
from app.simulator.nfc.spoilt import spoilt_answer
from app.simulator.nfc.streams import ByteStream
from app.simulator.nfc.tickets import Ticket
from app.simulator.nfc.transfer import ConnectionCut, Interrupter, ReadOrder, ReadPump, WriteOrder
from app.simulator.nfc.wire import Classic, Frame, NfcCode, RefusalForm
from app.simulator.storage import (
    DatastoreFull,
    DiskFrozen,
)
from app.simulator.storage.descriptor import SECTOR_BYTES, Geometry

_DEFAULT_BUFFER_BYTES, _DEFAULT_BUFFERS = 64 << 10, 4
_LONG_CLOSE_BYTES = 16
_HELD_BACK_S, _LOOK_S = 0.2, 0.001
"""How long a read that is held back waits for others at most, and how often it looks."""
_PAYLOAD_LIMIT_BYTES = 4096
_NAME_LIMIT_BYTES = 4096
_MOST_GATHERED = 16
_MOST_WRITES = 256
_MOST_CHUNKS = 64 << 20
_REQUEST_OVERHEAD_BYTES = 24
"""What a host needs for a request besides its data (protocols page *NFC*, section 4a.13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NfcSurroundings:
    """What a session works with."""

    ticket: Ticket
    resolver: DiskResolver
    budget: BufferBudget
    interrupter: Interrupter
    shuffle: Random | None
    """Not None: fragments go out in any order, across the read requests that are waiting."""
    faults: NfcFaults
    profile: NfcProfile
    abandoned: AbandonedSessions
    """Takes over what is still held when the client goes without closing."""
    socket_buffers: tuple[int, int]
    """Sizes of the socket's send and receive buffer."""


@dataclass(frozen=True, slots=True)
class _Request:
    kind: int
    op_id: int
    payload: bytes


class NfcSession:
    """Serves one connection from behind the authd handshake to its end.

    Thread: the connection's.
    """

    def __init__(self, stream: ByteStream, surroundings: NfcSurroundings) -> None:
        self._stream = stream
        self._with = surroundings
        self._files = OpenFiles(surroundings.ticket, surroundings.resolver)
        self._writes: dict[int, WriteOrder] = {}
        self._buffer_bytes = _DEFAULT_BUFFER_BYTES
        self._reserved_bytes = 0
        self._pump = ReadPump(stream, self._buffer_bytes, surroundings.interrupter)
        self._extra = bytearray(_DEFAULT_BUFFER_BYTES)
        self._pending: _Request | None = None
        self._closed = False
        self._handlers: dict[int, Callable[[_Request], bytes]] = {
            Frame.OPEN_SESSION: self._open_session,
            Frame.CLOSE_SESSION: self._close_session,
            Frame.OPEN_FILE: self._open_file,
            Frame.CLOSE_FILE: self._close_file,
            Frame.SET_SOCK_OPTS: self._set_sock_opts,
            Frame.SET_RES_POOL: self._set_res_pool,
            Frame.DDB_GET: self._get_ddb,
            Frame.GET_FILE_INFO: self._get_file_info,
            Frame.QUERY_ALLOCATED: self._query_allocated,
        }

    def run(self) -> None:
        """Serve until the client is done.

        Raises:
            ConnectionEnded: the client went away in the middle.
            ConnectionCut: the fault script says so.
            ProtocolViolation: the client speaks something else.
            OSError: the connection broke.
        """
        try:
            Greeting(self._stream, self._with.profile).run()
            while not self._closed:
                self._serve(self._next_request())
            self._receive_end()
        finally:
            if self._files or self._reserved_bytes:
                self._with.abandoned.keep(self._release)

    def _receive_end(self) -> None:
        message = self._receive(wire.CLASSIC_BYTES)
        if message != wire.classic_message(Classic.SESSION_COMPLETE):
            raise ProtocolViolation(f"message {wire.classic_type(message)} at the end")

    # ---- frames ----------------------------------------------------------------------------------------

    def _next_request(self) -> _Request:
        pending, self._pending = self._pending, None
        if pending is not None:
            return pending
        magic, kind, size, op_id = wire.HEADER.unpack(self._receive(wire.HEADER.size))
        if magic != wire.MAGIC or size > _PAYLOAD_LIMIT_BYTES:
            raise ProtocolViolation(f"not a frame: magic {magic:#x}, size {size}")
        return _Request(kind, op_id, self._receive(size))

    def _serve(self, request: _Request) -> None:
        try:
            if request.kind == Frame.IO:
                self._serve_io(request)
                return
            handler = self._handlers.get(request.kind)
            if handler is None:
                raise Refusal(NfcCode.BAD_REQUEST, f"unknown request {request.kind}")
            answer = handler(request)
        except struct.error as error:
            raise ProtocolViolation(f"request {request.kind} of {len(request.payload)} bytes") from error
        except Refusal as refusal:
            answer = self._refuse(request, refusal)
        self._stream.send(answer)

    def _open_session(self, request: _Request) -> bytes:
        zero, buffer_bytes, count, last = wire.OPEN_SESSION.unpack(request.payload)
        _explained(request, zero, last)
        if not buffer_bytes and not count:  # the vendor's own default
            buffer_bytes, count = _DEFAULT_BUFFER_BYTES, _DEFAULT_BUFFERS
        if self._files or buffer_bytes < SECTOR_BYTES or buffer_bytes % SECTOR_BYTES or not count:
            raise Refusal(NfcCode.BAD_REQUEST, "bad buffers")
        wanted, profile = buffer_bytes * count, self._with.profile
        self._with.budget.give_back(self._reserved_bytes)
        self._reserved_bytes = 0
        is_too_much = buffer_bytes > profile.largest_buffer_bytes or wanted > profile.session_bytes
        if is_too_much or not self._with.budget.take(wanted):
            needed = buffer_bytes + _REQUEST_OVERHEAD_BYTES
            raise Refusal(NfcCode.NO_MEMORY, f"Failed to allocate the requested {needed} bytes")
        self._reserved_bytes = wanted
        self._buffer_bytes = buffer_bytes
        self._pump = ReadPump(self._stream, buffer_bytes, self._with.interrupter)
        self._extra = bytearray(buffer_bytes)
        return wire.frame(Frame.OPEN_SESSION, request.op_id, bytes(wire.OPEN_SESSION.size))

    def _close_session(self, request: _Request) -> bytes:
        self._explained_end(request, wire.U32.size)
        self._release()
        self._closed = True
        return wire.frame(Frame.CLOSE_SESSION, request.op_id, bytes(self._with.profile.closed_bytes[1]))

    def _set_sock_opts(self, request: _Request) -> bytes:
        _explained(request, *wire.SOCK_OPTS.unpack(request.payload))
        return wire.frame(Frame.SET_SOCK_OPTS, request.op_id, wire.SOCK_OPTS.pack(*self._with.socket_buffers, 0))

    def _set_res_pool(self, request: _Request) -> bytes:
        (pool,) = wire.U32.unpack(request.payload)
        _explained(request, pool - 1)
        return wire.frame(Frame.SET_RES_POOL, request.op_id, bytes(wire.U32.size))

    def _open_file(self, request: _Request) -> bytes:
        path_bytes, *zeros, kind, flags = wire.OPEN_FILE.unpack(request.payload)
        _explained(request, *zeros, *request.payload[wire.OPEN_FILE_BYTES :], flags not in wire.OPEN_FLAGS)
        path = self._receive_text(path_bytes)
        if kind != wire.FILE_TYPE_DISK:
            raise Refusal(NfcCode.BAD_REQUEST, f"files of type {kind} are not served")
        handle, disk = self._files.open(path, is_writable=not flags & wire.FLAG_READ_ONLY)
        geometry = Geometry.of(disk.capacity_bytes)
        answer = wire.OPEN_FILE_ANSWER.pack(
            0,
            handle,
            kind,
            flags,
            0,
            disk.capacity_bytes,
            SECTOR_BYTES,
            geometry.cylinders,
            geometry.heads,
            geometry.sectors,
        )
        return wire.frame(Frame.OPEN_FILE, request.op_id, answer.ljust(self._with.profile.opened_bytes, b"\0"))

    def _close_file(self, request: _Request) -> bytes:
        self._explained_end(request, wire.U64.size)
        (handle,) = wire.U64.unpack_from(request.payload)
        self._files.close(handle)
        return wire.frame(Frame.CLOSE_FILE, request.op_id, bytes(self._with.profile.closed_bytes[0]))

    def _get_ddb(self, request: _Request) -> bytes:
        handle, key_bytes, zero = wire.DDB_GET.unpack(request.payload)
        _explained(request, zero)
        key = self._receive_text(key_bytes)
        disk = self._files.get(handle).disk
        ddb = {**disk.base.descriptor.ddb, **disk.descriptor.ddb}
        value = ddb.get(key, "").encode("ascii")
        payload = wire.DDB_ANSWER.pack(handle & 0xFFFFFFFF, handle >> 32, 0, len(value)) if value else bytes(16)
        return wire.frame(Frame.DDB_GET, request.op_id, payload) + value

    def _get_file_info(self, request: _Request) -> bytes:
        """Answer what the vendor's client asks before its first write; what it would like to hear is not known."""
        return wire.frame(Frame.GET_FILE_INFO, request.op_id, bytes(wire.DDB_ANSWER.size))

    def _query_allocated(self, request: _Request) -> bytes:
        handle, zero, chunk_bytes, start, count, last = wire.QUERY_ALLOCATED.unpack(request.payload)
        _explained(request, zero, last)
        disk = self._files.get(handle).disk
        if not chunk_bytes or chunk_bytes % SECTOR_BYTES or start % chunk_bytes or not 0 < count <= _MOST_CHUNKS:
            raise Refusal(NfcCode.BAD_REQUEST, "start and length must be multiples of the chunk")
        if start + (count - 1) * chunk_bytes >= disk.capacity_bytes:
            raise Refusal(NfcCode.BAD_REQUEST, "the range reaches beyond the disk")
        bitmap = allocation_bitmap(disk.allocated_areas(), chunk_bytes, start, count)
        payload = wire.QUERY_ALLOCATED.pack(handle, 0, chunk_bytes, start, count, 0)
        return wire.frame(Frame.QUERY_ALLOCATED, request.op_id, payload) + bitmap

    # ---- IO --------------------------------------------------------------------------------------------

    def _serve_io(self, request: _Request) -> None:
        (operation,) = wire.U64.unpack_from(request.payload, wire.U64.size)
        if operation & 0xFFFFFFFF == wire.OP_WRITE:
            self._receive_write(request)
            return
        order = self._read_order(request)
        spoil = self._with.faults.nfc.read_spoilt()
        if spoil is not None:
            self._stream.send(spoilt_answer(order, spoil, self._buffer_bytes))
            return
        orders = [order]
        until = time.monotonic() + _HELD_BACK_S
        while len(orders) <= self._with.faults.nfc.held_back and time.monotonic() < until:
            self._gather(orders)
            time.sleep(_LOOK_S)
        if self._with.shuffle is not None:
            self._gather(orders)
        self._pump.send(orders, self._with.shuffle)

    def _gather(self, orders: list[ReadOrder]) -> None:
        """Add the read requests that have come already, so that their fragments can be mixed."""
        while len(orders) < _MOST_GATHERED and self._stream.has_input():
            following = self._next_request()
            if following.kind != Frame.IO or not _is_read(following):
                self._pending = following
                return
            try:
                orders.append(self._read_order(following))
            except Refusal as refusal:
                self._stream.send(self._refuse(following, refusal))

    def _read_order(self, request: _Request) -> ReadOrder:
        handle, operation, offset, length_bytes, again, once_more, last = wire.IO_REQUEST.unpack(request.payload)
        _explained(request, again - length_bytes, once_more - length_bytes, last)
        disk = self._files.get(handle).disk
        try:
            compression = Compression(operation >> 32)
        except ValueError as error:
            raise Refusal(NfcCode.BAD_REQUEST, f"unknown compression {operation >> 32}") from error
        if not self._with.faults.nfc.knows_packing(compression):
            raise Refusal(NfcCode.BAD_REQUEST, f"unknown compression {compression.value}")
        if scripted := self._with.faults.nfc.read_refused():
            raise Refusal(scripted.code, scripted.text)
        if operation & 0xFFFFFFFF != wire.OP_READ or not 0 < length_bytes < 1 << 32:
            raise Refusal(NfcCode.BAD_REQUEST, "not a read")
        if offset + length_bytes > disk.capacity_bytes:
            raise Refusal(NfcCode.BAD_REQUEST, "the read reaches beyond the disk")
        return ReadOrder(request.op_id, disk, compression, offset, length_bytes)

    def _receive_write(self, request: _Request) -> None:
        fragment = wire.Fragment.unpack(request.payload)
        _explained(request, *request.payload[-wire.U32.size :])
        if fragment.extra_bytes > self._buffer_bytes or fragment.plain_bytes > self._buffer_bytes:
            raise ProtocolViolation(f"a fragment of {fragment.extra_bytes} bytes is larger than the buffer")
        extra = memoryview(self._extra)[: fragment.extra_bytes]
        if self._with.interrupter.is_cut(len(extra)):
            self._stream.receive_into(extra[: len(extra) // 2])
            raise ConnectionCut
        self._stream.receive_into(extra)
        order = self._writes.get(request.op_id) or self._begin_write(request, fragment)
        if not self._with.faults.nfc.knows_packing(fragment.compression):
            order.failure = NfcCode.BAD_REQUEST, f"unknown compression {fragment.compression}"
        order.failure = order.failure or self._write_fragment(order, fragment, extra)
        order.seen.add(fragment.fragment_offset)
        order.received_bytes += fragment.plain_bytes
        if order.is_complete:
            del self._writes[request.op_id]
            self._stream.send(order.answer(request.op_id, self._with.profile.refusal_form))

    def _begin_write(self, request: _Request, fragment: wire.Fragment) -> WriteOrder:
        if len(self._writes) >= _MOST_WRITES:
            raise ProtocolViolation("too many unfinished writes")
        file = self._files.find(fragment.handle)
        order = WriteOrder(None if file is None else file.disk, fragment)
        if file is None:
            order.failure = (NfcCode.BAD_REQUEST, f"there is no open file {fragment.handle}")
        elif not file.is_writable:
            order.failure = (NfcCode.PERMISSION, "the file is open for reading")
        elif scripted := self._with.faults.nfc.write_refused():
            order.failure = (scripted.code, scripted.text)
        self._writes[request.op_id] = order
        return order

    def _write_fragment(
        self, order: WriteOrder, fragment: wire.Fragment, extra: memoryview
    ) -> tuple[int, str] | None:
        problem = order.problem_with(fragment)
        if problem is not None or order.disk is None:
            return NfcCode.BAD_REQUEST, problem or "no file"
        try:
            plain = codecs.decode(fragment.compression, extra, fragment.plain_bytes)
            order.disk.write(fragment.offset + fragment.fragment_offset, plain)
        except BadFragment as error:
            return NfcCode.BAD_REQUEST, str(error)
        except DatastoreFull as error:
            return NfcCode.NO_SPACE, str(error)
        except DiskFrozen as error:
            return NfcCode.FILE_LOCKED, str(error)
        except OSError as error:
            return NfcCode.IO_FAILED, error.strerror or "the file cannot be written"
        return None

    def _refuse(self, request: _Request, refusal: Refusal) -> bytes:
        form = self._with.profile.refusal_form
        if form is RefusalForm.IN_STATUS and request.kind == Frame.IO:
            return self._failed_read(request, refusal.code)
        return wire.refusal(form, request.kind, request.op_id, refusal.code, refusal.text)

    def _failed_read(self, request: _Request, code: int) -> bytes:
        """Build an answer with a failed status, and with bytes that are no data."""
        _, _, offset, length_bytes, *_ = wire.IO_REQUEST.unpack(request.payload)
        sent: int = min(length_bytes, self._buffer_bytes)
        payload = wire.IO_FRAGMENT.pack(code, wire.OP_READ, offset, length_bytes & 0xFFFFFFFF, 0, sent, sent, 0)
        return wire.frame(Frame.IO, request.op_id, payload) + b"\xdb" * sent

    def _explained_end(self, request: _Request, short_bytes: int) -> None:
        """Take a request that closes something; newer clients pad it with zeros to 16 bytes."""
        if len(request.payload) not in (short_bytes, _LONG_CLOSE_BYTES):
            raise ProtocolViolation(f"request {request.kind} of {len(request.payload)} bytes")
        _explained(request, *request.payload[wire.U64.size :])

    # ---- inside ----------------------------------------------------------------------------------------

    def _receive(self, n_bytes: int) -> bytes:
        buffer = bytearray(n_bytes)
        self._stream.receive_into(memoryview(buffer))
        return bytes(buffer)

    def _receive_text(self, n_bytes: int) -> str:
        if n_bytes > _NAME_LIMIT_BYTES:
            raise ProtocolViolation(f"a name of {n_bytes} bytes")
        return self._receive(n_bytes).decode("utf-8", "replace")

    def _release(self) -> None:
        self._files.release()
        self._with.budget.give_back(self._reserved_bytes)
        self._reserved_bytes = 0


def _explained(request: _Request, *zeros: int) -> None:
    """Refuse a request with a field that has to be zero and is not.

    Raises:
        ProtocolViolation: no source explains its bytes.
    """
    if any(zeros):
        raise ProtocolViolation(f"bytes that nothing explains in request {request.kind}")


def _is_read(request: _Request) -> bool:
    (operation,) = wire.U64.unpack_from(request.payload, wire.U64.size)
    return bool(operation & 0xFFFFFFFF == wire.OP_READ)
