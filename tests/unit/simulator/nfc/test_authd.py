import hashlib
import socket

import pytest

from app.simulator.nfc import NfcTls, TicketStore
from tests.support.fakes import TurnableClock
from tests.support.nfc_lab import LabCertificate, NfcLab
from tests.support.waiting import wait_until
from tests.unit.simulator.nfc.client import GONE, AuthdClient, NfcClient


def test_the_banner_comes_in_plain_text_and_says_that_tls_is_required(lab: NfcLab) -> None:
    with AuthdClient(lab.port) as client:
        assert client.banner.startswith("220 VMware Authentication Daemon Version 1.10: SSL Required")


def test_the_certificate_is_the_one_of_the_ticket(lab: NfcLab) -> None:
    with AuthdClient(lab.port) as client:
        der = client.tls.getpeercert(binary_form=True)
        assert der is not None
        assert hashlib.sha1(der).digest().hex(":").upper() == lab.issue_ticket().thumbprint_sha1
        assert client.ask(b"THUMBPRINT_SHA2 PlainText") == f"200 {hashlib.sha256(der).digest().hex(':').upper()}"


@pytest.mark.parametrize(
    ("service", "answer"), [("vpxa-nfc", "200 Connect ha-nfc"), ("vpxa-nfcssl", "200 Connect ha-nfcssl")]
)
def test_a_ticket_connects_to_the_service_it_names(lab: NfcLab, service: str, answer: str) -> None:
    with AuthdClient(lab.port) as client:
        assert client.connect(lab.issue_ticket().session_id, service) == answer


def test_a_ticket_is_used_up_by_the_connection_it_opened(lab: NfcLab) -> None:
    session_id = lab.issue_ticket().session_id
    with AuthdClient(lab.port) as first:
        assert first.connect(session_id, "vpxa-nfc").startswith("200 ")
    with AuthdClient(lab.port) as second:
        assert second.connect(session_id, "vpxa-nfc").startswith("530 ")


def test_a_wrong_service_does_not_use_the_ticket_up(lab: NfcLab) -> None:
    session_id = lab.issue_ticket().session_id
    with AuthdClient(lab.port) as client:
        assert client.connect(session_id, "nfc").startswith("501 ")
        assert client.ask(b"PROXY vpxa-nfc").startswith("200 ")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"BANNER", "501"),
        (b"BANNER x", "501"),
        (b"THUMBPRINT_SHA2", "501"),
        (b"THUMBPRINT_SHA2 a:b", "501"),
        (b"PROXY", "501"),
        (b"PROXY vpxa-nfc", "530"),
        (b"SESSION", "501"),
        (b"HELO me", "500"),
        (b"\xff\xfe\xfd", "500"),
        (b"x" * 2000, "500"),
    ],
)
def test_mistakes_are_answered_with_5xx_and_may_be_corrected(lab: NfcLab, line: bytes, code: str) -> None:
    with AuthdClient(lab.port) as client:
        assert client.ask(line).startswith(f"{code} ")
        if len(line) < 1024:
            assert client.connect(lab.issue_ticket().session_id, "vpxa-nfc").startswith("200 ")


def test_a_client_that_is_refused_too_often_is_sent_away(lab: NfcLab) -> None:
    with AuthdClient(lab.port) as client:
        answers = [client.ask(b"PROXY vpxa-nfc") for _ in range(5)]
        assert all(answer.startswith("530 ") for answer in answers)
        with pytest.raises(GONE):
            client.ask(b"PROXY vpxa-nfc")


def test_a_client_without_tls_is_sent_away(lab: NfcLab) -> None:
    with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as connection:
        connection.sendall(b"SESSION x\r\n" * 100)
        with connection.makefile("rb") as answers:
            assert answers.readline().startswith(b"220 ")
            try:
                rest = answers.read()
            except ConnectionResetError:
                rest = b""
            assert b"200" not in rest
    wait_until(lambda: lab.server.open_connections == 0)


def test_a_new_certificate_is_shown_from_the_next_connection_on(lab: NfcLab) -> None:
    renewed = LabCertificate()
    with AuthdClient(lab.port) as before:
        lab.server.tls = NfcTls(context=renewed.server_context(), thumbprint_sha256=renewed.thumbprint_sha256)
        with AuthdClient(lab.port) as after:
            assert before.tls.getpeercert(binary_form=True) == lab.certificate.der
            assert after.tls.getpeercert(binary_form=True) == renewed.der


@pytest.mark.parametrize("secured", [False, True])
def test_no_byte_is_lost_where_the_tls_layer_is_dropped(lab: NfcLab, secured: bool) -> None:
    lab.add_disk("web/web.vmdk", 1 << 20)
    for _ in range(20):
        ticket = lab.issue_ticket()
        with NfcClient(ticket.port, ticket.session_id, ticket.service, secured=secured) as client:
            client.open_session()
            assert client.open_file("[lab] web/web.vmdk")


def test_stopping_ends_connections_in_every_state(lab: NfcLab) -> None:
    lab.add_disk("web/web.vmdk", 1 << 20)
    ticket = lab.issue_ticket()
    with (
        socket.create_connection(("127.0.0.1", lab.port), timeout=10),
        AuthdClient(lab.port),
        NfcClient(ticket.port, ticket.session_id, ticket.service, secured=True) as client,
    ):
        client.open_session()
        assert lab.server.open_connections == 3
        lab.server.stop()
        assert lab.server.open_connections == 0
    lab.server.stop()


def test_tickets_expire_and_are_redeemed_once() -> None:
    clock = TurnableClock()
    tickets = TicketStore(clock, lifetime_s=60)
    old, other = tickets.issue("vm-1", 2000, writable=False), tickets.issue("vm-2", None, writable=True)
    clock.turn(59)
    assert tickets.redeem(other) is not None
    assert tickets.redeem(other) is None
    fresh = tickets.issue("vm-1", 2000, writable=True)
    clock.turn(2)
    assert tickets.redeem(old) is None
    ticket = tickets.redeem(fresh)
    assert ticket is not None
    assert (ticket.vm_moid, ticket.disk_key, ticket.writable) == ("vm-1", 2000, True)
