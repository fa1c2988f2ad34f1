import struct

import pytest

from app.core.access import AccessMode
from app.simulator.nfc import NfcOptions
from app.simulator.storage import DiskInUse, SimDisk
from tests.support.logguard import LogGuard
from tests.support.nfc_lab import NfcLab
from tests.support.waiting import wait_until
from tests.unit.simulator.nfc.client import GONE, ErrorAnswer, NfcClient
from tests.unit.simulator.nfc.conftest import Connect

MIB = 1 << 20
PATH = "[lab] web/web.vmdk"
READ_WRITE = 0x1A


def test_opening_tells_capacity_and_geometry(disk: SimDisk, connect: Connect) -> None:
    client = connect()
    client.open_session()
    name = PATH.encode()
    answer = client.call(4, struct.pack("<6I", len(name), 0, 0, 0, 2, 0x1E) + bytes(36), name)
    handle, kind, flags = struct.unpack_from("<QII", answer, 8)
    assert (handle > 0, kind, flags) == (True, 2, 0x1E)
    assert struct.unpack_from("<Q", answer, 28)[0] == 16 * MIB
    assert struct.unpack_from("<4I", answer, 36) == (512, 16, 64, 32)


@pytest.mark.parametrize("buffer", [(65536, 1), (2 * MIB, 1), (2 * MIB, 4)])
def test_buffers_that_esxi_takes_are_taken(disk: SimDisk, connect: Connect, buffer: tuple[int, int]) -> None:
    client = connect()
    client.open_session(*buffer)
    assert client.read(client.open_file(PATH), 0, 4 * MIB) == bytes(4 * MIB)


@pytest.mark.parametrize("buffer", [(16 * MIB, 1), (0, 1), (1000, 1), (65536, 0)])
def test_other_buffers_are_refused_and_a_better_wish_is_heard(
    disk: SimDisk, connect: Connect, buffer: tuple[int, int]
) -> None:
    client = connect()
    with pytest.raises(ErrorAnswer):
        client.open_session(*buffer)
    client.open_session()
    assert client.open_file(PATH)


def test_all_sessions_of_a_host_share_its_buffer_memory(lab: NfcLab, disk: SimDisk, connect: Connect) -> None:
    clients = [connect() for _ in range(13)]
    for client in clients[:12]:
        client.open_session(2 * MIB, 4)
    with pytest.raises(ErrorAnswer):
        clients[12].open_session(2 * MIB, 4)
    clients[0].close_session()
    wait_until(lambda: lab.server.open_connections == 12)
    clients[12].open_session(2 * MIB, 4)


def test_sockets_and_pools_can_be_set(connect: Connect) -> None:
    client = connect()
    client.open_session()
    send, receive, _ = struct.unpack("<3I", client.call(9, bytes(12)))
    assert send > 0
    assert receive > 0
    client.call(22, struct.pack("<I", 1))


def test_the_disk_data_base_can_be_asked(disk: SimDisk, connect: Connect) -> None:
    client = connect()
    client.open_session()
    disk.branch("[lab] web/web-000001.vmdk")
    handle = client.open_file("[lab] web/web-000001.vmdk")
    assert client.ddb(handle, "adapterType") == "lsilogic"
    assert client.ddb(handle, "uuid") == disk.descriptor.ddb["uuid"]
    assert client.ddb(handle, "geometry.heads") == "64"
    assert client.ddb(handle, "geometry.biosCylinders") is None


def test_allocated_chunks_come_as_bits(disk: SimDisk, connect: Connect) -> None:
    disk.write(65536 * 3, b"x")
    disk.write(65536 * 9, b"x" * 65536 * 2)
    client = connect()
    client.open_session()
    handle = client.open_file(PATH)
    bits = client.allocated(handle, 65536, 0, 33)
    assert [index for index, bit in enumerate(bits) if bit] == [3, 9, 10]
    assert client.allocated(handle, 65536 * 4, 65536 * 8, 2) == [True, False]
    assert client.allocated(handle, 4096, 65536 * 3, 20) == [True] * 16 + [False] * 4


@pytest.mark.parametrize(
    ("chunk", "start", "count"), [(0, 0, 1), (65536, 512, 1), (1000, 0, 1), (65536, 0, 0), (65536, 0, 300)]
)
def test_allocated_ranges_must_be_whole_chunks_of_the_disk(
    disk: SimDisk, connect: Connect, chunk: int, start: int, count: int
) -> None:
    client = connect()
    client.open_session()
    handle = client.open_file(PATH)
    with pytest.raises(ErrorAnswer):
        client.allocated(handle, chunk, start, count)
    assert client.read(handle, 0, 512) == bytes(512)


# ---- who may open what ----------------------------------------------------------------------------------------


def test_a_read_ticket_is_refused_for_writing_with_code_0x0b(disk: SimDisk, connect: Connect) -> None:
    client = connect()
    client.open_session()
    with pytest.raises(ErrorAnswer) as refused:
        client.open_file(PATH, READ_WRITE)
    assert refused.value.code == 0x0B
    assert client.open_file(PATH)


def test_a_file_that_is_open_for_reading_cannot_be_written(disk: SimDisk, connect: Connect) -> None:
    client = connect(writable=True)
    client.open_session()
    handle = client.open_file(PATH)
    with pytest.raises(ErrorAnswer) as refused:
        client.write(handle, 0, b"x" * 512)
    assert refused.value.code == 0x0B
    assert disk.read(0, 1) == b"\0"
    assert client.read(handle, 0, 512) == bytes(512)


def test_a_locked_leaf_is_refused_and_its_frozen_parent_opens(
    lab: NfcLab, disk: SimDisk, connect: Connect
) -> None:
    leaf = disk.branch("[lab] web/web-000001.vmdk")
    lab.locked.add(str(leaf.path))
    client = connect()
    client.open_session()
    with pytest.raises(ErrorAnswer) as refused:
        client.open_file(str(leaf.path))
    assert refused.value.code == 0x04
    assert client.open_file(PATH)


