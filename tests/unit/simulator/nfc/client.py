"""A small, slow client that speaks NFC as the protocols page says: the other end for the server's tests."""

import socket
import ssl
import struct
import zlib
from dataclasses import dataclass
from typing import Self

MAGIC = 0xA100DA7A


GONE = (EOFError, ConnectionError, ssl.SSLError)
"""How a connection that the server ended looks."""


class ErrorAnswer(Exception):
    """The server answered with type 1."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code:#x} {text}")
        self.code = code


@dataclass(frozen=True)
class Frame:
    kind: int
    op_id: int
    payload: bytes


@dataclass(frozen=True)
class Piece:
    op_id: int
    compression: int
    offset: int
    total: int
    start: int
    plain_bytes: int
    extra: bytes


def insecure_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=1")  # for the hosts of ESXi 6.5 and 6.7
    return context


class AuthdClient:
    """The first part of a connection."""

    def __init__(self, port: int) -> None:
        self.raw = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.banner = self._plain_line()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = insecure_context().wrap_bio(self._incoming, self._outgoing)
        self._handshake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.raw.close()

    def _plain_line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            byte = self.raw.recv(1)
            if not byte:
                raise EOFError
            line += byte
        return line.decode()

    def _handshake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.raw.sendall(self._outgoing.read())
                self._feed()
            else:
                self.raw.sendall(self._outgoing.read())
                return

    def _feed(self) -> None:
        header = receive(self.raw, 5)
        self._incoming.write(header + receive(self.raw, int.from_bytes(header[3:], "big")))

    def send(self, line: bytes) -> None:
        self.tls.write(line)
        self.raw.sendall(self._outgoing.read())

    def line(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            try:
                data = self.tls.read(1)
            except ssl.SSLWantReadError:
                self._feed()
                continue
            if not data:
                raise EOFError
            line += data
        return line.decode().rstrip()

    def ask(self, line: bytes) -> str:
        self.send(line + b"\r\n")
        return self.line()

    def connect(self, session_id: str, service: str) -> str:
        self.send(f"SESSION {session_id}\r\n".encode())
        assert self.ask(b"BANNER ").startswith("220 ")
        assert self.ask(b"THUMBPRINT_SHA2 PlainText").startswith("200 ")
        return self.ask(f"PROXY {service}".encode())


def receive(connection: socket.socket, n_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < n_bytes:
        part = connection.recv(n_bytes - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {n_bytes} bytes")
        data += part
    return bytes(data)


class NfcClient:
    """A session, from the classic messages on."""

    def __init__(self, port: int, session_id: str, service: str, *, secured: bool = False) -> None:
        authd = AuthdClient(port)
        answer = authd.connect(session_id, service + ("ssl" if secured else ""))
        if not answer.startswith("200 Connect"):
            authd.raw.close()
            raise ConnectionRefusedError(answer)
        self.connection = insecure_context().wrap_socket(authd.raw) if secured else authd.raw
        self._op_id = 0
        self.buffer_bytes = 65536

    def __enter__(self) -> Self:
        self.greet()
        return self

    def __exit__(self, *exc: object) -> None:
        self.connection.close()

    # classic messages

    def classic(self, kind: int, payload: bytes = b"") -> None:
        self.connection.sendall((struct.pack("<I", kind) + payload).ljust(264, b"\0"))

    def classic_answer(self) -> tuple[int, bytes]:
        message = receive(self.connection, 264)
        return struct.unpack_from("<I", message)[0], message

    def greet(self) -> None:
        self.classic(43, b"PlainText")
        self.classic(33)
        self.classic(51, struct.pack("<I", 11))
        kind, message = self.classic_answer()
        assert (kind, struct.unpack_from("<I", message, 16)[0]) == (36, 1)
        kind, message = self.classic_answer()
        assert (kind, struct.unpack_from("<I", message, 4)[0]) == (51, 11)
        self.connection.sendall(struct.pack("<III", 54, 4, 7).ljust(264, b"\0") + b"vddknbdmode")
        self.classic(55, struct.pack("<I", 3))
        self.classic(52)
        assert self.classic_answer()[0] == 52

    # frames

    def request(self, kind: int, payload: bytes, extra: bytes = b"") -> int:
        op_id, self._op_id = self._op_id, self._op_id + 1
        self.connection.sendall(struct.pack("<4I", MAGIC, kind, len(payload), op_id) + payload + extra)
        return op_id

    def answer(self) -> Frame:
        magic, kind, size, op_id = struct.unpack("<4I", receive(self.connection, 16))
        assert magic == MAGIC
        payload = receive(self.connection, size)
        if kind == 1:
            raise self._error(payload)
        return Frame(kind, op_id, payload)

    def _error(self, payload: bytes) -> ErrorAnswer:
        code = struct.unpack_from("<I", payload)[0]
        if len(payload) != 16:
            return ErrorAnswer(code, payload[8:].decode())
        text = receive(self.connection, struct.unpack_from("<I", payload, 12)[0]).decode()
        _, _, size, _ = struct.unpack("<4I", receive(self.connection, 16))
        receive(self.connection, size)  # the ordinary answer
        return ErrorAnswer(code, text)

    def call(self, kind: int, payload: bytes, extra: bytes = b"") -> bytes:
        op_id = self.request(kind, payload, extra)
        answer = self.answer()
        assert (answer.kind, answer.op_id) == (kind, op_id)
        return answer.payload

    def open_session(self, buffer_bytes: int = 65536, count: int = 1) -> None:
        assert self.call(2, struct.pack("<4I", 0, buffer_bytes, count, 0)) == bytes(16)
        self.buffer_bytes = buffer_bytes

    def open_file(self, path: str, flags: int = 0x1E) -> int:
        name = path.encode()
        answer = self.call(4, struct.pack("<6I", len(name), 0, 0, 0, 2, flags) + bytes(36), name)
        assert len(answer) == 60
        self.capacity_bytes: int = struct.unpack_from("<Q", answer, 28)[0]
        self.sector_bytes: int = struct.unpack_from("<I", answer, 36)[0]
        handle: int = struct.unpack_from("<Q", answer, 8)[0]
        return handle

    def close_file(self, handle: int) -> None:
        self.call(5, struct.pack("<Q", handle))

    def close_session(self) -> None:
        self.call(3, struct.pack("<I", 0))
        self.classic(4)

    def ddb(self, handle: int, key: str) -> str | None:
        payload = self.call(11, struct.pack("<QII", handle, len(key), 0), key.encode())
        length = struct.unpack_from("<I", payload, 12)[0]
        return receive(self.connection, length).decode() if length else None

    def allocated(self, handle: int, chunk_bytes: int, start: int, count: int) -> list[bool]:
        payload = self.call(13, struct.pack("<6Q", handle, 0, chunk_bytes, start, count, 0))
        assert struct.unpack_from("<Q", payload, 32)[0] == count
        bitmap = receive(self.connection, -(-count // 32) * 4)
        return [bool(bitmap[i // 8] >> i % 8 & 1) for i in range(count)]

    # IO

    def request_read(self, handle: int, offset: int, length: int, compression: int = 0) -> int:
        payload = struct.pack("<QQQQIII", handle, compression << 32 | 1, offset, length, length, length, 0)
        return self.request(7, payload)

    def piece(self) -> Piece:
        frame = self.answer()
        assert frame.kind == 7
        assert len(frame.payload) == 44
        _, op, offset, total, start, plain, extra, _ = struct.unpack("<QQQ5I", frame.payload)
        assert op & 0xFFFFFFFF == 1
        return Piece(frame.op_id, op >> 32, offset, total, start, plain, receive(self.connection, extra))

    def read(self, handle: int, offset: int, length: int, compression: int = 0) -> bytes:
        data = bytearray(length)
        op_id = self.request_read(handle, offset, length, compression)
        done = 0
        while done < length:
            piece = self.piece()
            assert piece.op_id == op_id
            assert (piece.offset, piece.total) == (offset, length)
            assert piece.plain_bytes <= self.buffer_bytes
            data[piece.start : piece.start + piece.plain_bytes] = expand(piece)
            done += piece.plain_bytes
        return bytes(data)

    def send_write(
        self, handle: int, offset: int, pieces: list[tuple[int, bytes]], total: int, compression: int = 0
    ) -> int:
        op_id, self._op_id = self._op_id, self._op_id + 1
        for start, plain in pieces:
            packed = zlib.compress(plain) if compression == 1 else plain
            extra, how = (packed, compression) if len(packed) < len(plain) else (plain, 0)
            payload = struct.pack("<QQQ5I", handle, how << 32, offset, total, start, len(plain), len(extra), 0)
            self.connection.sendall(struct.pack("<4I", MAGIC, 7, 44, op_id) + payload + extra)
        return op_id

    def write(self, handle: int, offset: int, data: bytes, compression: int = 0) -> None:
        size = self.buffer_bytes
        pieces = [(start, data[start : start + size]) for start in range(0, len(data), size)]
        op_id = self.send_write(handle, offset, pieces, len(data), compression)
        answer = self.answer()
        assert (answer.kind, answer.op_id, len(answer.payload)) == (7, op_id, 44)


def expand(piece: Piece) -> bytes:
    """Undo a fragment's compression by the page's rules."""
    if piece.compression == 0:
        return piece.extra
    if piece.compression == 1:
        return zlib.decompress(piece.extra)
    if piece.compression == 3:
        total, _ = struct.unpack_from("<II", piece.extra)
        plain, position = bytearray(total), 8
        while position < len(piece.extra):
            offset, length = struct.unpack_from("<II", piece.extra, position)
            plain[offset : offset + length] = piece.extra[position + 8 : position + 8 + length]
            position += 8 + length
        return bytes(plain)
    raise AssertionError(f"compression {piece.compression}")
