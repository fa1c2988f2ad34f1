"""A host whose every word a test writes: for lies, early ends and silence that no honest server would tell.

It is built with the standard library alone and packs its own bytes, so that it cannot share a mistake with the
code under test.
"""

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from app.core.access import AccessMode, DiskAddress, NfcTicket
from app.core.connections import end_connection
from app.domain.ids import VmId
from tests.support.nfc_lab import LabCertificate

MAGIC = 0xA100DA7A
CLOSE_SESSION, CLOSE_FILE = 3, 5
"""Kinds of frames."""
SESSION_COMPLETE = 4
"""The classic message with which a client takes its leave."""
CLASSIC_BYTES = 264
CAPACITY = 8 << 20
HANDLE = 77
PATH = "[ds] vm/vm.vmdk"
BANNER = (
    b"220 VMware Authentication Daemon Version 1.10: SSL Required, ServerDaemonProtocol:SOAP, "
    b"MKSDisplayProtocol:VNC , VMXARGS supported, NFCSSL supported/t, SHA256 supported\r\n"
)


class PeerGone(Exception):
    """The client closed the connection."""


@dataclass(frozen=True)
class SeenRead:
    """A read request as it came over the wire."""

    op: int
    offset: int
    length: int


class Peer:
    """The host's end of one connection."""

    def __init__(self, connection: socket.socket, certificate: LabCertificate) -> None:
        self._connection = connection
        self.certificate = certificate
        self.heard: list[bytes] = []
        """Lines that the client said to authd."""

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self._connection.sendall(data)

    def receive(self, size: int) -> bytes:
        """Receive exactly so many raw bytes."""
        data = b""
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                raise PeerGone
            data += part
        return data

    def wait_for_end(self) -> None:
        """Let the client close what it opened, until it goes away; stay silent whatever else it says.

        A client that leaves in order waits for these answers and for the end of the connection. A host that owed
        them to it would cost the test the whole time limit of closing.
        """
        answered = {CLOSE_FILE: 8, CLOSE_SESSION: 4}
        while True:
            begun = self.receive(4)
            if begun == struct.pack("<I", SESSION_COMPLETE):
                self.receive(CLASSIC_BYTES - 4)
                return
            if begun != struct.pack("<I", MAGIC):
                self.stay_silent()
                return
            kind, size, op = struct.unpack("<3I", self.receive(12))
            self.receive(size)
            if kind in answered:
                self.frame(kind, op, bytes(answered[kind]))

    def stay_silent(self) -> None:
        """Say nothing until the client closes the connection, whatever it says."""
        while self._connection.recv(65536):
            pass

    def receive_all(self) -> bytes:
        """Receive whatever comes until the client closes the connection."""
        data = bytearray()
        while part := self._connection.recv(1 << 20):
            data += part
        return bytes(data)

    def is_quiet(self, for_s: float = 0.2) -> bool:
        """Return whether the client says nothing for a while."""
        return not select.select([self._connection], [], [], for_s)[0]

    def line(self) -> bytes:
        """Receive a line."""
        data = b""
        while not data.endswith(b"\n"):
            data += self.receive(1)
        self.heard.append(data)
        return data

    def start_tls(self) -> None:
        """Shake hands."""
        self._connection = self.certificate.server_context().wrap_socket(self._connection, server_side=True)

    def drop_tls(self) -> None:
        """Forget the TLS layer."""
        assert isinstance(self._connection, ssl.SSLSocket)
        self._connection = socket.socket(fileno=self._connection.detach())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def admit(self, *, second_layer: bool = False, thumbprint: bytes | None = None) -> None:
        """Be an honest authd, but perhaps with another answer to the question for the thumbprint."""
        self.send(BANNER)
        self.start_tls()
        assert self.line().startswith(b"SESSION ")
        assert self.line() == b"BANNER \r\n"
        self.send(BANNER)
        assert self.line() == b"THUMBPRINT_SHA2 PlainText\r\n"
        self.send(thumbprint or f"200 {self.certificate.thumbprint_sha256}\r\n".encode())
        assert self.line().startswith(b"PROXY ")
        self.send(b"200 Connect ha-nfc\r\n")
        self.drop_tls()
        if second_layer:
            self.start_tls()

    def greet(self) -> None:
        """Exchange the classic messages."""
        self.receive(264 * 3)
        self.send(struct.pack("<4I", 36, 0, 0, 0) + struct.pack("<I", 1) + bytes(244))
        self.send(struct.pack("<2I", 51, 11) + bytes(256))
        self.receive(264 + 11 + 264 * 2)
        self.send(struct.pack("<I", 52) + bytes(260))

    def frame(self, kind: int, op: int, payload: bytes, extra: bytes = b"") -> None:
        """Send a frame."""
        self.send(struct.pack("<4I", MAGIC, kind, len(payload), op) + payload + extra)

    def error(self, op: int, code: int) -> None:
        """Send an error answer."""
        self.frame(1, op, struct.pack("<2I", code, 0))

    def request(self) -> tuple[int, int, bytes]:
        """Receive the frame of a request: type, id, payload."""
        magic, kind, size, op = struct.unpack("<4I", self.receive(16))
        assert magic == MAGIC
        return kind, op, self.receive(size)

    def expect(self, kind: int) -> tuple[int, bytes]:
        """Receive a request of one type: id, payload."""
        seen, op, payload = self.request()
        assert seen == kind, f"request {seen} instead of {kind}"
        return op, payload

    def open_session(self, *, answer_settings: bool = True) -> int:
        """Agree to the client's buffers, and return their size."""
        op, payload = self.expect(2)
        self.frame(2, op, bytes(16))
        for kind in (9, 22):
            setting, _ = self.expect(kind)
            if answer_settings:
                self.frame(kind, setting, bytes(12 if kind == 9 else 4))
        size: int = struct.unpack("<4I", payload)[1]
        return size

    def open_file(self, capacity: int = CAPACITY) -> bytes:
        """Open whatever the client wants, and return its path."""
        op, payload = self.expect(4)
        path = self.receive(struct.unpack_from("<I", payload)[0])
        self.frame(4, op, struct.pack("<2Q2I4xQ4I8x", 0, HANDLE, 2, 0x1E, capacity, 512, 1, 255, 63))
        return path

    def become_disk(self, *, second_layer: bool = False) -> None:
        """Do honestly everything up to the opened disk."""
        self.admit(second_layer=second_layer)
        self.greet()
        self.open_session()
        self.open_file()

    def read_request(self) -> SeenRead:
        """Receive a read request."""
        op, payload = self.expect(7)
        handle, direction, offset, length, again, once_more, zero = struct.unpack("<4Q3I", payload)
        assert (handle, direction & 0xFFFFFFFF, again, once_more, zero) == (HANDLE, 1, length, length, 0)
        return SeenRead(op, offset, length)

    def fragment(
        self,
        read: SeenRead,
        start: int,
        data: bytes,
        *,
        plain: int | None = None,
        extra: int | None = None,
        compression: int = 0,
        total: int | None = None,
        offset: int | None = None,
    ) -> None:
        """Send a fragment; every field can be lied about."""
        payload = struct.pack(
            "<3Q5I",
            0,
            1 | compression << 32,
            read.offset if offset is None else offset,
            read.length if total is None else total,
            start,
            len(data) if plain is None else plain,
            len(data) if extra is None else extra,
            0,
        )
        self.frame(7, read.op, payload, data)


