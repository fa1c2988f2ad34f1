"""Reading disks as datastore files over HTTPS from the simulator's server, and from servers that lie."""

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.access import DatastoreFiles, DiskAddress, HttpsFile
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.tasklog import TaskLog
from app.domain.errors import CertificateChanged, DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.transport import descriptor
from app.transport.errors import (
    DiskSizeDiffers,
    FileForbidden,
    FileNotReadable,
    PortBlocked,
    ProtocolViolated,
    SessionRefused,
)
from app.transport.https import HttpsReader
from app.transport.options import TransportOptions
from tests.support.fakes import NullTaskLog, RecordingTaskLog
from tests.support.nfc_lab import LabCertificate
from tests.support.waiting import free_port
from tests.unit.transport.https_lab import HttpsLab
from tests.unit.transport.opening import options, requests, whole
from tests.unit.transport.scripted import CAPACITY as SCRIPTED_CAPACITY
from tests.unit.transport.scripted import Peer, ScriptedHost, address, pattern

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


@contextmanager
def reading(
    files: DatastoreFiles,
    disk: DiskAddress,
    *,
    tuned: TransportOptions | None = None,
    log: TaskLog | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[HttpsReader]:
    """Open a disk, and close it."""
    reader = HttpsReader(
        files, disk, options=tuned or options(), log=log or NullTaskLog(), cancel=cancel or CancelToken()
    )
    try:
        yield reader
    finally:
        reader.close()


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
    with pytest.raises(FileNotReadable, match="snapshot's delta"), reading(served.lab, served.lab.address(leaf)):
        pass
    assert not served.lab.addresses_given


def test_a_delta_with_an_innocent_name_is_recognized_by_its_descriptor(served: Served) -> None:
    leaf = served.disk.branch("[lab] web 1/innocent.vmdk")
    disguised = replace(served.lab.address(leaf), is_delta=False)
    with pytest.raises(FileNotReadable, match="snapshot's delta"), reading(served.lab, disguised):
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


# ---- servers that lie ----------------------------------------------------------------------------------------


@contextmanager
def web(*scripts: Callable[[Peer], None]) -> Iterator[tuple[ScriptedHost, DatastoreFiles]]:
    """Serve scripts inside TLS."""

    def secured(script: Callable[[Peer], None]) -> Callable[[Peer], None]:
        def run(peer: Peer) -> None:
            peer.start_tls()
            script(peer)

        return run

    with ScriptedHost(*(secured(script) for script in scripts)) as host:

        class Files:
            def https_file(self, datastore_path: str) -> HttpsFile:
                return HttpsFile(
                    host="127.0.0.1",
                    port=host.port,
                    target="/folder/vm/x.vmdk",
                    cookie="a=b",
                    thumbprint_sha256=host.certificate.thumbprint_sha256,
                )

        yield host, Files()


def next_range(peer: Peer) -> tuple[int, int]:
    """Receive a request, and return its range."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.receive(1)
    first, last = head.partition(b"bytes=")[2].partition(b"\r")[0].split(b"-")
    return int(first), int(last)


def answer(peer: Peer, data: bytes, *, first: int = 0, total: int = SCRIPTED_CAPACITY, more: str = "") -> None:
    """Receive a request, and answer it with some bytes."""
    next_range(peer)
    peer.send(
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{first + len(data) - 1}/{total}\r\n"
        f"Content-Length: {len(data)}\r\n{more}\r\n".encode()
        + data
    )
    peer.wait_for_end()


def no_descriptor(peer: Peer) -> None:
    """Have no descriptor: by custom, the data is in the -flat file."""
    next_range(peer)
    peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    peer.wait_for_end()


def honest_probe(peer: Peer) -> None:
    """Answer the question for the first byte, and end the connection."""
    answer(peer, b"\0", more="Connection: close\r\n")


def test_without_a_descriptor_the_file_is_found_by_custom(tmp_path: Path) -> None:
    with HttpsLab(tmp_path) as lab:
        served = Served(lab)
        lab.locked.clear()
        (tmp_path / "ds" / "web 1" / "web 1.vmdk").unlink()
        with reading(lab, served.address) as reader:
            assert read_all(reader) == served.content
    assert lab.addresses_given[-1] == "[lab] web 1/web 1-flat.vmdk"


def whole_file(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789")


def no_http(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"220 ready\r\n\r\n")
    peer.wait_for_end()


def endless_head(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 206 Partial Content\r\n")
    for _ in range(10_000):
        peer.send(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def chunked(peer: Peer) -> None:
    answer(peer, b"\0", more="Transfer-Encoding: chunked\r\n")


def packed(peer: Peer) -> None:
    answer(peer, b"\0", more="Content-Encoding: gzip\r\n")


def no_range(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\n0")
    peer.wait_for_end()


def another_range(peer: Peer) -> None:
    answer(peer, b"\0", first=512)


def larger_range(peer: Peer) -> None:
    answer(peer, bytes(4096))


def two_lengths(peer: Peer) -> None:
    answer(peer, b"\0", more="Content-Length: 5\r\n")


def range_beyond_the_file(peer: Peer) -> None:
    answer(peer, b"\0", total=0)


def sent_elsewhere(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n")
    peer.wait_for_end()


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (whole_file, FileNotReadable),
        (sent_elsewhere, FileNotReadable),
        (no_http, ProtocolViolated),
        (endless_head, ProtocolViolated),
        (chunked, ProtocolViolated),
        (packed, ProtocolViolated),
        (no_range, ProtocolViolated),
        (another_range, ProtocolViolated),
        (larger_range, ProtocolViolated),
        (two_lengths, ProtocolViolated),
        (range_beyond_the_file, ProtocolViolated),
    ],
)
def test_a_wrong_answer_is_a_clear_error(lie: Callable[[Peer], None], error: type[Exception]) -> None:
    with web(no_descriptor, lie) as (_, files), pytest.raises(error), reading(files, address()):
        pass


def test_a_shorter_range_than_asked_is_a_clear_error() -> None:
    with (
        web(no_descriptor, honest_probe, lambda peer: answer(peer, bytes(512))) as (_, files),
        reading(files, address()) as reader,
        pytest.raises(ProtocolViolated, match="512 bytes of a file of"),
    ):
        next(reader.read_many(requests([Extent(0, 1024)])))


def test_a_body_that_ends_early_is_asked_for_from_there_on() -> None:
    asked: list[tuple[int, int]] = []

    def half(peer: Peer) -> None:
        first, last = next_range(peer)
        asked.append((first, last))
        head = f"HTTP/1.1 206 P\r\nContent-Range: bytes {first}-{last}/{SCRIPTED_CAPACITY}\r\n"
        peer.send(
            f"{head}Content-Length: {last - first + 1}\r\n\r\n".encode() + pattern(4096)[first : first + 1000]
        )

    with (
        web(no_descriptor, honest_probe, half) as (_, files),
        reading(files, address(), tuned=options(attempts=9)) as reader,
    ):
        (request,) = reader.read_many(requests([Extent(0, 4096)]))
    assert bytes(request.buffer) == pattern(4096)
    assert asked == [(0, 4095), (1000, 4095), (2000, 4095), (3000, 4095), (4000, 4095)]


def test_a_busy_server_is_asked_again() -> None:
    def busy(peer: Peer) -> None:
        next_range(peer)
        peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        peer.wait_for_end()

    log = RecordingTaskLog()
    with web(no_descriptor, busy, honest_probe) as (_, files), reading(files, address(), log=log):
        pass
    assert "503" in log.text()


def test_a_silent_server_does_not_keep_a_task_from_being_stopped() -> None:
    cancel = CancelToken()
    reached = threading.Event()

    def silent(peer: Peer) -> None:
        next_range(peer)
        reached.set()
        peer.wait_for_end()

    def stop_when_silent() -> None:
        reached.wait(10)
        cancel.cancel()

    stopper = threading.Thread(target=stop_when_silent)
    stopper.start()
    with (
        web(no_descriptor, honest_probe, silent) as (_, files),
        pytest.raises(TaskCancelled),
        reading(files, address(), tuned=options(answer_timeout_s=30), cancel=cancel) as reader,
    ):
        next(reader.read_many(requests([Extent(0, 4096)])))
    stopper.join()


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


def head_drop_by_drop(peer: Peer) -> None:
    next_range(peer)
    peer.send(b"HTTP/1.1 206 Partial Content\r\nX: ")
    while True:
        time.sleep(0.05)
        peer.send(b"y")


def body_drop_by_drop(peer: Peer) -> None:
    first, last = next_range(peer)
    size = last - first + 1
    head = f"Content-Range: bytes {first}-{last}/{SCRIPTED_CAPACITY}\r\nContent-Length: {size}\r\n"
    peer.send(f"HTTP/1.1 206 Partial Content\r\n{head}\r\n".encode())
    while True:
        time.sleep(0.05)
        peer.send(b"\0")


@pytest.mark.parametrize("trickle", [head_drop_by_drop, body_drop_by_drop])
def test_an_answer_drop_by_drop_is_given_up(trickle: Callable[[Peer], None]) -> None:
    begun = time.monotonic()
    with (
        web(no_descriptor, honest_probe, trickle) as (_, files),
        pytest.raises(DiskAccessFailed),
        reading(files, address(), tuned=options(answer_timeout_s=0.5, attempts=1)) as reader,
    ):
        list(reader.read_many(requests([Extent(0, 4096)])))
    assert time.monotonic() - begun < 15


def test_a_datastore_with_a_slash_or_brackets_in_its_name_keeps_it() -> None:
    assert descriptor.sibling("[a/b] disk.vmdk", "disk-flat.vmdk") == "[a/b] disk-flat.vmdk"
    assert descriptor.sibling("[ds [1]] web/disk.vmdk", "x.vmdk") == "[ds [1]] web/x.vmdk"
