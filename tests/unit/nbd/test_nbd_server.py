"""The NBD server in the eyes of other programs: nbdinfo, nbdcopy, qemu-img, and clients that misbehave."""

import json
import os
import random
import socket
import stat
import struct
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.core.disks import ReadRequest
from app.domain.errors import DiskAccessFailed
from app.domain.extents import Extent, intersect, total_bytes
from app.domain.states import TransportMode
from app.nbd.errors import NbdPortUnavailable
from app.nbd.exports import Export
from app.nbd.server import NbdServer
from tests.support.logguard import LogGuard

MIB = 1024 * 1024
CAPACITY = 9 * MIB + 512
DATA = [Extent(0, MIB), Extent(4 * MIB, 2 * MIB), Extent(9 * MIB, 512)]


class FileDisk:
    """A disk over a raw file, with the holes it is given."""

    def __init__(self, file: Path, data: list[Extent], broken_at: int | None = None) -> None:
        self._file = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        self._data = data
        self._broken_at = broken_at
        self.capacity_bytes = file.stat().st_size
        self.mode = TransportMode.LOCAL
        self.window = 1

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        for request in requests:
            end = request.offset + len(request.buffer)
            if self._broken_at is not None and request.offset <= self._broken_at < end:
                raise DiskAccessFailed(path="disk", operation="read", mode="LOCAL", detail="bad sector")
            with self._lock:  # Windows has no pread
                os.lseek(self._file, request.offset, os.SEEK_SET)
                request.buffer[:] = os.read(self._file, len(request.buffer))
            yield request

    def allocated_extents(self) -> list[Extent] | None:
        return self._data

    def close(self) -> None:
        os.close(self._file)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    file = tmp_path / "disk.raw"
    content = bytearray(CAPACITY)
    chance = random.Random(7)
    for extent in DATA:
        content[extent.start : extent.end] = chance.randbytes(extent.length_bytes)
    file.write_bytes(content)
    return file


@pytest.fixture
def server(disk: Path) -> Iterator[NbdServer]:
    export = Export("web-01/2000", "web-01, Hard disk 1", lambda: FileDisk(disk, DATA))
    with NbdServer([export]) as running:
        yield running


def run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.outside_tools("nbdinfo")
def test_nbdinfo_understands_what_is_offered(server: NbdServer) -> None:
    about = json.loads(run("nbdinfo", "--json", server.address("web-01/2000")))["exports"][0]
    assert about["export-size"] == CAPACITY
    assert about["is_read_only"]
    assert about["can_multi_conn"]
    assert about["contexts"] == ["base:allocation"]
    assert (
        json.loads(run("nbdinfo", "--json", "--list", server.address()))["exports"][0]["export-name"]
        == "web-01/2000"
    )


@pytest.mark.outside_tools("nbdinfo")
def test_nbdinfo_sees_data_and_holes_where_they_are(server: NbdServer) -> None:
    ranges = json.loads(run("nbdinfo", "--json", "--map", server.address("web-01/2000")))
    data = [Extent(block["offset"], block["length"]) for block in ranges if block["type"] == 0]
    holes = [Extent(block["offset"], block["length"]) for block in ranges if block["type"] == 3]
    assert data == DATA
    assert total_bytes(data) + total_bytes(holes) == CAPACITY


