"""One NFC session: the exchange between the handshake with the daemon and the end."""

from dataclasses import dataclass
from typing import Self

from app.transport.errors import GreetingRefused, HostRefusal, LinkClosed, LinkFailure, MalformedAnswer
from app.transport.link import Link
from app.transport.nfc import wire
from app.transport.nfc.wire import Classic, Fragment, FrameHeader, FrameType, OpenedFile
from app.transport.options import Compression, TransportOptions
from app.transport.reasons import GREETING_REFUSED, HOST_SWITCHED, OUT_OF_STEP

_PROTOCOL_VERSION = 11
_CLIENT_NAME = "vddk"
_CLIENT_OPERATION = "nbdmode"
_FEATURES = 3
_DEFAULT_BUFFER_BYTES = 64 * 1024
_MOST_BUFFERS = 4
"""Larger counts of buffers were never seen to be accepted."""
_WITHOUT_EXTRA = (FrameType.OPEN_SESSION, FrameType.OPEN_FILE, FrameType.CLOSE_FILE, FrameType.CLOSE_SESSION)
"""Requests whose ordinary answer nothing follows, also when they were refused."""
_LONGEST_LEAVE_S = 2.0


@dataclass(slots=True)
class HostWords:
    """What a host said of itself while a session was opened: for the first report from a real one (4a.11)."""

    banner: str = ""
    tls: str = ""
    versions: tuple[int, int] | None = None


class BufferRefused(HostRefusal):
    """The host does not give us buffers of this size."""


