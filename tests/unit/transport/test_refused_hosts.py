"""Hosts that are refused before a disk is open: no server, another size, another certificate."""

import struct
from collections.abc import Callable

import pytest

from app.domain.errors import DiskAccessFailed
from app.domain.states import TransportMode
from app.transport.errors import DiskSizeDiffers, HostCertificateMismatch, TicketRefused
from tests.support.nfc_lab import LabCertificate
from tests.unit.transport.opening import reading
from tests.unit.transport.scripted import BANNER, Peer, ScriptedHost, address

# ---- before the disk is open ---------------------------------------------------------------------------------


def no_banner(peer: Peer) -> None:
    peer.send(b"421 Service not available\r\n")


def endless_banner(peer: Peer) -> None:
    for _ in range(1000):
        peer.send(b"220 " + b"x" * 4096)


def no_tls(peer: Peer) -> None:
    peer.send(BANNER + b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.wait_for_end()


def words_after_connect(peer: Peer) -> None:
    peer.send(BANNER)
    peer.start_tls()
    for _ in range(4):
        peer.line()
        if len(peer.heard) == 2:
            peer.send(BANNER)
        if len(peer.heard) == 3:
            peer.send(b"200 \r\n")
    peer.send(b"200 Connect ha-nfc\r\nand more")
    peer.wait_for_end()


def wrong_classic_message(peer: Peer) -> None:
    peer.admit()
    peer.receive(264 * 2)
    peer.send(struct.pack("<I", 99) + bytes(260))
    peer.wait_for_end()


def disk_of_no_bytes(peer: Peer) -> None:
    peer.admit()
    peer.greet()
    peer.open_session()
    peer.open_file(capacity=0)
    peer.wait_for_end()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (no_banner, "421 Service"),
        (endless_banner, "a line of more than"),
        (no_tls, "TLS handshake failed"),
        (words_after_connect, "more than was asked for"),
        (wrong_classic_message, "message type 99"),
        (disk_of_no_bytes, "a disk of 0 bytes"),
    ],
)
def test_a_host_that_is_no_nfc_server_is_refused(script: Callable[[Peer], None], reason: str) -> None:
    with (
        ScriptedHost(script) as host,
        pytest.raises(DiskAccessFailed, match=reason),
        reading(host, address()),
    ):
        pass


def test_a_disk_of_another_size_than_the_platform_says_is_refused() -> None:
    def script(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        peer.open_session()
        peer.open_file(capacity=1 << 20)
        peer.wait_for_end()

    with ScriptedHost(script) as host, pytest.raises(DiskSizeDiffers, match="1048576"), reading(host, address()):
        pass


def test_nothing_is_said_to_a_host_with_another_certificate() -> None:
    def script(peer: Peer) -> None:
        peer.send(BANNER)
        peer.start_tls()
        peer.line()

    with ScriptedHost(script) as host:
        host.thumbprint_sha1 = LabCertificate().thumbprint_sha1
        with pytest.raises(HostCertificateMismatch) as caught, reading(host, address()):
            pass
        assert host.certificate.thumbprint_sha1 in str(caught.value)
        assert not caught.value.retryable
        assert all(not peer.heard for peer in host.connections)


def test_without_a_thumbprint_only_an_authority_can_vouch_for_the_host() -> None:
    def script(peer: Peer) -> None:
        peer.send(BANNER)
        peer.start_tls()
        peer.line()

    with ScriptedHost(script) as host:
        host.thumbprint_sha1 = None
        with (
            pytest.raises(DiskAccessFailed, match=r"(?i)certificate (verify failed|chain)"),
            reading(host, address()),
        ):
            pass
        assert all(not peer.heard for peer in host.connections)


def test_the_second_tls_layer_is_checked_too() -> None:
    other = LabCertificate()

    def script(peer: Peer) -> None:
        peer.admit()
        peer.certificate = other
        peer.start_tls()
        peer.receive(1)

    with (
        ScriptedHost(script) as host,
        pytest.raises(HostCertificateMismatch),
        reading(host, address(), mode=TransportMode.NFC_SSL),
    ):
        pass


def test_a_certificate_announced_inside_the_first_layer_may_carry_the_second() -> None:
    other = LabCertificate()

    def script(peer: Peer) -> None:
        first = peer.certificate
        peer.send(BANNER)
        peer.start_tls()
        peer.line()
        peer.line()
        peer.send(BANNER)
        peer.line()
        peer.send(f"200 {other.thumbprint_sha256}\r\n".encode())
        assert peer.line() == b"PROXY vpxa-nfcssl\r\n"
        peer.send(b"200 Connect ha-nfcssl\r\n")
        peer.drop_tls()
        assert first is not other
        peer.certificate = other
        peer.start_tls()
        peer.greet()
        peer.open_session()
        peer.open_file()
        peer.wait_for_end()

    with ScriptedHost(script) as host, reading(host, address(), mode=TransportMode.NFC_SSL) as reader:
        assert reader.capacity_bytes == address().capacity_bytes


def test_a_refused_ticket_is_named_without_its_secret() -> None:
    def script(peer: Peer) -> None:
        peer.send(BANNER)
        peer.start_tls()
        secret = peer.line().removeprefix(b"SESSION ").strip()
        peer.line()
        peer.send(BANNER)
        peer.line()
        peer.send(b"200 \r\n")
        peer.line()
        peer.send(b"530 Login incorrect for " + secret + b"\r\n")

    with ScriptedHost(script) as host:
        with pytest.raises(TicketRefused, match="530 Login incorrect") as caught, reading(host, address()):
            pass
        assert host.tickets_given[0].session_id not in str(caught.value) + repr(caught.value.params)
        assert host.tickets_given[0].session_id not in repr(host.tickets_given[0])
