"""Reading over NFS: a real server, and one that is slow, short, wrong or rude."""

import random
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.access import DiskAddress, NfsFile
from app.core.cancel import CancelToken
from app.core.oncrpc import Procedure
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.transport.chain.layers import ChainUnreadable
from app.transport.errors import (
    DiskSizeDiffers,
    ExportRefused,
    FileNotReadable,
    ModeNotOffered,
    PortBlocked,
    ProtocolViolated,
)
from app.transport.nfs import export
from app.transport.nfs.reader import NfsReader, parent_path
from app.transport.nfs.rpc import RpcConnection
from app.transport.options import TransportOptions
from tests.support.disk_files import descriptor, write_flat, write_sesparse
from tests.support.fakes import NullTaskLog, RecordingTaskLog
from tests.support.ganesha import TOOLS, ganesha
from tests.support.scripted_nfs import EXPORT, ScriptedNfs, Spoil, as_it_is
from tests.unit.transport.opening import options, requests, whole

CAPACITY = 64 * 1024
CONTENT = random.Random(8).randbytes(CAPACITY)
DESCRIPTOR = descriptor(kind="VMFS", extent="web-flat.vmdk", capacity=CAPACITY, cid="11111111").encode()
FILES = {"web/web.vmdk": DESCRIPTOR, "web/web-flat.vmdk": CONTENT}
PATH = "[nas] web/web.vmdk"


@dataclass(frozen=True)
class Known:
    """What the platform says of the datastore."""

    place: NfsFile | None

    def nfs_file(self, vm: VmId, datastore_path: str) -> NfsFile | None:
        return self.place


def place_at(*servers: str, export: str = EXPORT, path: str = "web/web.vmdk") -> NfsFile:
    return NfsFile(servers=servers, export=export, path=path, volumes=frozenset({"nas", "4a2b-11"}))


def disk_of(capacity: int = CAPACITY, *, is_encrypted: bool = False) -> DiskAddress:
    return DiskAddress(
        vm=VmId("vm-1"),
        vm_name="web",
        disk_key=2000,
        path=PATH,
        capacity_bytes=capacity,
        is_encrypted=is_encrypted,
    )


