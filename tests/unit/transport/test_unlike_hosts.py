"""Hosts differ: how they greet, what they announce, what they allow. The client gets along with each."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.access import AccessMode, NfcTicket
from app.domain.errors import OperationalError
from app.domain.extents import Extent
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.simulator.nfc import PROFILES, NfcOptions, NfcProfile, profile_of
from app.transport import messages
from app.transport.errors import BackupNetworkBlocked, HandshakeFailed
from app.transport.nfc.authd import capabilities
from tests.support.fakes import RecordingTaskLog
from tests.support.logguard import LogGuard
from tests.support.nfc_lab import NfcLab
from tests.support.waiting import free_port
from tests.unit.transport.opening import BOTH_MODES, options, read_bytes, reading, requests, whole, writing
from tests.unit.transport.scripted import Peer, ScriptedHost, address, pattern
from tests.unit.transport.test_refusals import answered_open, serve_reads

CAPACITY = 4 << 20
MIB = 1 << 20

both_modes = pytest.mark.parametrize("mode", BOTH_MODES, ids=lambda mode: mode.name)


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.release)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NfcLab]:
    profile: NfcProfile = request.param
    with NfcLab(tmp_path, options=NfcOptions(profile=profile)) as lab:
        yield lab


# ---- every release -------------------------------------------------------------------------------------------


@both_modes
def test_a_disk_of_every_release_is_written_and_read(lab: NfcLab, mode: TransportMode) -> None:
    disk = lab.add_disk("web/web.vmdk", CAPACITY)
    with writing(lab, lab.address(disk), mode=mode) as writer:
        writer.write(0, pattern(CAPACITY))
        writer.flush()
    log = RecordingTaskLog()
    with reading(lab, lab.address(disk), mode=mode, log=log) as reader:
        assert reader.allocated_extents() == [Extent(0, CAPACITY)]
        found = b"".join(bytes(request.buffer) for request in reader.read_many(requests(whole(CAPACITY, MIB))))
    assert found == pattern(CAPACITY)
    is_old = lab.options.profile.has_weak_tls
    assert log.kinds() == ([messages.OLD_TLS] if is_old else [])
    assert lab.server.open_connections == 0


@both_modes
def test_a_host_that_does_not_say_how_old_it_is_is_greeted_in_both_ways(
    lab: NfcLab, log_guard: LogGuard, mode: TransportMode
) -> None:
    """The ticket may be wrong about the library: without the right to ask, it is guessed from the version."""
    log_guard.expect("does not speak NFC")
    disk = lab.add_disk("web/web.vmdk", CAPACITY)

    class Guessing:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            ticket = lab.nfc_ticket(vm, disk_key, access)
            return replace(ticket, library_version=0 if ticket.library_version >= 11 else 11)

    log = RecordingTaskLog()
    with reading(Guessing(), lab.address(disk), mode=mode, log=log) as reader:
        assert read_bytes(reader, 0, 4096) == bytes(4096)
    assert messages.GREETED_OTHERWISE in log.kinds()


# ---- words ---------------------------------------------------------------------------------------------------


def test_capabilities_are_whole_names_in_the_banner() -> None:
    banner = (
        "220 VMware Authentication Daemon Version 1.10: SSL Required, ServerDaemonProtocol:SOAP, "
        "MKSDisplayProtocol:VNC , VMXARGS supported, NFCSSL supported/t, SHA256 supported"
    )
    assert {"SSL Required", "NFCSSL supported", "SHA256 supported", "MKSDisplayProtocol:VNC"} <= capabilities(
        banner
    )
    assert "SHA256 supported" not in capabilities(banner.replace("SHA256 supported", "NoSHA256 supported"))
    assert "SHA256 supported" not in capabilities(banner.replace("SHA256", "sha256"))
    assert capabilities("220 hello") == {""}


def test_a_daemon_that_announces_a_thumbprint_and_does_not_know_it_is_gone_on_with() -> None:
    def script(peer: Peer) -> None:
        peer.admit(thumbprint=b"530 Please login with USER and PASS\r\n")
        peer.greet()
        peer.open_session()
        peer.open_file()
        serve_reads(peer)

    with ScriptedHost(script) as host, reading(host, address()) as reader:
        assert read_bytes(reader, 0, 4096) == pattern(4096)


def test_a_refusal_within_the_greeting_is_tried_in_the_other_manner_once() -> None:
    heard: list[int] = []

    def script(peer: Peer) -> None:
        peer.admit()
        heard.append(struct.unpack("<I", peer.receive(264)[:4])[0])
        peer.send(struct.pack("<I", 4) + bytes(260))
        peer.wait_for_end()

    with (
        ScriptedHost(script) as host,
        pytest.raises(OperationalError, match="does not take the session"),
        reading(host, address(), tuned=options(attempts=1)),
    ):
        pass
    assert heard[:2] == [43, 33]


def test_what_a_host_said_is_kept_for_a_report_without_the_secret() -> None:
    def script(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        peer.open_session()
        op, payload = peer.expect(4)
        peer.receive(struct.unpack_from("<I", payload)[0])
        peer.frame(1, op, struct.pack("<2I", 4, 0) + b"locked")
        peer.wait_for_end()

    log = RecordingTaskLog()
    with ScriptedHost(script) as host, pytest.raises(OperationalError), reading(host, address(), log=log):
        pass
    [line] = [message for message in log.messages if message.kind is messages.HOST_SAID]
    for word in ("VMware Authentication Daemon", "TLSv1", "library 11", "versions (11, 0)", "vpxa-nfc"):
        assert word in line.details
    assert "secret" not in line.details


def test_a_frame_of_an_unknown_kind_is_a_host_switch_and_no_violation() -> None:
    """What features 3 promises that we understand (4a.9): the session is opened anew with a new ticket."""

    def script(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        peer.frame(77, read.op, bytes(24))
        peer.wait_for_end()

    def honest(peer: Peer) -> None:
        peer.become_disk()
        serve_reads(peer)

    with ScriptedHost(script, honest) as host, reading(host, address()) as reader:
        assert read_bytes(reader, 0, 4096) == pattern(4096)
        assert len(host.tickets_given) == 2


# ---- sizes ---------------------------------------------------------------------------------------------------


def test_no_request_is_longer_than_a_host_takes() -> None:
    asked: list[int] = []

    def script(peer: Peer) -> None:
        peer.become_disk()
        while True:
            kind, op, payload = peer.request()
            if kind != 7:
                return
            offset, length = struct.unpack_from("<2Q", payload, 16)
            asked.append(length)
            status = struct.pack("<3Q5I", 0, 1, offset, length, 0, length, length, 0)
            peer.frame(7, op, status, bytes(length))

    with (
        ScriptedHost(script) as host,
        reading(host, address(), tuned=options(transfer_buffer_bytes=8 * MIB)) as reader,
    ):
        assert read_bytes(reader, 0, 8 * MIB) == bytes(8 * MIB)
    assert asked == [MIB] * 8


def test_a_host_that_takes_no_size_of_buffers_may_choose_its_own() -> None:
    asked: list[tuple[int, int]] = []

    def script(peer: Peer) -> None:
        peer.admit()
        peer.greet()
        op, payload = peer.expect(2)
        asked.append(struct.unpack("<4I", payload)[1:3])
        if asked[-1] != (0, 0):
            peer.error(op, 5)
            peer.wait_for_end()
            return
        peer.frame(2, op, bytes(16))
        for kind in (9, 22):
            number, _ = peer.expect(kind)
            peer.frame(kind, number, bytes(12 if kind == 9 else 4))
        op, payload = peer.expect(4)
        peer.receive(struct.unpack_from("<I", payload)[0])
        peer.frame(4, op, answered_open()[4:])
        serve_reads(peer)

    with (
        ScriptedHost(script) as host,
        reading(host, address(), tuned=options(transfer_buffer_bytes=4 * MIB)) as reader,
    ):
        assert read_bytes(reader, 0, 4096) == pattern(4096)
    assert asked == [(2 * MIB, 2), (512 * 1024, 4), (64 * 1024, 4), (0, 0)]


# ---- the way there -------------------------------------------------------------------------------------------


def test_an_old_key_exchange_is_taken_only_where_that_is_what_fails() -> None:
    def script(peer: Peer) -> None:
        peer.send(b"220 VMware Authentication Daemon Version 1.10: SSL Required\r\n")
        peer.receive(5)
        peer.send(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal alert: handshake failure
        peer.wait_for_end()

    log = RecordingTaskLog()
    with ScriptedHost(script) as host, pytest.raises(HandshakeFailed), reading(host, address(), log=log):
        pass
    assert messages.OLD_TLS not in log.kinds()


def test_a_network_for_backups_without_a_way_from_here_is_named(tmp_path: Path) -> None:
    with NfcLab(tmp_path, options=NfcOptions(profile=profile_of("8.0"))) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)

        class Tagged:
            def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
                ticket = lab.nfc_ticket(vm, disk_key, access)
                return replace(ticket, port=free_port(), known_as="esx01.lab")

        with (
            pytest.raises(BackupNetworkBlocked, match=r"127\.0\.0\.1.*esx01\.lab") as caught,
            reading(Tagged(), lab.address(disk)),
        ):
            pass
    assert "vSphereBackupNFC" in caught.value.hint


def test_what_the_platform_says_of_a_ticket_is_in_the_log_once(tmp_path: Path) -> None:
    with NfcLab(tmp_path) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        note = messages.ALLOCATION_UNKNOWN.fill(path="x", reason="y")

        class Noted:
            def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
                return replace(lab.nfc_ticket(vm, disk_key, access), note=note)

        log = RecordingTaskLog()
        with reading(Noted(), lab.address(disk), log=log) as reader:
            assert read_bytes(reader, 0, 4096) == bytes(4096)
            lab.server.cut_connections()
            assert read_bytes(reader, 0, 4096) == bytes(4096)
        assert log.kinds().count(note.kind) == 1