@pytest.mark.outside_tools("nbdcopy")
def test_nbdcopy_copies_every_byte_over_several_connections(server: NbdServer, disk: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.raw"
    run("nbdcopy", "--connections=4", "--requests=16", server.address("web-01/2000"), str(target))
    assert target.read_bytes() == disk.read_bytes()


@pytest.mark.qemu
def test_qemu_img_finds_it_identical(server: NbdServer, disk: Path) -> None:
    export = server.address("web-01/2000")
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", "raw", str(disk), export)


@pytest.mark.qemu
def test_nothing_can_be_written(server: NbdServer, disk: Path) -> None:
    before = disk.read_bytes()
    command = ["qemu-io", "-f", "raw", "-c", "write 0 512", server.address("web-01/2000")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode != 0
    assert "Permission denied" in result.stderr
    assert disk.read_bytes() == before


def connect(server: NbdServer) -> socket.socket:
    if server.socket_path is None:
        return socket.create_connection(("127.0.0.1", server.port), timeout=10)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(server.socket_path))
    return client


def only_name(server: NbdServer) -> bytes:
    """Return what a client asks for that wants the only export: over TCP, as on Windows, names are secret."""
    (name,) = server.export_names
    return b"" if server.socket_path is not None else name.encode()


def shake_hands(server: NbdServer, option: int = 1, data: bytes | None = None) -> socket.socket:
    data = only_name(server) if data is None else data
    client = connect(server)
    assert client.recv(18, socket.MSG_WAITALL)[:8] == b"NBDMAGIC"
    client.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", option, len(data)) + data)
    return client


def test_an_old_client_without_structured_replies_reads_too(server: NbdServer, disk: Path) -> None:
    with shake_hands(server) as client:
        size, _flags = struct.unpack(">QH", client.recv(10, socket.MSG_WAITALL))
        assert size == CAPACITY
        client.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, 77, MIB - 512, 1024))
        magic, error, cookie = struct.unpack(">IIQ", client.recv(16, socket.MSG_WAITALL))
        assert (magic, error, cookie) == (0x67446698, 0, 77)
        assert received(client, 1024) == disk.read_bytes()[MIB - 512 : MIB + 512]


def request(cookie: int, kind: int, offset: int, length: int) -> bytes:
    return struct.pack(">IHHQQI", 0x25609513, 0, kind, cookie, offset, length)


def simple_replies(client: socket.socket, lengths: dict[int, int]) -> dict[int, tuple[int, bytes]]:
    """Return the error and the data of each reply; ``lengths`` says how much follows where there is no error."""
    found: dict[int, tuple[int, bytes]] = {}
    for _ in lengths:
        magic, error, cookie = struct.unpack(">IIQ", client.recv(16, socket.MSG_WAITALL))
        assert magic == 0x67446698
        found[cookie] = error, b"" if error else received(client, lengths[cookie])
    return found


def test_requests_that_come_together_are_answered_one_by_one(server: NbdServer, disk: Path) -> None:
    """More than may be in work, among them writes with their data, which look like requests, and one too far."""
    content, chance = disk.read_bytes(), random.Random(11)
    places = {cookie: chance.randrange(CAPACITY - 4096) for cookie in range(50)}
    sent = b""
    for cookie, place in places.items():
        sent += request(cookie, 0, place, 4096)
        if cookie % 7 == 0:
            sent += request(1000 + cookie, 1, 0, 56) + request(1, 0, 0, 1) * 2
        if cookie == 20:
            sent += request(2000, 0, CAPACITY, 4096)
    refused = [2000, *(1000 + cookie for cookie in places if cookie % 7 == 0)]
    with shake_hands(server) as client:
        client.recv(10, socket.MSG_WAITALL)
        client.sendall(sent + request(0, 2, 0, 0))
        found = simple_replies(client, dict.fromkeys([*places, *refused], 4096))
        assert client.recv(1) == b""
    assert {cookie: found[cookie][0] for cookie in refused} == {2000: 22} | dict.fromkeys(refused[1:], 1)
    for cookie, place in places.items():
        assert found[cookie] == (0, content[place : place + 4096])


def test_one_bad_sector_fails_only_its_own_read_of_those_that_come_together(
    disk: Path, log_guard: LogGuard
) -> None:
    log_guard.expect("a read for an NBD client failed: disk could not be read over LOCAL: bad sector")
    content = disk.read_bytes()
    with (
        NbdServer([Export("bad", "", lambda: FileDisk(disk, DATA, broken_at=5 * MIB))]) as server,
        shake_hands(server) as client,
    ):
        client.recv(10, socket.MSG_WAITALL)
        places = {cookie: 5 * MIB + (cookie - 6) * 4096 for cookie in range(12)}
        client.sendall(b"".join(request(cookie, 0, place, 4096) for cookie, place in places.items()))
        found = simple_replies(client, dict.fromkeys(places, 4096))
    assert found.pop(6) == (5, b"")
    assert found == {cookie: (0, content[place : place + 4096]) for cookie, place in places.items() if cookie != 6}


