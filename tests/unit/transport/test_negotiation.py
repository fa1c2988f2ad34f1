"""Choosing the mode: the first that works is taken, and the log says why each before it was not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.core.access import AccessMode, DiskAccess, DiskTransports, NfcTicket
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.errors import NoTransportAvailable, PrivilegeMissing, TaskCancelled
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.domain.transports import modes_to_try
from app.transport.errors import HostCertificateMismatch, NoTransportForNow
from app.transport.factory import NativeTransports
from tests.support.fakes import RecordingTaskLog
from tests.support.nfc_lab import LabCertificate
from tests.support.waiting import free_port
from tests.unit.transport.conftest import Lab
from tests.unit.transport.https_lab import HttpsLab
from tests.unit.transport.opening import options

EVERY_MODE = (
    TransportMode.SAN,
    TransportMode.HOTADD,
    TransportMode.NBD_SSL,
    TransportMode.NBD,
    TransportMode.NFC_SSL,
    TransportMode.NFC,
    TransportMode.HTTPS,
)
VDDK, SAN = "transport.skipped.vddk", "transport.skipped.vddk_and_more"
LAN_FREE = [SAN, "transport.skipped.not_offered", VDDK, VDDK]
"""Of ``EVERY_MODE``, what is neither NFC nor HTTPS: nothing here attaches disks to a VM."""
PLAIN_NOT_ALLOWED = "transport.skipped.plain_not_allowed"


@dataclass
class Site:
    """A platform that offers the same disk over NFC and over HTTPS."""

    nfc: Lab
    https: HttpsLab

    @property
    def access(self) -> DiskAccess:
        """Both ways."""
        return DiskAccess(nfc=self.nfc.nfc, https=self.https, allows_plain=True)


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """Serve one disk both ways."""
    with HttpsLab(tmp_path / "https") as https:
        disk = https.store.create("[lab] web-01/web-01.vmdk", lab.disk.capacity_bytes)
        disk.write(0, lab.content)
        yield Site(lab, https)


@pytest.fixture
def transports() -> DiskTransports:
    """The transports, as the engine gets them."""
    return NativeTransports(options(attempts=1))


def first_bytes(
    site: Site, transports: DiskTransports, access: DiskAccess, log: RecordingTaskLog
) -> TransportMode:
    """Open a disk by every mode's turn, read its start, and return the mode that was taken."""
    reader = transports.open_reader(access, site.nfc.address, preferred=EVERY_MODE, log=log, cancel=CancelToken())
    try:
        request = ReadRequest(1 << 20, memoryview(bytearray(1024)))
        assert [bytes(result.buffer) for result in reader.read_many([request])] == [
            site.nfc.content[1 << 20 : (1 << 20) + 1024]
        ]
        return reader.mode
    finally:
        reader.close()


def codes(log: RecordingTaskLog) -> list[str]:
    """Return the kinds of the lines."""
    return [kind.code for kind in log.kinds()]


def test_modes_of_vddk_are_skipped_with_that_reason(site: Site, transports: DiskTransports) -> None:
    log = RecordingTaskLog()
    assert first_bytes(site, transports, site.access, log) is TransportMode.NFC_SSL
    assert codes(log) == [*LAN_FREE, "transport.reading_over", "transport.native_nfc_unsupported"]
    assert "SAN is not used: it needs VMware's VDDK (64-bit, 6.5 or newer)" in log.text()
    assert "SAN needs the datastore's LUNs to be visible on this machine" in log.text()
    assert "not documented or supported by VMware" in log.text()


def test_a_closed_port_902_leads_to_https_and_is_named(site: Site, transports: DiskTransports) -> None:
    closed = free_port()

    class Tickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            return replace(site.nfc.nfc.issue_ticket(access), port=closed)

    log = RecordingTaskLog()
    access = DiskAccess(nfc=Tickets(), https=site.https)
    assert first_bytes(site, transports, access, log) is TransportMode.HTTPS
    assert codes(log) == [
        *LAN_FREE,
        "transport.skipped.port_blocked",
        PLAIN_NOT_ALLOWED,
        "transport.reading_over",
    ]
    assert f"127.0.0.1 does not answer on port {closed}" in log.text()


def test_a_refused_ticket_leads_to_https_and_is_named(site: Site, transports: DiskTransports) -> None:
    class Tickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            return replace(site.nfc.nfc.issue_ticket(access), session_id="52 was never given out")

    log = RecordingTaskLog()
    access = DiskAccess(nfc=Tickets(), https=site.https)
    assert first_bytes(site, transports, access, log) is TransportMode.HTTPS
    assert codes(log)[4:] == [
        "transport.host_said",
        "transport.skipped.ticket_refused",
        PLAIN_NOT_ALLOWED,
        "transport.reading_over",
    ]
    assert "was never given out" not in log.text()


