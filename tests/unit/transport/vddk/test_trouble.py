"""A library that refuses, aborts, hangs or lies: it never takes the engine along, and every end has words."""

import os
import signal

import psutil
import pytest

from app.core.cancel import CancelToken
from app.domain.errors import DiskAccessFailed, NoTransportAvailable, TaskCancelled
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.paths import program_command
from app.transport.errors import DiskSizeDiffers, ModeNotOffered
from app.transport.vddk.process import VddkProcess
from app.transport.vddk.service import Vddk
from app.transport.vddk.session import VddkFailed, VddkRefused
from tests.support.fakes import RecordingTaskLog
from tests.support.vddk_lab import PASSWORD, VddkLab, other_engine, quick_options, wait_until
from tests.unit.transport.opening import requests, whole
from tests.unit.transport.vddk.test_reading import content_of, read

pytestmark = pytest.mark.outside_tools("gcc")

MIB = 1 << 20


@pytest.mark.parametrize("function", ["InitEx", "ConnectEx", "Open", "GetInfo"])
def test_an_error_while_opening_is_named_with_function_number_and_words(lab: VddkLab, function: str) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("fail", function, 1, hex(0x1234_0000_0000 + 18000))
    with pytest.raises(
        VddkFailed, match=f"VixDiskLib_{function} of the library failed with the number 18000"
    ) as it:
        lab.reader(MIB)
    assert "the host cannot be reached" in it.value.message
    assert "the words of error 18000" in it.value.details