@pytest.mark.parametrize(
    ("offset", "length"), [(0, CAPACITY), (MIB - 10, 20), (MIB, 512), (6 * MIB - 1, 4 * MIB), (5, 1)]
)
def test_a_part_of_a_disk_divides_into_data_and_holes(disk: Path, offset: int, length: int) -> None:
    export = Export("disk", "", lambda: FileDisk(disk, DATA))
    found = export.ranges(offset, length)
    export.close()
    assert [part.extent for part in found if not part.is_hole] == intersect(DATA, [Extent(offset, length)])
    assert found[0].extent.start == offset
    assert [part.extent.end for part in found] == [*(part.extent.start for part in found[1:]), offset + length]
    assert export.is_data(offset, length) is (not any(part.is_hole for part in found))


@pytest.mark.parametrize(
    ("kind", "offset", "length", "errno"),
    [
        (0, CAPACITY, 1, 22),
        (0, 0, 0, 22),
        (0, 0, 33 * MIB, 75),
        (4, 0, 512, 1),
        (99, 0, 512, 22),
        (0, 2**63, 1, 22),
    ],
)
def test_impossible_requests_are_refused_and_the_connection_goes_on(
    server: NbdServer, kind: int, offset: int, length: int, errno: int
) -> None:
    with shake_hands(server) as client:
        client.recv(10, socket.MSG_WAITALL)
        for _ in range(2):
            client.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 5, offset, length))
            assert struct.unpack(">IIQ", client.recv(16, socket.MSG_WAITALL))[1] == errno


@pytest.mark.parametrize(
    "rubbish",
    [b"\0" * 64, b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 7, 1 << 31)],
)
def test_rubbish_ends_only_its_own_connection(server: NbdServer, rubbish: bytes) -> None:
    with connect(server) as client:
        client.recv(18, socket.MSG_WAITALL)
        client.sendall(rubbish)
        with suppress(ConnectionResetError):  # over TCP, when the server had not read all of it
            assert client.recv(64) == b""
    with shake_hands(server) as client:
        assert len(client.recv(10, socket.MSG_WAITALL)) == 10


def test_an_export_that_is_not_there_is_named_unknown(disk: Path) -> None:
    exports = [Export(name, "", lambda: FileDisk(disk, DATA)) for name in ("one", "two")]
    with NbdServer(exports) as server, shake_hands(server, 7, struct.pack(">I", 5) + b"three\0\0") as client:
        _magic, _option, reply, _length = struct.unpack(">QIII", client.recv(20, socket.MSG_WAITALL))
        assert reply == (1 << 31) + 6