def test_a_frozen_disk_is_not_opened_for_writing(disk: SimDisk, connect: Connect) -> None:
    disk.branch("[lab] web/web-000001.vmdk")
    client = connect(writable=True)
    client.open_session()
    with pytest.raises(ErrorAnswer) as refused:
        client.open_file(PATH, READ_WRITE)
    assert refused.value.code == 0x04


@pytest.mark.parametrize(
    ("path", "code"), [("[lab] web/nothing.vmdk", 3), ("[lab] ../web.vmdk", 2), ("web.vmdk", 2), ("", 2)]
)
def test_paths_that_lead_nowhere_are_refused(disk: SimDisk, connect: Connect, path: str, code: int) -> None:
    client = connect()
    client.open_session()
    with pytest.raises(ErrorAnswer) as refused:
        client.open_file(path)
    assert refused.value.code == code


def test_a_ticket_of_another_vm_opens_nothing(lab: NfcLab, disk: SimDisk) -> None:
    session_id = lab.tickets.issue("vm-2", None, writable=False)
    with NfcClient(lab.port, session_id, "vpxa-nfc") as client:
        client.open_session()
        with pytest.raises(ErrorAnswer) as refused:
            client.open_file(PATH)
        assert refused.value.code == 0x0B


# ---- pins and ends --------------------------------------------------------------------------------------------


def test_an_open_disk_is_not_consolidated_until_it_is_closed(disk: SimDisk, connect: Connect) -> None:
    child = disk.branch("[lab] web/web-000001.vmdk")
    client = connect()
    client.open_session()
    handle = client.open_file(PATH)
    with pytest.raises(DiskInUse):
        child.merge_into_parent(wait_s=0.01)
    client.close_file(handle)
    child.merge_into_parent(wait_s=0)


def test_a_closed_session_has_closed_its_files(lab: NfcLab, disk: SimDisk, connect: Connect) -> None:
    client = connect()
    client.open_session()
    client.open_file(PATH)
    pinned_before = disk.is_pinned
    client.close_session()
    assert (pinned_before, disk.is_pinned) == (True, False)
    wait_until(lambda: lab.server.open_connections == 0)


@pytest.mark.parametrize("secured", [False, True])
def test_a_client_that_vanishes_lets_go_of_the_disk(
    lab: NfcLab, disk: SimDisk, connect: Connect, secured: bool
) -> None:
    client = connect(secured=secured)
    client.open_session()
    handle = client.open_file(PATH)
    client.request_read(handle, 0, 8 * MIB)
    client.connection.close()
    wait_until(lambda: not disk.is_pinned)
    wait_until(lambda: lab.server.open_connections == 0)


def test_a_closed_handle_is_closed(disk: SimDisk, connect: Connect) -> None:
    client = connect()
    client.open_session()
    handle = client.open_file(PATH)
    client.close_file(handle)
    for action in (
        lambda: client.close_file(handle),
        lambda: client.read(handle, 0, 512),
        lambda: client.ddb(handle, "uuid"),
    ):
        with pytest.raises(ErrorAnswer):
            action()


def test_too_many_open_files_are_refused(disk: SimDisk, connect: Connect) -> None:
    client = connect()
    client.open_session()
    handles = [client.open_file(PATH) for _ in range(16)]
    with pytest.raises(ErrorAnswer):
        client.open_file(PATH)
    client.close_file(handles[0])
    assert client.open_file(PATH) not in handles


# ---- what is no NFC -------------------------------------------------------------------------------------------


def test_an_unknown_request_is_answered_with_an_error(connect: Connect) -> None:
    client = connect()
    with pytest.raises(ErrorAnswer):
        client.call(99, b"")
    client.open_session()


@pytest.mark.parametrize(
    "garbage",
    [
        struct.pack("<4I", 0xDEADBEEF, 2, 16, 0),
        struct.pack("<4I", 0xA100DA7A, 2, 1 << 30, 0),
        struct.pack("<4I", 0xA100DA7A, 2, 3, 0) + b"abc",
        struct.pack("<4I", 0xA100DA7A, 7, 8, 0) + bytes(8),
        struct.pack("<4I", 0xA100DA7A, 4, 60, 0) + struct.pack("<6I", 1 << 30, 0, 0, 0, 2, 0x1E) + bytes(36),
    ],
)
def test_bytes_that_are_no_nfc_end_the_connection(
    lab: NfcLab, connect: Connect, log_guard: LogGuard, garbage: bytes
) -> None:
    log_guard.expect("does not speak NFC")
    client = connect()
    client.connection.sendall(garbage)
    with pytest.raises(GONE):
        client.answer()
    wait_until(lambda: lab.server.open_connections == 0)


def test_a_session_that_begins_in_the_middle_is_ended(lab: NfcLab, log_guard: LogGuard) -> None:
    log_guard.expect("message 52 instead of 43")
    ticket = lab.issue_ticket()
    client = NfcClient(ticket.port, ticket.session_id, ticket.service)
    client.classic(52)
    with pytest.raises(GONE):
        client.classic_answer()
    client.connection.close()


def test_a_bare_esxi_has_its_own_service_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    with NfcLab(tmp_path_factory.mktemp("esxi"), options=NfcOptions(service="nfc")) as lab:
        lab.add_disk("web/web.vmdk", MIB)
        ticket = lab.issue_ticket(AccessMode.READ)
        assert ticket.service == "nfc"
        with NfcClient(ticket.port, ticket.session_id, ticket.service, secured=True) as client:
            client.open_session()
            assert client.open_file(PATH)
