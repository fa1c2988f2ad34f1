"""Reading disks as datastore files over HTTPS from the simulator's server, and from servers that lie."""

import random
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.access import DiskAddress
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.errors import CertificateChanged, DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.transport import descriptor
from app.transport.errors import (
    DiskSizeDiffers,
    FileForbidden,
    FileNotReadable,
    PortBlocked,
    SessionRefused,
)
from app.transport.https import HttpsReader
from tests.support.fakes import RecordingTaskLog
from tests.support.nfc_lab import LabCertificate
from tests.support.waiting import free_port
from tests.unit.transport.https_lab import HttpsLab
from tests.unit.transport.opening import options, requests, whole
from tests.unit.transport.scripted import address
from tests.unit.transport.scripted_web import answer, reading, web

CAPACITY = (4 << 20) + 512


class Served:
    """A server with one disk and what the disk holds."""

    def __init__(self, lab: HttpsLab) -> None:
        self.lab = lab
        self.content = random.Random(3).randbytes(CAPACITY)
        self.disk = lab.store.create("[lab] web 1/web 1.vmdk", CAPACITY)
        self.disk.write(0, self.content)

    @property
    def address(self) -> DiskAddress:
        """How the disk is opened."""
        return self.lab.address(self.disk)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve a disk."""
    with HttpsLab(tmp_path) as lab:
        yield Served(lab)


def read_all(reader: HttpsReader, step: int = 256 * 1024) -> bytes:
    """Read a whole disk."""
    return b"".join(
        bytes(result.buffer) for result in reader.read_many(requests(whole(reader.capacity_bytes, step)))
    )


def test_a_disk_reads_as_its_file(served: Served) -> None:
    with reading(served.lab, served.address) as reader:
        assert (reader.capacity_bytes, reader.mode) == (CAPACITY, TransportMode.HTTPS)
        assert reader.allocated_extents() is None
        assert read_all(reader) == served.content


def test_any_ranges_come_back_in_their_order(served: Served) -> None:
    extents = [Extent(CAPACITY - 7, 7), Extent(1, 1), Extent(99, 0), Extent(1 << 20, 70_001), Extent(0, 3)]
    with reading(served.lab, served.address) as reader:
        done = [(result.tag, bytes(result.buffer)) for result in reader.read_many(requests(extents))]
    assert done == [(index, served.content[extent.start : extent.end]) for index, extent in enumerate(extents)]


def test_connections_are_kept_and_their_number_is_bounded(served: Served) -> None:
    tuned = replace(options(), https_connections=3)
    with reading(served.lab, served.address, tuned=tuned) as reader:
        assert reader.window == 3
        read_all(reader, 4096)
        assert served.lab.server.open_connections <= 3 + 1  # one more may just be ending


def test_bytes_beyond_the_disk_are_refused(served: Served) -> None:
    with reading(served.lab, served.address) as reader, pytest.raises(ValueError, match=str(CAPACITY)):
        list(reader.read_many(requests([Extent(CAPACITY - 1, 2)])))


def test_giving_up_in_the_middle_leaves_the_disk_usable(served: Served) -> None:
    with reading(served.lab, served.address) as reader:
        stream = reader.read_many(requests(whole(CAPACITY, 65536)))
        next(stream)
        with pytest.raises(RuntimeError):
            next(reader.read_many([]))
        assert isinstance(stream, Generator)
        stream.close()
        assert read_all(reader) == served.content
        reader.close()
        with pytest.raises(ValueError, match="closed"):
            next(reader.read_many([]))


# ---- what breaks on the way ----------------------------------------------------------------------------------


def test_after_a_drop_reading_goes_on_where_it_was(served: Served) -> None:
    log = RecordingTaskLog()
    with reading(served.lab, served.address, log=log) as reader:
        served.lab.faults.drop_https(900_000)
        served.lab.faults.drop_https(2_000_000)
        assert read_all(reader, 1 << 20) == served.content
    assert [kind.code for kind in log.kinds()].count("transport.connection_lost") == 2


def test_a_session_that_expires_is_renewed_once_for_all_connections(served: Served) -> None:
    log = RecordingTaskLog()
    with reading(served.lab, served.address, log=log) as reader:
        stream = reader.read_many(requests(whole(CAPACITY, 65536)))
        parts = [bytes(next(stream).buffer)]
        served.lab.sessions.live.clear()
        parts += [bytes(result.buffer) for result in stream]
    assert b"".join(parts) == served.content
    assert [kind.code for kind in log.kinds()] == ["transport.session_renewed"]


def test_an_account_that_gets_no_session_is_named_as_the_reason(served: Served) -> None:
    served.lab.log_in = lambda: "never valid"
    with pytest.raises(SessionRefused, match="401"), reading(served.lab, served.address):
        pass


def test_a_server_that_rests_between_requests_costs_no_attempt(served: Served) -> None:
    log = RecordingTaskLog()
    with reading(served.lab, served.address, log=log) as reader:
        read_all(reader)
        served.lab.server.cut_connections()
        assert read_all(reader) == served.content
    assert not log.lines


def test_a_server_that_stays_away_is_given_up_after_the_attempts(served: Served) -> None:
    with reading(served.lab, served.address, tuned=options(attempts=2)) as reader:
        stream = reader.read_many(requests(whole(CAPACITY, 65536)))
        next(stream)
        served.lab.server.stop()
        with pytest.raises(DiskAccessFailed, match="given up after 2 attempts"):
            list(stream)


def test_a_closed_port_is_named(served: Served) -> None:
    served.lab.place = replace(served.lab.place, port=free_port())
    with pytest.raises(PortBlocked, match=str(served.lab.place.port)), reading(served.lab, served.address):
        pass


def test_another_certificate_stops_the_work_before_the_cookie_is_sent(served: Served) -> None:
    asked_before = len(served.lab.sessions.asked_with)
    served.lab.place = replace(served.lab.place, thumbprint_sha256=LabCertificate().thumbprint_sha256)
    with (
        pytest.raises(CertificateChanged, match=served.lab.tls.thumbprint_sha256),
        reading(served.lab, served.address),
    ):
        pass
    assert len(served.lab.sessions.asked_with) == asked_before


def test_a_certificate_that_changes_later_stops_the_work_too(served: Served) -> None:
    with reading(served.lab, served.address) as reader:
        served.lab.tls.renew()
        served.lab.server.cut_connections()
        with pytest.raises(CertificateChanged):
            read_all(reader)


# ---- what cannot be read this way ----------------------------------------------------------------------------


def test_a_delta_is_refused_with_the_reason(served: Served) -> None:
    leaf = served.disk.branch("[lab] web 1/web 1-000001.vmdk")
    with (
        pytest.raises(FileNotReadable, match="its file is a delta"),
        reading(served.lab, served.lab.address(leaf)),
    ):
        pass
    assert not served.lab.addresses_given


def test_a_delta_with_an_innocent_name_is_recognized_by_its_descriptor(served: Served) -> None:
    leaf = served.disk.branch("[lab] web 1/innocent.vmdk")
    disguised = replace(served.lab.address(leaf), is_delta=False)
    with pytest.raises(FileNotReadable, match="its file is a delta"), reading(served.lab, disguised):
        pass


def test_a_disk_on_vsan_is_refused_with_the_reason(tmp_path: Path) -> None:
    with HttpsLab(tmp_path, kind="vsan") as lab:
        served = Served(lab)
        with pytest.raises(FileNotReadable, match="vSAN"), reading(lab, served.address):
            pass


@pytest.mark.parametrize(
    ("extent", "reason"),
    [
        ('RW 16384 VMFS "vsan://52a1-77/"', "vSAN"),
        ('RW 16384 VMFS "vvol://rfc4122.52a1"', "vVol"),
        ('RW 16384 SESPARSE "vm-000001-sesparse.vmdk"', "SESPARSE"),
        ('RW 8192 VMFS "a-flat.vmdk" 0\nRW 8192 VMFS "b-flat.vmdk" 0', "2 extents"),
        ('RW 16384 VMFSRDMP "vm-rdmp.vmdk"', "VMFSRDMP"),
        ('RW 16384 VMFS "../other/vm-flat.vmdk"', "VMFS"),
    ],
)
def test_a_descriptor_says_why_there_is_no_plain_file(extent: str, reason: str) -> None:
    text = f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="vmfs"\n{extent}\n'

    with (
        web(lambda peer: answer(peer, text.encode(), total=len(text))) as (host, files),
        pytest.raises(FileNotReadable, match=reason),
        reading(files, address()),
    ):
        assert host


def test_a_disk_of_another_size_is_refused(served: Served) -> None:
    other = replace(served.address, capacity_bytes=CAPACITY + 512)
    with pytest.raises(DiskSizeDiffers, match=str(CAPACITY)), reading(served.lab, other):
        pass


def test_a_file_that_a_running_vm_holds_is_refused(served: Served) -> None:
    served.lab.locked.add("[lab] web 1/web 1-flat.vmdk")
    with pytest.raises(FileForbidden, match="403") as caught, reading(served.lab, served.address):
        pass
    assert "snapshot" in caught.value.hint


def test_without_a_descriptor_the_file_is_found_by_custom(tmp_path: Path) -> None:
    with HttpsLab(tmp_path) as lab:
        served = Served(lab)
        lab.locked.clear()
        (tmp_path / "ds" / "web 1" / "web 1.vmdk").unlink()
        with reading(lab, served.address) as reader:
            assert read_all(reader) == served.content
    assert lab.addresses_given[-1] == "[lab] web 1/web 1-flat.vmdk"


def source_of(wanted: list[ReadRequest], cancel: CancelToken) -> Iterator[ReadRequest]:
    """Yield requests, and cancel before the third."""
    for index, request in enumerate(wanted):
        if index == 2:
            cancel.cancel()
        yield request


def test_cancelling_stops_between_two_requests(served: Served) -> None:
    cancel = CancelToken()
    with (
        reading(served.lab, served.address, cancel=cancel) as reader,
        pytest.raises(TaskCancelled),
    ):
        list(reader.read_many(source_of(requests(whole(CAPACITY, 4096)), cancel)))


def test_a_datastore_with_a_slash_or_brackets_in_its_name_keeps_it() -> None:
    assert descriptor.sibling("[a/b] disk.vmdk", "disk-flat.vmdk") == "[a/b] disk-flat.vmdk"
    assert descriptor.sibling("[ds [1]] web/disk.vmdk", "x.vmdk") == "[ds [1]] web/x.vmdk"