@pytest.mark.outside_tools("nbdcopy")
def test_a_disk_that_cannot_be_read_fails_the_read_and_nothing_else(
    disk: Path, tmp_path: Path, log_guard: LogGuard
) -> None:
    log_guard.expect("a read for an NBD client failed: disk could not be read over LOCAL: bad sector")
    with NbdServer([Export("bad", "", lambda: FileDisk(disk, DATA, broken_at=5 * MIB))]) as server:
        result = subprocess.run(
            ["nbdcopy", server.address("bad"), str(tmp_path / "copy.raw")],
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert result.returncode != 0
        test_an_old_client_without_structured_replies_reads_too(server, disk)


def test_a_port_in_use_is_named(disk: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = NbdServer([Export("one", "", lambda: FileDisk(disk, DATA))], port=port)
        with pytest.raises(NbdPortUnavailable, match=str(port)):
            server.start()


def test_stopping_ends_connections_that_are_open(disk: Path) -> None:
    server = NbdServer([Export("one", "", lambda: FileDisk(disk, DATA))])
    server.start()
    path = server.socket_path
    client = shake_hands(server)
    client.recv(10, socket.MSG_WAITALL)
    server.stop()
    assert client.recv(1) == b""
    client.close()
    assert path is None or not path.parent.exists()


def tcp_server(disk: Path) -> NbdServer:
    return NbdServer([Export("web-01/2000", "web-01, Hard disk 1", lambda: FileDisk(disk, DATA))], tcp=True)


def reply_to(server: NbdServer, option: int, data: bytes = b"") -> int:
    with shake_hands(server, option, data) as client:
        _magic, _option, reply, _length = struct.unpack(">QIII", client.recv(20, socket.MSG_WAITALL))
        return int(reply)


@pytest.mark.skipif(os.name == "nt", reason="no Unix sockets")
def test_the_socket_is_in_a_folder_that_only_its_user_can_enter(server: NbdServer) -> None:
    assert server.port == 0
    assert server.socket_path is not None
    folder = server.socket_path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket_path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="no Unix sockets")
def test_a_long_folder_for_temporary_files_is_passed_over(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with NbdServer([Export("one", "", lambda: FileDisk(disk, DATA))]) as server, connect(server) as client:
        assert client.recv(8, socket.MSG_WAITALL) == b"NBDMAGIC"


def test_over_tcp_the_name_of_an_export_is_a_secret(disk: Path) -> None:
    with tcp_server(disk) as first, tcp_server(disk) as second:
        names = [server.address("web-01/2000").rpartition("/")[2] for server in (first, second)]
        assert all(len(bytes.fromhex(name)) == 16 for name in names)
        assert names[0] != names[1]


@pytest.mark.parametrize("name", [b"", b"web-01/2000", b"0" * 32])
def test_over_tcp_nothing_opens_without_the_secret(disk: Path, name: bytes) -> None:
    with tcp_server(disk) as server:
        asked = struct.pack(">I", len(name)) + name + b"\0\0"
        for option in (6, 7):
            assert reply_to(server, option, asked) == (1 << 31) + 6
        with shake_hands(server, 1, name) as client:
            assert client.recv(1) == b""


def test_over_tcp_exports_are_not_listed(disk: Path) -> None:
    with tcp_server(disk) as server:
        assert reply_to(server, 3) == (1 << 31) + 2


@pytest.mark.outside_tools("nbdcopy")
def test_over_tcp_who_knows_the_address_can_copy(disk: Path, tmp_path: Path) -> None:
    with tcp_server(disk) as server:
        run("nbdcopy", server.address("web-01/2000"), str(tmp_path / "copy.raw"))
        run("nbdcopy", server.address("web-01/2000"), str(tmp_path / "again.raw"))
    assert (tmp_path / "copy.raw").read_bytes() == (tmp_path / "again.raw").read_bytes() == disk.read_bytes()


def received(client: socket.socket, length: int) -> bytes:
    """Receive so many bytes: a socket with a time limit returns what is there, also with ``MSG_WAITALL``."""
    data = b""
    while len(data) < length and (part := client.recv(length - len(data))):
        data += part
    assert len(data) == length
    return data


def read_a_sector(client: socket.socket) -> None:
    client.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, 5, 0, 512))
    received(client, 16 + 512)


def test_over_tcp_a_second_client_is_not_served(disk: Path) -> None:
    with tcp_server(disk) as server:
        name = server.address("web-01/2000").rpartition("/")[2].encode()
        with shake_hands(server, 1, name) as first:
            received(first, 10)
            read_a_sector(first)
            with shake_hands(server, 1, name) as second:
                received(second, 10)
                assert second.recv(1) == b""
            read_a_sector(first)


def test_connections_that_say_nothing_do_not_use_up_the_server(
    server: NbdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.nbd.server._HANDSHAKE_S", 0.5)
    silent = [connect(server) for _ in range(60)]
    try:
        for client in silent:
            while client.recv(64):
                pass
        with shake_hands(server) as client:
            assert len(client.recv(10, socket.MSG_WAITALL)) == 10
    finally:
        for client in silent:
            client.close()
