"""A connection that fills buffers exactly, or fails in time."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from app.core.cancel import CancelToken
from app.domain.errors import TaskCancelled
from app.domain.states import TransportMode
from app.transport import link as link_module
from app.transport.errors import LinkClosed, LinkFailure, LinkStalled, LinkUnreachable, TlsFailed
from app.transport.link import Link
from tests.support.platforms import posix_only
from tests.support.waiting import free_port
from tests.unit.transport.conftest import CAPACITY, Lab
from tests.unit.transport.opening import BOTH_MODES, reading, requests, whole, writing
from tests.unit.transport.scripted import BANNER, Peer, ScriptedHost, address


@pytest.fixture
def ends() -> Iterator[tuple[Link, socket.socket]]:
    """Connect a link with a plain socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = Link.connect("127.0.0.1", server.getsockname()[1], timeout_s=5, cancel=CancelToken())
        far, _ = server.accept()
    with far:
        yield link, far
    link.close()


def test_a_buffer_is_filled_from_many_pieces(ends: tuple[Link, socket.socket]) -> None:
    link, far = ends

    def send() -> None:
        for index in range(200):
            far.sendall(bytes([index]) * 50)

    sender = threading.Thread(target=send)
    sender.start()
    buffer = bytearray(200 * 50)
    link.receive_into(memoryview(buffer), within_s=5)
    sender.join()
    assert buffer == b"".join(bytes([index]) * 50 for index in range(200))


def test_a_line_takes_nothing_that_is_behind_it(ends: tuple[Link, socket.socket]) -> None:
    link, far = ends
    far.sendall(b"220 hello\r\nrest")
    assert link.receive_line(longest_bytes=100, within_s=5) == "220 hello"
    assert link.receive(4, within_s=5) == b"rest"


def test_an_endless_line_is_given_up(ends: tuple[Link, socket.socket]) -> None:
    link, far = ends
    far.sendall(b"x" * 500)
    with pytest.raises(LinkFailure, match="more than 100 bytes"):
        link.receive_line(longest_bytes=100, within_s=5)


def test_an_early_end_is_distinguished_from_silence(ends: tuple[Link, socket.socket]) -> None:
    link, far = ends
    far.sendall(b"abc")
    with pytest.raises(LinkStalled):
        link.receive(4, within_s=0.1)
    far.close()
    with pytest.raises(LinkClosed):
        link.receive(4, within_s=5)


def test_a_host_that_takes_nothing_stalls_the_sender(ends: tuple[Link, socket.socket]) -> None:
    link, _ = ends
    with pytest.raises(LinkStalled):
        link.send(bytes(64 << 20), within_s=0.3)


def test_a_host_that_takes_nothing_does_not_keep_a_task_from_being_stopped() -> None:
    cancel = CancelToken()
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = Link.connect("127.0.0.1", server.getsockname()[1], timeout_s=5, cancel=cancel)
        cancel.cancel()
        with pytest.raises(TaskCancelled):
            link.send(bytes(64 << 20), within_s=60)
        link.close()


def test_all_buffers_are_sent_one_behind_the_other(ends: tuple[Link, socket.socket]) -> None:
    link, far = ends
    received = bytearray()

    def receive() -> None:
        while len(received) < 3_000_003:
            received.extend(far.recv(100_000))

    receiver = threading.Thread(target=receive)
    receiver.start()
    link.send(b"abc", b"", memoryview(b"d" * 3_000_000), within_s=5)
    receiver.join()
    assert received == b"abc" + b"d" * 3_000_000


def test_an_address_without_a_server_is_unreachable() -> None:
    with pytest.raises(LinkUnreachable, match="refused"):
        Link.connect("127.0.0.1", free_port(), timeout_s=5, cancel=CancelToken())
    with pytest.raises(LinkUnreachable, match="cannot be resolved"):
        Link.connect("no such host.invalid", 902, timeout_s=5, cancel=CancelToken())


def test_a_connection_that_is_not_accepted_ends_in_time() -> None:
    listener = socket.socket()
    waiting: list[socket.socket] = []
    with listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        try:
            for _ in range(3):  # the queue of a listener that never accepts
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(("127.0.0.1", port))
            with pytest.raises(LinkUnreachable, match="no answer came in time"):
                Link.connect("127.0.0.1", port, timeout_s=0.3, cancel=CancelToken())
            cancel = CancelToken()
            cancel.cancel()
            with pytest.raises(TaskCancelled):
                Link.connect("127.0.0.1", port, timeout_s=60, cancel=cancel)
        finally:
            for connection in waiting:
                connection.close()


def test_a_certificate_that_windows_refuses_is_a_refused_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its check raises an error without OpenSSL's reason."""

    class WindowsContext(ssl.SSLContext):
        def wrap_socket(self, *_: object, **__: object) -> NoReturn:
            refused = ssl.SSLCertVerificationError("Certificate chain policy error 0x800b0109 [0]")
            refused.verify_code = 0x800B0109
            raise refused

    monkeypatch.setattr(link_module, "verifying_context", lambda: WindowsContext(ssl.PROTOCOL_TLS_CLIENT))
    with ScriptedHost(Peer.wait_for_end) as host:
        link = Link.connect("127.0.0.1", host.port, timeout_s=5, cancel=CancelToken())
        with closing(link), pytest.raises(TlsFailed, match="does not know the authority"):
            link.start_tls(pinned=False, timeout_s=5)


@posix_only("Windows keeps authorities in its own store, not in a file")
def test_an_authority_of_this_machine_can_vouch_for_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(peer: Peer) -> None:
        peer.become_disk(second_layer=True)
        peer.wait_for_end()

    with ScriptedHost(script) as host:
        (tmp_path / "ca.pem").write_bytes(host.certificate.pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        host.thumbprint_sha1 = None
        with reading(host, address(), mode=TransportMode.NFC_SSL) as reader:
            assert reader.capacity_bytes == address().capacity_bytes


def test_a_silent_tls_handshake_ends_in_time() -> None:
    def script(peer: Peer) -> None:
        peer.send(BANNER)
        peer.wait_for_end()

    with ScriptedHost(script) as host:
        link = Link.connect("127.0.0.1", host.port, timeout_s=5, cancel=CancelToken())
        link.receive_line(longest_bytes=1000, within_s=5)
        with pytest.raises(LinkStalled):
            link.start_tls(pinned=True, timeout_s=0.3)
        link.close()


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_the_way_of_systems_without_kernel_time_outs_moves_the_same_bytes(
    lab: Lab, mode: TransportMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_KERNEL_TIMEOUTS", False)
    with reading(lab.nfc, lab.address, mode=mode) as reader:
        parts = [bytes(result.buffer) for result in reader.read_many(requests(whole(CAPACITY, 300_000)))]
    assert b"".join(parts) == lab.content
    with writing(lab.nfc, lab.address, mode=mode) as writer:
        writer.write(0, b"\x11" * 3_000_000)
        writer.flush()
    assert lab.disk.read(0, 3_000_001) == b"\x11" * 3_000_000 + lab.content[3_000_000:3_000_001]