def test_an_unknown_number_is_shown_with_the_librarys_own_words(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("fail", "Open", 1, 24999)
    with pytest.raises(VddkFailed, match="24999: its reason is under the details") as refused:
        lab.reader(MIB)
    assert "the words of error 24999" in refused.value.details


@pytest.mark.parametrize("function", ["InitEx", "ConnectEx", "Open", "GetInfo"])
def test_an_abort_while_opening_ends_only_its_process(lab: VddkLab, function: str) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("abort", function, 1)
    with pytest.raises(VddkFailed, match=rf"ended its process in VixDiskLib_{function} \(signal 6\)") as died:
        lab.reader(MIB)
    assert "PANIC: an assertion" in died.value.details


@pytest.mark.parametrize("function", ["InitEx", "ConnectEx", "Open", "GetInfo"])
def test_a_hang_while_opening_is_ended_and_named(lab: VddkLab, function: str) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("hang", function, 1)
    with pytest.raises(VddkFailed, match=f"VixDiskLib_{function} of the library did not return within 1 s"):
        lab.reader(MIB, options=quick_options(call_s=1.0))
    assert not any(psutil.pid_exists(pid) for pid in lab.processes())


@pytest.mark.parametrize(
    "order",
    [
        ("abort", "Read", 3, "once"),
        ("exit", "Read", 3, "once"),
        ("hang", "Read", 3, "once"),
        ("fail", "Read", 3, 14011, "once"),
    ],
)
def test_a_reader_goes_on_in_a_new_process_with_exact_data(lab: VddkLab, order: tuple[object, ...]) -> None:
    content = content_of(4 * MIB)
    lab.add_disk(content)
    lab.order(*order)
    log = RecordingTaskLog()
    reader = lab.reader(len(content), options=quick_options(call_s=2.0), log=log)
    try:
        assert b"".join(read(reader, whole(len(content), 300_000))) == content
    finally:
        reader.close()
    assert len(lab.processes()) == 2
    assert "was lost" in log.text()
    assert "VixDiskLib_Read" in log.text()


def test_an_error_that_stays_ends_the_reading_at_once(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("fail", "Read", 1, 16012)
    reader = lab.reader(MIB)
    try:
        with pytest.raises(VddkRefused, match="16012: the disk or its snapshots are damaged"):
            read(reader, [Extent(0, MIB)])
    finally:
        reader.close()
    assert len(lab.processes()) == 1


def test_a_library_that_dies_again_and_again_is_given_up(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("abort", "Read", 1)
    reader = lab.reader(MIB)
    try:
        with pytest.raises(DiskAccessFailed, match="given up after 3 attempts"):
            read(reader, [Extent(0, MIB)])
    finally:
        reader.close()
    assert len(lab.processes()) == 3


def test_a_disk_that_ends_early_is_no_data(lab: VddkLab) -> None:
    file = lab.add_disk(content_of(2 * MIB))
    lab.order("capacity", 2 * MIB // 512)
    reader = lab.reader(2 * MIB)
    try:
        with file.open("r+b") as shorter:
            shorter.truncate(MIB)
        with pytest.raises(VddkFailed, match="14005: the disk ended before its size"):
            read(reader, [Extent(MIB - 4096, 8192)])
    finally:
        reader.close()


def test_another_size_than_the_platforms_is_refused(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("capacity", 4096)
    with pytest.raises(DiskSizeDiffers):
        lab.reader(MIB)
    assert lab.functions()[-3:] == ["Close", "Disconnect", "Exit"]


def test_another_transport_than_the_one_asked_for_is_refused(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("mode", "nbd")
    with pytest.raises(ModeNotOffered, match="took the transport nbd instead"):
        lab.reader(MIB)


def test_the_next_mode_follows_on_a_hang_and_on_an_abort(lab: VddkLab) -> None:
    content = content_of(MIB)
    lab.add_disk(content)
    lab.order("abort", "ConnectEx", 1, "once")
    lab.order("hang", "Open", 1, "once")
    log = RecordingTaskLog()
    transports = lab.transports(quick_options(call_s=1.0))
    reader = transports.open_reader(
        lab.access,
        lab.address(MIB),
        preferred=[TransportMode.SAN, TransportMode.HOTADD, TransportMode.NBD_SSL],
        log=log,
        cancel=CancelToken(),
    )
    try:
        (request,) = reader.read_many(requests([Extent(0, MIB)]))
        assert bytes(request.buffer) == content
        assert reader.mode is TransportMode.NBD_SSL
    finally:
        reader.close()
    lines = log.text()
    assert "SAN is not used" in lines
    assert "ended its process in VixDiskLib_ConnectEx" in lines
    assert "HOTADD is not used" in lines
    assert "VixDiskLib_Open of the library did not return" in lines
    assert "is read over NBD_SSL" in lines


def test_a_refused_way_past_the_hosts_says_what_it_needs(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    for name in ("san", "hotadd"):
        lab.order("without", name)
    with pytest.raises(NoTransportAvailable) as caught:
        lab.transports().open_reader(
            lab.access,
            lab.address(MIB),
            preferred=[TransportMode.SAN, TransportMode.HOTADD],
            log=RecordingTaskLog(),
            cancel=CancelToken(),
        )
    assert "SAN needs the datastore's LUNs" in caught.value.message
    assert "inside a VM of the same platform" in caught.value.message


def test_plain_data_does_not_follow_on_a_failed_encrypted_mode(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("without", "nbdssl")
    log = RecordingTaskLog()
    with pytest.raises(NoTransportAvailable):
        lab.transports().open_reader(
            lab.access,
            lab.address(MIB),
            preferred=[TransportMode.NBD_SSL, TransportMode.NBD],
            log=log,
            cancel=CancelToken(),
        )
    assert "ConnectEx 1 snapshot-7 nbd" not in lab.calls()


def test_a_cancel_while_the_library_hangs_ends_its_process(lab: VddkLab) -> None:
    lab.add_disk(content_of(4 * MIB))
    lab.order("hang", "Read", 2)
    cancel = CancelToken()
    reader = lab.reader(4 * MIB, options=quick_options(call_s=1.0), cancel=cancel)
    try:
        stream = reader.read_many(requests(whole(4 * MIB, MIB)))
        next(stream)
        cancel.cancel()
        with pytest.raises(TaskCancelled):
            next(stream)
    finally:
        reader.close()
    assert not any(psutil.pid_exists(pid) for pid in lab.processes())


def test_the_password_is_nowhere_but_in_the_library(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("wait", "Open", 1, lab.root / "go")
    lab.order("say", f"logged in with {PASSWORD}")
    lab.order("fail", "Read", 1, 16012)
    log = RecordingTaskLog()
    seen: list[psutil.Process] = []

    def look() -> bool:
        seen.extend(psutil.Process(pid) for pid in lab.processes())
        for process in seen:
            told = " ".join((*process.cmdline(), *process.environ(), *process.environ().values()))
            assert PASSWORD not in told
        (lab.root / "go").touch()
        return bool(seen)

    class Looking(CancelToken):
        def check(self) -> None:
            look()

    reader = lab.reader(MIB, log=log, cancel=Looking())
    try:
        with pytest.raises(VddkFailed) as refused:
            read(reader, [Extent(0, 512)])
    finally:
        reader.close()
    assert seen
    assert "logged in with …" in refused.value.details
    assert PASSWORD not in log.text() + str(refused.value) + repr(refused.value.params)
    kept = [file.read_bytes() for file in lab.data.rglob("*") if file.is_file()]
    assert kept
    assert not any(PASSWORD.encode() in data for data in kept)


def test_a_wrong_password_is_named_without_it(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    (lab.file.parent / "double.conf").write_text("login\tvc.example.com\t443\tbackup@vsphere.local\tother\tAB\n")
    with pytest.raises(VddkRefused, match="35: the platform did not accept the account") as refused:
        lab.reader(MIB)
    assert "login with … refused" in refused.value.details
    assert PASSWORD not in str(refused.value)
    (lab.file.parent / "violations").unlink()  # the thumbprint of the order is another one, too


def test_the_librarys_process_ends_with_a_killed_engine(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    with other_engine(lab, f"reader = lab.reader({MIB})"):
        (pid,) = lab.processes()
        assert psutil.pid_exists(pid)
    wait_until(lambda: not psutil.pid_exists(pid))
    assert lab.functions()[-3:] == ["Close", "Disconnect", "Exit"]


def test_a_process_that_cannot_be_started_is_a_reason(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.vddk = Vddk([str(lab.root / "no such program")], lab.data, lambda: lab.chosen)
    with pytest.raises(VddkFailed, match="process of the library could not be started"):
        lab.reader(MIB)


def test_a_process_is_killed_where_it_ignores_the_end(lab: VddkLab) -> None:
    process = VddkProcess(program_command("vddk"), str(lab.file), CancelToken())
    os.kill(process.pid, signal.SIGSTOP)
    process.close(cleans_up=False, within_s=0.3)
    assert not psutil.pid_exists(process.pid)
