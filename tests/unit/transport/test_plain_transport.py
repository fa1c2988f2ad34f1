"""Disks travel unencrypted only where the operator allowed it, never because someone broke an encrypted way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.core.access import AccessMode, DiskAccess, NfcTicket
from app.core.cancel import CancelToken
from app.domain.errors import NoTransportAvailable, OperationalError
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.domain.transports import modes_to_try
from app.transport.errors import HostCertificateMismatch
from app.transport.factory import NativeTransports
from tests.support.fakes import RecordingTaskLog
from tests.support.intruder import (
    Deed,
    breaks_every_handshake,
    breaks_the_first_connections,
    breaks_the_second_handshake,
    intruder,
    passes,
    refuses_first,
    shows_another_certificate,
    strips_the_banner,
)
from tests.unit.transport.conftest import Lab
from tests.unit.transport.opening import options

NFC_ONLY = (TransportMode.NFC_SSL, TransportMode.NFC)
DEEDS: list[Deed] = [
    breaks_every_handshake,
    breaks_the_second_handshake,
    breaks_the_first_connections,
    refuses_first,
    strips_the_banner,
]


@contextmanager
def access_through(lab: Lab, deed: Deed, *, allows_plain: bool) -> Iterator[DiskAccess]:
    ticket_of = lab.nfc.issue_ticket
    with intruder((lab.nfc.host, lab.nfc.port), deed) as port:

        class Tickets:
            def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
                return replace(ticket_of(access), port=port)

        yield DiskAccess(nfc=Tickets(), allows_plain=allows_plain)


def open_by(way: str, access: DiskAccess, lab: Lab, log: RecordingTaskLog) -> TransportMode:
    transports = NativeTransports(options(attempts=1))
    opener: Callable[..., object] = transports.open_reader if way == "reading" else transports.open_writer
    disk = opener(access, lab.address, preferred=NFC_ONLY, log=log, cancel=CancelToken())
    disk.close()  # type: ignore[attr-defined]
    return disk.mode  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("way", ["reading", "writing"])
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("allows_plain", [False, True])
def test_an_attacker_who_breaks_encrypted_connections_gets_no_plain_one(
    lab: Lab, way: str, deed: Deed, allows_plain: bool
) -> None:
    log = RecordingTaskLog()
    with (
        access_through(lab, deed, allows_plain=allows_plain) as access,
        pytest.raises(NoTransportAvailable) as refused,
    ):
        open_by(way, access, lab, log)
    assert "transport.data_not_encrypted" not in [kind.code for kind in log.kinds()]
    wanted = "because an encrypted connection failed" if allows_plain else "do not allow"
    assert wanted in refused.value.message


@pytest.mark.parametrize("way", ["reading", "writing"])
@pytest.mark.parametrize("allows_plain", [False, True])
def test_another_certificate_stops_the_work(lab: Lab, way: str, allows_plain: bool) -> None:
    with (
        access_through(lab, shows_another_certificate, allows_plain=allows_plain) as access,
        pytest.raises(HostCertificateMismatch),
    ):
        open_by(way, access, lab, RecordingTaskLog())


def test_an_honest_path_is_encrypted(lab: Lab) -> None:
    with access_through(lab, passes, allows_plain=True) as access:
        assert open_by("reading", access, lab, RecordingTaskLog()) is TransportMode.NFC_SSL


@pytest.mark.parametrize("allows_plain", [False, True])
def test_plain_nfc_that_was_asked_for_needs_permission(lab: Lab, allows_plain: bool) -> None:
    access = DiskAccess(nfc=lab.nfc, allows_plain=allows_plain)
    transports, log = NativeTransports(options(attempts=1)), RecordingTaskLog()

    def open_plain() -> TransportMode:
        reader = transports.open_reader(
            access, lab.address, preferred=[TransportMode.NFC], log=log, cancel=CancelToken()
        )
        reader.close()
        return reader.mode

    if allows_plain:
        assert open_plain() is TransportMode.NFC
        assert "transport.data_not_encrypted" in [kind.code for kind in log.kinds()]
        return
    with pytest.raises(OperationalError, match="do not allow"):
        open_plain()


def test_the_usual_order_asks_for_encryption_first() -> None:
    usual = modes_to_try((), lan_free=False)
    assert usual.index(TransportMode.NFC_SSL) < usual.index(TransportMode.NFC)
    assert not DiskAccess().allows_plain