@contextmanager
def reading(
    place: NfsFile | None,
    disk: DiskAddress | None = None,
    *,
    tuned: TransportOptions | None = None,
    log: TaskLog | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[NfsReader]:
    reader = NfsReader(
        Known(place),
        disk or disk_of(),
        options=tuned or options(),
        log=log or NullTaskLog(),
        cancel=cancel or CancelToken(),
    )
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def scripted(monkeypatch: pytest.MonkeyPatch, spoil: Spoil = as_it_is, **more: int) -> Iterator[ScriptedNfs]:
    """Run a server whose port mapper the reader finds."""
    server = ScriptedNfs(FILES, spoil, **more)
    monkeypatch.setattr(export, "PORTMAP_PORT", server.port)
    with server.running():
        yield server


def read_all(reader: NfsReader, step: int = 8192) -> bytes:
    return b"".join(bytes(done.buffer) for done in reader.read_many(requests(whole(reader.capacity_bytes, step))))


# ---- a real server ---------------------------------------------------------------------------------------------


@pytest.mark.outside_tools(*TOOLS)
def test_a_server_that_dies_in_the_middle_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "nas" / "web"
    folder.mkdir(parents=True)
    capacity = 24 << 20
    content = random.Random(9).randbytes(capacity)
    write_flat(folder, "web", content)
    grains = {7: b"\x07" * 4096, 4000: b""}
    write_sesparse(folder, "web-000001", capacity, grains, cid="22222222", parent="11111111", hint="web.vmdk")
    expected = bytearray(content)
    expected[7 * 4096 : 8 * 4096] = b"\x07" * 4096
    expected[4000 * 4096 : 4001 * 4096] = bytes(4096)
    log, found = RecordingTaskLog(), []
    with ganesha(tmp_path / "nas", tmp_path / "work") as server:
        place = place_at(server.host, export=str(server.export), path="web/web-000001.vmdk")
        patient = options(attempts=20, transfer_buffer_bytes=4 << 20)
        with reading(place, disk_of(capacity), log=log, tuned=patient) as reader:
            for number, done in enumerate(reader.read_many(requests(whole(capacity, 1 << 20)))):
                found.append(bytes(done.buffer))
                if number == 4:
                    server.kill()
                    server.start()
    assert b"".join(found) == expected
    assert "transport.connection_lost" in [kind.code for kind in log.kinds()]


@pytest.mark.outside_tools(*TOOLS)
def test_a_file_that_goes_away_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "nas" / "web"
    folder.mkdir(parents=True)
    write_flat(folder, "web", CONTENT)
    with ganesha(tmp_path / "nas", tmp_path / "work") as server:
        place = place_at(server.host, export=str(server.export))
        with reading(place) as reader:
            assert read_all(reader) == CONTENT
            (folder / "web-flat.vmdk").unlink()
            server.kill()  # it held the file open
            server.start()
            with pytest.raises(FileNotReadable, match=r"there is no file web\.vmdk"):
                read_all(reader)


# ---- answers of every kind -------------------------------------------------------------------------------------


def test_replies_in_pieces_and_short_reads_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(procedure: str, count: int, reply: bytes) -> bytes:
        if procedure != "READ" or count % 3:
            return reply
        length = int.from_bytes(reply[32:36], "big")
        kept = max(1, length // 3)
        data = reply[44 : 44 + kept]
        return reply[:32] + struct.pack(">3I", kept, 0, kept) + data + bytes(-kept % 4)

    with scripted(monkeypatch, short) as server:
        server.fragment_bytes = 1000
        with reading(place_at("127.0.0.1")) as reader:
            assert read_all(reader) == CONTENT
            assert read_all(reader, 5000) == CONTENT


def test_what_the_server_wants_to_be_asked_later_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(procedure: str, count: int, reply: bytes) -> bytes:
        if procedure in ("READ", "LOOKUP") and count % 4 == 1:
            return reply[:24] + struct.pack(">2I", 10008, 0)
        return reply

    with scripted(monkeypatch, busy), reading(place_at("127.0.0.1")) as reader:
        assert read_all(reader) == CONTENT


def test_lost_connections_cost_nothing_but_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropping(procedure: str, count: int, reply: bytes) -> bytes | None:
        return None if procedure == "READ" and count % 5 == 3 else reply

    with scripted(monkeypatch, dropping), reading(place_at("127.0.0.1")) as reader:
        assert read_all(reader) == CONTENT


def test_replies_that_came_before_a_send_fails_are_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropping(procedure: str, count: int, reply: bytes) -> bytes | None:
        return None if procedure == "READ" and count % 3 == 2 else reply

    send = RpcConnection.send

    def send_slowly(connection: RpcConnection, procedure: Procedure, arguments: bytes) -> int:
        time.sleep(0.01)  # the server answers twice and hangs up before all is asked
        return send(connection, procedure, arguments)

    monkeypatch.setattr(RpcConnection, "send", send_slowly)
    with scripted(monkeypatch, dropping), reading(place_at("127.0.0.1")) as reader:
        assert read_all(reader) == CONTENT


def test_a_server_that_always_hangs_up_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def rude(procedure: str, count: int, reply: bytes) -> bytes | None:
        return None if procedure == "READ" and count > 3 else reply

    with (
        scripted(monkeypatch, rude),
        reading(place_at("127.0.0.1")) as reader,
        pytest.raises(DiskAccessFailed, match="given up after 3 attempts"),
    ):
        read_all(reader)


def changed(at: int, word: int) -> Spoil:
    """Return what puts another word into every answer to READ of a disk's data."""

    def spoil(procedure: str, count: int, reply: bytes) -> bytes:
        is_data = procedure == "READ" and count > 0
        return reply[:at] + struct.pack(">I", word) + reply[at + 4 :] if is_data else reply

    return spoil


LIES = {
    "another call's number": changed(0, 77),
    "a call instead of a reply": changed(4, 0),
    "more data than asked": changed(32, 1 << 20),
    "counts that differ": changed(40, 1),
    "nothing at all, and no end": changed(32, 0),
    "a word where a boolean is due": changed(36, 9),
}


@pytest.mark.parametrize("lie", LIES, ids=list(LIES))
def test_an_answer_that_breaks_the_protocol_is_never_data(monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    with (
        scripted(monkeypatch, LIES[lie]),
        reading(place_at("127.0.0.1")) as reader,
        pytest.raises(ProtocolViolated),
    ):
        read_all(reader)


@pytest.mark.parametrize("status", [1, 13])
def test_a_server_that_denies_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    def denying(procedure: str, _count: int, reply: bytes) -> bytes:
        return reply[:24] + struct.pack(">I", status) if procedure == "MNT" else reply

    with (
        scripted(monkeypatch, denying),
        pytest.raises(ExportRefused, match="does not give out /export/nas") as refused,
        reading(place_at("127.0.0.1")),
    ):
        pass
    assert "no_root_squash" in refused.value.hint


def test_credentials_that_are_refused_are_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    def rejecting(procedure: str, _count: int, reply: bytes) -> bytes:
        return reply[:8] + struct.pack(">3I", 1, 1, 1) if procedure == "LOOKUP" else reply

    with scripted(monkeypatch, rejecting), pytest.raises(ExportRefused), reading(place_at("127.0.0.1")):
        pass


def test_a_server_without_nfs_3_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unregistered(procedure: str, _count: int, reply: bytes) -> bytes:
        return reply[:24] + bytes(4) if procedure == "GETPORT" else reply

    with (
        scripted(monkeypatch, unregistered),
        pytest.raises(DiskAccessFailed, match=r"127\.0\.0\.1 does not offer NFS 3"),
        reading(place_at("127.0.0.1")),
    ):
        pass


def test_the_next_server_is_asked_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(monkeypatch), reading(place_at("127.0.0.9", "127.0.0.1")) as reader:
        assert read_all(reader) == CONTENT
    with pytest.raises(PortBlocked, match=r"127\.0\.0\.9"), reading(place_at("127.0.0.9")):
        pass


# ---- what is not read like that --------------------------------------------------------------------------------


def test_encrypted_disks_and_other_datastores_are_refused() -> None:
    with pytest.raises(FileNotReadable, match="encrypted"), reading(place_at("x"), disk_of(is_encrypted=True)):
        pass
    with pytest.raises(ModeNotOffered, match="nas is not on an NFS server"), reading(None):
        pass


def test_a_disk_of_another_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(monkeypatch), pytest.raises(DiskSizeDiffers), reading(place_at("127.0.0.1"), disk_of(512)):
        pass


def test_a_cancelled_task_stops_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = CancelToken()
    with scripted(monkeypatch), reading(place_at("127.0.0.1"), cancel=cancel) as reader:
        for number, _ in enumerate(pulled := reader.read_many(requests(whole(CAPACITY, 4096)))):
            if number == 2:
                cancel.cancel()
                break
        with pytest.raises(TaskCancelled):
            list(pulled)


def test_reading_may_stop_early_and_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(monkeypatch), reading(place_at("127.0.0.1")) as reader:
        pulled = reader.read_many(requests(whole(CAPACITY, 4096)))
        next(iter(pulled))
        pulled.close()  # type: ignore[attr-defined]
        assert read_all(reader) == CONTENT
        [done] = reader.read_many(requests([Extent(1000, 77)]))
        assert bytes(done.buffer) == CONTENT[1000:1077]
        assert reader.mode is TransportMode.NFS


# ---- parents ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "path"),
    [
        ("web.vmdk", "web/web.vmdk"),
        ("/vmfs/volumes/4a2b-11/gold/gold.vmdk", "gold/gold.vmdk"),
        ("/vmfs/volumes/nas/gold/gold.vmdk", "gold/gold.vmdk"),
    ],
)
def test_a_parent_is_found_beside_its_child_and_elsewhere_on_the_datastore(hint: str, path: str) -> None:
    assert parent_path(place_at("x"), "web/web-000001.vmdk", hint) == path


@pytest.mark.parametrize(
    "hint", ["", "/vmfs/volumes/other/x.vmdk", "/etc/passwd", "../../x.vmdk", "/vmfs/volumes/nas/../x.vmdk"]
)
def test_a_parent_outside_of_the_datastore_is_refused(hint: str) -> None:
    with pytest.raises(ChainUnreadable):
        parent_path(place_at("x"), "web/web-000001.vmdk", hint)