class NfcSession:
    """An established session. Answers are received in the order in which the host sends them.

    After any exception but :class:`HostRefusal` the session is of no use any more, and after a refusal it is so
    unless :attr:`is_in_step`: abandon it with :meth:`leave`, or with :meth:`abort` when the connection broke.

    Thread: one at a time.

    Attributes:
        buffer_bytes: size of the buffers that were agreed on.
        is_in_step: whether it is certain what the host sends next.
    """

    def __init__(self, link: Link, options: TransportOptions, buffer_bytes: int) -> None:
        self._link = link
        self._options = options
        self._patience_s = options.answer_timeout_s
        self._next_id = 0
        self._unawaited: set[int] = set()
        self._files: list[int] = []
        self._header = memoryview(bytearray(wire.HEADER_BYTES))
        self._payload = memoryview(bytearray(wire.IO_BYTES))
        self._is_sending = False
        self.buffer_bytes = buffer_bytes
        self.is_in_step = True

    @classmethod
    def establish(
        cls,
        link: Link,
        options: TransportOptions,
        buffer_bytes: int,
        *,
        says_handshake: bool = True,
        said: HostWords | None = None,
    ) -> Self:
        """Open a session on a link that has just been handed to NFC.

        Args:
            link: the connection.
            options: how patient to be, and more.
            buffer_bytes: of each buffer; 0 leaves that to the host.
            says_handshake: whether the first message is HANDSHAKE; hosts before ESXi 8 end the session on it.
            said: where to note what the host says of itself.

        Raises:
            BufferRefused: the host wants smaller buffers.
            GreetingRefused: the host does not want to be greeted like that.
            LinkFailure: the connection broke or the host refused.
            MalformedAnswer: the host does not follow the protocol.
            TaskCancelled: cancelled while waiting.
        """
        session = cls(link, options, buffer_bytes or _DEFAULT_BUFFER_BYTES)
        session._greet(said or HostWords(), says_handshake=says_handshake)
        count = max(1, min(_MOST_BUFFERS, options.transfer_buffer_bytes // buffer_bytes)) if buffer_bytes else 0
        try:
            session._ask(
                FrameType.OPEN_SESSION,
                wire.open_session(session._take_id(), buffer_bytes=buffer_bytes, buffer_count=count),
            )
        except HostRefusal as refusal:
            raise BufferRefused(f"buffers of {buffer_bytes} bytes", refusal.code) from refusal
        session._prepare()
        return session

    def open_disk(self, path: str, *, flags: int) -> OpenedFile:
        """Open a disk.

        Raises:
            HostRefusal: the host does not open it.
            LinkFailure, MalformedAnswer, TaskCancelled: see :meth:`establish`.
        """
        payload = self._ask(FrameType.OPEN_FILE, wire.open_file(self._take_id(), path, flags=flags))
        if status := wire.status_of(payload):
            raise HostRefusal(FrameType.OPEN_FILE.name, status)
        opened = OpenedFile.decode(payload)
        self._files.append(opened.handle)
        return opened

    def database_entry(self, handle: int, key: str) -> str | None:
        """Return an entry of the disk's database, or None when there is none.

        Raises:
            LinkFailure, MalformedAnswer, TaskCancelled: see :meth:`establish`.
        """
        payload = self._ask(FrameType.DDB_GET, wire.ddb_get(self._take_id(), handle, key))
        size = wire.ddb_value_bytes(payload)
        if not size:
            return None
        return self._link.receive(size, within_s=self._patience_s).decode("ascii", "replace")

    def allocation(self, handle: int, *, chunk_bytes: int, start: int, chunk_count: int) -> bytes:
        """Return the bitmap of allocated chunks, least significant bit first, padded to four bytes.

        Raises:
            HostRefusal: the host cannot determine.
            LinkFailure, MalformedAnswer, TaskCancelled: see :meth:`establish`.
        """
        request = wire.query_allocated(
            self._take_id(), handle, chunk_bytes=chunk_bytes, start=start, chunk_count=chunk_count
        )
        payload = self._ask(FrameType.QUERY_ALLOCATED, request)
        size = wire.bitmap_bytes(payload, chunk_count)
        return self._link.receive(size, within_s=self._patience_s)

    def send_reads(self, handle: int, ranges: list[tuple[int, int, Compression]]) -> list[int]:
        """Ask for ranges (offset, length, packing) in one go; return the ids that their answers will carry.

        Raises:
            LinkFailure, TaskCancelled: the requests were not all sent.
        """
        ids = [self._take_id() for _ in ranges]
        requests = [
            wire.read(number, handle, offset, length, compression)
            for number, (offset, length, compression) in zip(ids, ranges, strict=True)
        ]
        # A host takes one message of a TLS record; the link gives each buffer a record of its own there.
        self._send(*requests, within_s=self._patience_s)
        return ids

    def send_write(
        self, handle: int, offset: int, fragments: list[tuple[bytes | memoryview, Compression, int]]
    ) -> int:
        """Send one write as fragments (bytes on the wire, compression, plain length); return its id.

        Raises:
            LinkFailure, TaskCancelled: it was not sent whole.
        """
        number = self._take_id()
        total = sum(length for _, _, length in fragments)
        position = 0
        for extra, compression, length in fragments:
            fragment = Fragment(wire.Operation.WRITE, compression, offset, total, position, length, len(extra))
            head = fragment.encode(number, handle)
            self._send(head, extra, within_s=self._patience_s)
            position += length
        return number

    def receive_io(self) -> tuple[int, memoryview | HostRefusal]:
        """Wait for the next answer to an IO and return its id with its payload, which is valid until the next.

        The extra bytes of a fragment have to be taken with :meth:`receive_into` before anything else. An answer
        whose status says that the request failed is returned as a refusal, and so is an ERROR frame; the session
        is out of step then, because other answers are on their way and perhaps one more to this request.

        Raises:
            LinkFailure, MalformedAnswer, TaskCancelled: see :meth:`establish`.
        """
        header = self._next_header()
        if header.kind == FrameType.ERROR:
            self.is_in_step = False
            return header.operation_id, self._refusal(header, "the transfer")[0]
        if header.kind != FrameType.IO or header.payload_bytes != wire.IO_BYTES:
            raise MalformedAnswer(
                f"a frame of type {header.kind} with {header.payload_bytes} bytes where data was due"
            )
        self._link.receive_into(self._payload, within_s=self._patience_s)
        if status := wire.status_of(self._payload):
            self.is_in_step = False
            return header.operation_id, HostRefusal("the transfer", status)
        return header.operation_id, self._payload

    def receive_into(self, view: memoryview) -> None:
        """Fill a buffer with the bytes that follow an answer.

        Raises:
            LinkFailure, TaskCancelled: see :meth:`establish`.
        """
        self._link.receive_into(view, within_s=self._patience_s)

    def farewell(self) -> None:
        """Close the files, then the session, then the connection; never raises.

        No answer may be outstanding. A host that does not answer in time is left without more words.
        """
        if not self.is_in_step:
            self.leave()
            return
        self.hurry()
        limit = self._patience_s
        try:
            for handle in self._files:
                self._ask(FrameType.CLOSE_FILE, wire.close_file(self._take_id(), handle), within_s=limit)
            self._ask(FrameType.CLOSE_SESSION, wire.close_session(self._take_id()), within_s=limit)
            self._link.send(wire.classic(Classic.SESSION_COMPLETE), within_s=limit)
        except (LinkFailure, MalformedAnswer):
            return  # the host lets go of the files when the connection ends
        finally:
            self._link.close()

    def leave(self) -> None:
        """Let the host close the files and the session, whatever it is sending; never raises.

        Its answers are passed over until it ends the connection. A session that is merely cut off may keep its
        disks locked for half an hour (protocols page *NFC*, section 4a.15).
        """
        self.hurry()
        limit = min(self._patience_s, _LONGEST_LEAVE_S)
        try:
            if not self._is_sending:  # what follows a torn request would be taken for the rest of its data
                closings = [wire.close_file(self._take_id(), handle) for handle in self._files]
                closings.append(wire.close_session(self._take_id()))
                for closing in (*closings, wire.classic(Classic.SESSION_COMPLETE)):
                    self._link.send(closing, within_s=limit)
                self._link.pass_over(within_s=limit)
        except LinkFailure:
            return
        finally:
            self._link.close()

    def hurry(self) -> None:
        """From now on wait no longer than closing may take, and ignore the cancel token."""
        self._patience_s = min(self._patience_s, self._options.close_timeout_s)
        self._link.ignore_cancel()

    def abort(self) -> None:
        """Close the connection at once; never raises."""
        self._link.close()

    def _greet(self, said: HostWords, *, says_handshake: bool) -> None:
        """Exchange the classic messages.

        Some hosts answer the session's parameters only once they have heard our version, so nothing is waited for
        before that.

        Raises:
            GreetingRefused: the host ended the session.
        """
        limit = self._options.handshake_timeout_s
        try:
            first = [wire.classic_handshake()] if says_handshake else []
            parameters, version = wire.classic(Classic.SESSION_PARAMETERS), wire.classic_version(_PROTOCOL_VERSION)
            self._link.send(*first, parameters, version, within_s=limit)
            self._classic_answer(Classic.SESSION_PARAMETERS_TAKEN)
            said.versions = wire.versions_in(self._classic_answer(Classic.VERSION))
            self._link.send(
                wire.classic_connection_data(_CLIENT_NAME, _CLIENT_OPERATION),
                wire.classic_features(_FEATURES),
                wire.classic(Classic.OPEN_AIO),
                within_s=limit,
            )
            self._classic_answer(Classic.OPEN_AIO)
        except LinkClosed as closed:
            raise GreetingRefused(closed.said()) from closed

    def _classic_answer(self, kind: Classic) -> bytes:
        data = self._link.receive(wire.CLASSIC_BYTES, within_s=self._options.handshake_timeout_s)
        if wire.classic_kind(data) == Classic.SESSION_COMPLETE:
            raise GreetingRefused(GREETING_REFUSED)
        wire.check_classic(data, kind)
        return data

    def _prepare(self) -> None:
        """Send what a host may answer or not; its answers are passed over when they come."""
        first, second = self._take_id(), self._take_id()
        self._unawaited |= {first, second}
        self._link.send(
            wire.set_socket_options(first),
            wire.set_resource_pool(second),
            within_s=self._options.handshake_timeout_s,
        )

    def _take_id(self) -> int:
        number = self._next_id
        self._next_id = (number + 1) & 0xFFFFFFFF
        return number

    def _ask(self, kind: FrameType, request: bytes, *, within_s: float | None = None) -> bytes:
        """Send a request other than an IO and return the payload of its answer."""
        if not self.is_in_step:
            raise LinkFailure(OUT_OF_STEP)
        limit = within_s or self._options.handshake_timeout_s
        number = FrameHeader.decode(request[: wire.HEADER_BYTES]).operation_id
        self._send(request, within_s=limit)
        header = self._next_header(within_s=limit)
        if header.operation_id != number:
            raise MalformedAnswer(f"an answer to request {header.operation_id} where {number} was asked")
        if header.kind == FrameType.ERROR:
            refusal, is_announced = self._refusal(header, kind.name)
            self.is_in_step = not is_announced or self._passes_over_answer(kind, number)
            raise refusal
        if header.kind != kind:
            raise MalformedAnswer(f"an answer of type {header.kind} to {kind.name}")
        return self._link.receive(header.payload_bytes, within_s=limit)

    def _next_header(self, *, within_s: float | None = None) -> FrameHeader:
        limit = within_s or self._patience_s
        while True:
            self._link.receive_into(self._header, within_s=limit)
            header = FrameHeader.decode(self._header)
            if header.operation_id not in self._unawaited:
                if header.kind not in wire.KNOWN_FRAMES:
                    raise LinkFailure(HOST_SWITCHED)
                return header
            self._unawaited.discard(header.operation_id)
            self._link.receive(header.payload_bytes, within_s=limit)

    def _send(self, *buffers: bytes | memoryview, within_s: float) -> None:
        self._is_sending = True
        self._link.send(*buffers, within_s=within_s)
        self._is_sending = False

    def _refusal(self, header: FrameHeader, request: str) -> tuple[HostRefusal, bool]:
        """Receive what an ERROR frame says; also return whether the ordinary answer still follows."""
        payload = self._link.receive(header.payload_bytes, within_s=self._patience_s)
        error = wire.ErrorAnswer.decode(payload)
        text = error.text
        if error.text_bytes:
            text = wire.readable(self._link.receive(error.text_bytes, within_s=self._patience_s))
        return HostRefusal(request, error.code, text), error.is_announced

    def _passes_over_answer(self, kind: FrameType, number: int) -> bool:
        """Pass over the ordinary answer to a request that was refused; return whether that is what came."""
        if kind not in _WITHOUT_EXTRA:
            return False
        limit = min(self._patience_s, self._options.close_timeout_s)
        try:
            header = self._next_header(within_s=limit)
            self._link.receive(header.payload_bytes, within_s=limit)
        except (LinkFailure, MalformedAnswer):
            return False
        return (header.kind, header.operation_id) == (kind, number)