Script = Callable[[Peer], None]


class ScriptedHost:
    """Listens and runs a script for each connection; it is its own source of tickets.

    A script that ends closes its connection. Scripts are used one per connection; the last one repeats.

    Attributes:
        connections: the host's ends, in the order in which they came.
    """

    def __init__(self, *scripts: Script, certificate: LabCertificate | None = None) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self.certificate = certificate or LabCertificate()
        self.connections: list[Peer] = []
        self.tickets_given: list[NfcTicket] = []
        self.thumbprint_sha1: str | None = self.certificate.thumbprint_sha1

    def __enter__(self) -> Self:
        self._threads.append(threading.Thread(target=self._accept, name="scripted-accept"))
        self._threads[0].start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        end_connection(self._listener)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(timeout=20)
            assert not thread.is_alive(), "a script still runs"
        if self._failures and kind is None:
            raise self._failures[0]

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
        """Give out a ticket."""
        ticket = NfcTicket(
            host="127.0.0.1",
            port=self.port,
            service="vpxa-nfc",
            session_id=f"52 secret {len(self.tickets_given)}",
            thumbprint_sha1=self.thumbprint_sha1,
        )
        self.tickets_given.append(ticket)
        return ticket

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the end of the test
                return
            peer = Peer(connection, self.certificate)
            script = self._scripts[min(len(self.connections), len(self._scripts) - 1)]
            self.connections.append(peer)
            thread = threading.Thread(target=self._run, args=(script, peer), name="scripted-peer")
            self._threads.append(thread)
            thread.start()

    def _run(self, script: Script, peer: Peer) -> None:
        try:
            script(peer)
        except (PeerGone, OSError):
            pass  # the client has had enough of the lies, as it should
        except BaseException as failure:  # noqa: BLE001 - shown by the test's own thread
            self._failures.append(failure)
        finally:
            peer.close()


def address(capacity_bytes: int = CAPACITY) -> DiskAddress:
    """Return the address of the disk that a scripted host pretends to have."""
    return DiskAddress(vm=VmId("vm-1"), vm_name="web", disk_key=2000, path=PATH, capacity_bytes=capacity_bytes)


def pattern(size: int, seed: int = 1) -> bytes:
    """Return bytes that differ everywhere."""
    return b"".join(
        struct.pack("<Q", (index * 0x9E3779B97F4A7C15 + seed) % (1 << 64)) for index in range(size // 8)
    )