def test_a_wrong_certificate_stops_the_work_with_both_thumbprints(site: Site, transports: DiskTransports) -> None:
    expected = LabCertificate().thumbprint_sha1

    class Tickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            return replace(site.nfc.nfc.issue_ticket(access), thumbprint_sha1=expected)

    log = RecordingTaskLog()
    access = DiskAccess(nfc=Tickets(), https=site.https)
    with pytest.raises(HostCertificateMismatch) as refused:
        first_bytes(site, transports, access, log)
    assert expected in refused.value.message
    assert site.nfc.nfc.thumbprint_sha1 in refused.value.message


def test_a_platform_without_tickets_is_read_over_https(site: Site, transports: DiskTransports) -> None:
    log = RecordingTaskLog()
    assert first_bytes(site, transports, DiskAccess(https=site.https), log) is TransportMode.HTTPS
    assert "NFC_SSL is not used: the platform gives no NFC tickets." in log.text()


def test_the_platforms_own_refusal_of_a_ticket_is_passed_on(site: Site, transports: DiskTransports) -> None:
    class Tickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            raise PrivilegeMissing(privilege="VirtualMachine.Provisioning.DiskRandomRead", target="web-01")

    log = RecordingTaskLog()
    access = DiskAccess(nfc=Tickets(), https=site.https)
    assert first_bytes(site, transports, access, log) is TransportMode.HTTPS
    assert "DiskRandomRead" in log.text()


def test_unencrypted_data_is_a_warning(site: Site, transports: DiskTransports) -> None:
    log = RecordingTaskLog()
    transports.open_reader(
        site.access, site.nfc.address, preferred=[TransportMode.NFC], log=log, cancel=CancelToken()
    ).close()
    assert ("warning", "transport.data_not_encrypted") in [(level, kind.code) for level, kind, _ in log.lines]


def test_when_nothing_works_every_reason_is_in_the_error(site: Site, transports: DiskTransports) -> None:
    delta = replace(site.nfc.address, is_delta=True)
    log = RecordingTaskLog()
    with pytest.raises(NoTransportAvailable) as caught:
        transports.open_reader(
            DiskAccess(https=site.https),
            delta,
            preferred=[*EVERY_MODE, TransportMode.LOCAL],
            log=log,
            cancel=CancelToken(),
        )
    reasons = str(caught.value.params["reasons"])
    assert not caught.value.retryable
    assert all(mode.name in reasons for mode in (*EVERY_MODE, TransportMode.LOCAL))
    assert "HTTPS is not possible: its file is a delta" in reasons
    assert len(log.lines) == len(EVERY_MODE) + 1


def test_a_reason_that_may_pass_makes_the_error_retryable(site: Site, transports: DiskTransports) -> None:
    site.nfc.nfc.locked.add(site.nfc.address.path)
    with pytest.raises(NoTransportForNow, match="multiwriter") as caught:
        transports.open_reader(
            site.access,
            site.nfc.address,
            preferred=[TransportMode.NFC_SSL],
            log=RecordingTaskLog(),
            cancel=CancelToken(),
        )
    assert caught.value.retryable


def test_no_allowed_mode_is_an_error_too(site: Site, transports: DiskTransports) -> None:
    with pytest.raises(NoTransportAvailable, match="no mode is allowed"):
        transports.open_reader(
            site.access, site.nfc.address, preferred=[], log=RecordingTaskLog(), cancel=CancelToken()
        )


def test_writing_skips_https_and_takes_nfc(site: Site, transports: DiskTransports) -> None:
    log = RecordingTaskLog()
    writer = transports.open_writer(
        site.access,
        site.nfc.address,
        preferred=[TransportMode.SAN, TransportMode.HTTPS, *modes_to_try((), lan_free=False)],
        log=log,
        cancel=CancelToken(),
    )
    try:
        writer.write(0, b"\x42" * 512)
        writer.flush()
    finally:
        writer.close()
    assert writer.mode is TransportMode.NFC_SSL
    assert site.nfc.disk.read(0, 512) == b"\x42" * 512
    assert "HTTPS is not used: it only reads" in log.text()
    assert "written over NFC_SSL" in log.text()


def test_a_cancelled_task_opens_nothing(site: Site, transports: DiskTransports) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(TaskCancelled):
        transports.open_reader(
            site.access, site.nfc.address, preferred=EVERY_MODE, log=RecordingTaskLog(), cancel=cancel
        )
    assert site.nfc.nfc.server.accepted_connections == 0
