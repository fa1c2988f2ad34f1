"""What a host depends on: locks by exclusive CREATE, eof, handles and answers that survive a restart."""

import socket
import struct
from contextlib import AbstractContextManager

import pytest

from tests.support.nfs_client import (
    CREATE,
    EXCLUSIVE,
    FSINFO,
    FSSTAT,
    GUARDED,
    MOUNT,
    NFS,
    NO_ATTRIBUTES,
    PATHCONF,
    PORTMAP,
    UNSTABLE,
    Facts,
    NfsClient,
    Reader,
    Refused,
    opaque,
    sattr,
    u32,
)
from tests.unit.nfs.conftest import SECRET, Site

NOENT, EXIST, NOTDIR, ISDIR, INVAL, NAMETOOLONG, NOTEMPTY, STALE = 2, 17, 20, 21, 22, 63, 66, 70
BADHANDLE, NOT_SYNC, NOTSUPP, TOOSMALL = 10001, 10002, 10004, 10005
MIB = 1 << 20


def refused(status: int) -> AbstractContextManager[pytest.ExceptionInfo[Refused]]:
    return pytest.raises(Refused, match=rf"^{status}$")


# --- finding the server and what it has -------------------------------------------------------------------------


def test_the_port_mapper_knows_both_programs_over_tcp_and_udp(site: Site) -> None:
    mapper = site.server.portmap_port
    assert mapper is not None
    with NfsClient(mapper) as client:
        for program in (NFS, MOUNT):
            assert client.ask(3, u32(program, 3, 6, 0), program=PORTMAP, version=2).u32() == site.server.port
        assert client.ask(3, u32(NFS, 4, 6, 0), program=PORTMAP, version=2).u32() == 0
        assert client.ask(1, u32(NFS, 3, 6, 99), program=PORTMAP, version=2).u32() == 0, "nobody else registers"
    call = u32(7, 0, 2, PORTMAP, 2, 3, 0, 0, 0, 0) + u32(NFS, 3, 6, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.sendto(call, ("127.0.0.1", mapper))
        assert udp.recv(1000) == u32(7, 1, 0, 0, 0, 0, site.server.port)


def test_a_volume_and_the_folders_in_it_are_mounted_by_who_knows_its_name(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    home = client.mkdir(root, "web-01")
    assert client.mount(f"/{SECRET}/web-01") == home
    assert client.mount(f"/{SECRET}/web-01/") == home
    assert len(home) == 16
    for wrong in ("/", "/other", f"/{SECRET}/none", f"/{SECRET}x", "", "/../etc"):
        with refused(NOENT):
            client.mount(wrong)
    assert client.ask(5, b"", program=MOUNT).data == u32(0), "what there is to mount is not told"
    assert client.ask(2, b"", program=MOUNT).data == u32(0)


def test_what_a_file_system_is_like_is_told(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    info = client.call(FSINFO, opaque(root))
    info.attributes()
    sizes = [info.u32() for _ in range(7)]
    assert sizes[:6] == [MIB, MIB, 512] * 2
    assert info.u64() >= 62 << 40, "the largest disk of vSphere"
    stat = client.call(FSSTAT, opaque(root))
    stat.attributes()
    total, free, available = stat.u64(), stat.u64(), stat.u64()
    assert total > free >= available > 0
    conf = client.call(PATHCONF, opaque(root))
    conf.attributes()
    assert [conf.u32() for _ in range(6)] == [1, 255, 1, 1, 0, 1]


# --- files ------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_and_eof_is_set_at_the_end_only(site: Site) -> None:
    client = site.client()
    file = client.create(client.mount(f"/{SECRET}"), "file")
    client.write(file, 0, b"a" * 5000)
    client.write(file, 10_000, b"b", UNSTABLE)
    assert client.facts(file).size == 10_001
    assert client.read(file, 4990, 20) == (b"a" * 10 + bytes(10), False)
    assert client.read(file, 9_000, 1001) == (bytes(1000) + b"b", True)
    assert client.read(file, 9_000, MIB) == (bytes(1000) + b"b", True)
    assert client.read(file, 0, 0) == (b"", False)
    assert client.read(file, 10_001, 10) == (b"", True)
    assert client.read(file, 1 << 60, 10) == (b"", True)


@pytest.mark.parametrize("size", [1, 511, 4096, 64 << 10, (64 << 10) + 1, MIB])
def test_reads_and_writes_of_every_size(site: Site, size: int) -> None:
    client = site.client()
    file = client.create(client.mount(f"/{SECRET}"), "file")
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    client.write(file, 3, data)
    assert client.read(file, 3, size) == (data, True)
    assert client.read(file, 0, 3) == (bytes(3), False)


def test_an_exclusive_creation_sent_again_is_the_same_success_and_anothers_is_refused(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    lock = client.create(root, ".lck-0300", EXCLUSIVE, b"host-a__")
    assert client.create(root, ".lck-0300", EXCLUSIVE, b"host-a__") == lock
    with refused(EXIST):
        client.create(root, ".lck-0300", EXCLUSIVE, b"host-b__")
    site.restart()
    client = site.client()
    root = client.mount(f"/{SECRET}")
    assert client.create(root, ".lck-0300", EXCLUSIVE, b"host-a__") == lock
    with refused(EXIST):
        client.create(root, ".lck-0300", EXCLUSIVE, b"host-b__")


def test_a_guarded_creation_sent_again_over_another_connection_gets_the_same_answer(site: Site) -> None:
    first, second = site.client(), site.client()
    root = first.mount(f"/{SECRET}")
    body = opaque(root) + opaque(b"guarded") + u32(GUARDED) + NO_ATTRIBUTES
    number = first.send(CREATE, body)
    _, results = first.receive()
    assert second.ask(CREATE, body, xid=number).data == results
    with refused(EXIST):
        second.create(root, "guarded", GUARDED)
    with refused(EXIST):
        first.create(root, "guarded", GUARDED, xid=number + 1000)


def test_a_removal_sent_again_is_the_same_success(site: Site) -> None:
    first, second = site.client(), site.client()
    root = first.mount(f"/{SECRET}")
    first.create(root, "file")
    first.remove(root, "file", xid=77)
    second.remove(root, "file", xid=77)
    with refused(NOENT):
        second.remove(root, "file", xid=78)


def test_an_unchecked_creation_takes_what_is_there_and_cuts_it_where_that_is_asked_for(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    file = client.create(root, "file")
    client.write(file, 0, b"content")
    assert client.create(root, "file") == file
    assert client.read(file, 0, 100)[0] == b"content"
    body = opaque(root) + opaque(b"file") + u32(0) + sattr(size=3)
    client.call(CREATE, body)
    assert client.read(file, 0, 100)[0] == b"con"
    client.mkdir(root, "folder")
    with refused(EXIST):
        client.create(root, "folder")


def test_sizes_and_modes_are_set_under_a_guard(site: Site) -> None:
    client = site.client()
    file = client.create(client.mount(f"/{SECRET}"), "file")
    client.write(file, 0, b"content")
    before = client.facts(file)
    after = client.set(file, sattr(size=4, mode=0o600), before.ctime)
    assert (after.size, after.mode) == (4, 0o600)
    assert after.ctime > before.ctime
    with refused(NOT_SYNC):
        client.set(file, sattr(size=1), before.ctime)
    client.set(file, sattr(size=1 << 40))
    assert client.read(file, (1 << 40) - 10, 10) == (bytes(10), True)
    client.set(file, sattr(size=0))
    assert client.facts(file).size == 0


# --- names ------------------------------------------------------------------------------------------------------


def test_a_file_keeps_its_handle_under_another_name_and_place(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    folder = client.mkdir(root, "folder")
    file = client.create(root, "a")
    client.write(file, 0, b"moved")
    there = client.create(folder, "b")
    client.rename(root, "a", folder, "b")
    assert client.lookup(folder, "b") == file
    assert client.read(file, 0, 10) == (b"moved", True)
    with refused(NOENT):
        client.lookup(root, "a")
    with refused(STALE):
        client.facts(there)
    client.rename(folder, "b", folder, "b")
    assert client.lookup(folder, "b") == file


def test_what_may_not_be_renamed_or_removed(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    outer = client.mkdir(root, "outer")
    inner = client.mkdir(outer, "inner")
    client.create(root, "file")
    with refused(INVAL):
        client.rename(root, "outer", inner, "outer")
    with refused(EXIST):
        client.rename(root, "file", root, "outer")
    with refused(EXIST):
        client.rename(root, "outer", root, "file")
    with refused(NOTEMPTY):
        client.rmdir(root, "outer")
    with refused(NOTDIR):
        client.rmdir(root, "file")
    with refused(ISDIR):
        client.remove(root, "outer")
    for missing in (client.remove, client.rmdir):
        with refused(NOENT):
            missing(root, "none")
    client.mkdir(root, "empty")
    client.rename(root, "empty", root, "renamed")
    client.rmdir(root, "renamed")
    client.rmdir(outer, "inner")
    with refused(STALE):
        client.create(inner, "too late")
    with refused(STALE):
        list(client.names(inner))


@pytest.mark.parametrize(
    ("name", "status"),
    [("", INVAL), ("a/b", INVAL), ("a\0b", INVAL), (".", EXIST), ("..", EXIST), ("x" * 256, NAMETOOLONG)],
)
def test_what_is_no_name_is_refused(site: Site, name: str, status: int) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    for make in (client.create, client.mkdir):
        with refused(status):
            make(root, name)
    client.create(root, "x" * 255)
    client.create(root, "虚机.vmx")
    with refused(status):
        client.rename(root, "虚机.vmx", root, name)


def test_a_file_is_no_folder(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    file = client.create(root, "file")
    with refused(NOTDIR):
        client.create(file, "x")
    with refused(NOTDIR):
        client.lookup(file, "x")
    with refused(NOTDIR):
        list(client.names(file))
    with refused(ISDIR):
        client.read(root, 0, 1)
    with refused(ISDIR):
        client.write(root, 0, b"x")
    with refused(ISDIR):
        client.commit(root)


@pytest.mark.parametrize("page_bytes", [256, 1024, 32_768])
def test_a_folder_is_listed_page_by_page_while_it_changes(site: Site, page_bytes: int) -> None:
    client, other = site.client(), site.client()
    root = client.mount(f"/{SECRET}")
    for number in range(60):
        client.create(root, f"f{number:03}")
    found: list[str] = []
    for name, _ in client.names(root, page_bytes):
        found.append(name)
        if name == "f010":
            other.remove(root, "f005")
            other.remove(root, "f050")
            other.create(root, "late")
    staying = {f"f{number:03}" for number in range(60)} - {"f005", "f050"}
    assert len(found) == len(set(found)), "none twice"
    assert staying <= set(found), "none that stays is left out"
    with refused(TOOSMALL):
        list(client.names(root, 110))


def test_a_listing_with_attributes_has_those_of_each(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    file = client.create(root, "file")
    client.write(file, 0, b"12345")
    reader = client.call(17, opaque(root) + struct.pack(">Q8xII", 0, 4096, 8192))
    reader.attributes()
    reader.take(8)
    found: dict[bytes, tuple[Facts | None, bytes]] = {}
    while reader.u32():
        reader.u64()
        name, _ = reader.opaque(), reader.u64()
        facts = reader.attributes()
        assert reader.u32() == 1
        found[name] = facts, reader.opaque()
    assert reader.u32() == 1
    reader.end()
    assert set(found) == {b".", b"..", b"file"}
    facts, handle = found[b"file"]
    assert (handle, facts) == (file, client.facts(file))
    assert found[b"."][1] == found[b".."][1] == root


# --- a restart --------------------------------------------------------------------------------------------------


def test_handles_names_and_acknowledged_writes_survive_a_restart(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    folder = client.mkdir(root, "folder")
    file = client.create(folder, "file")
    verifier = client.write(file, 0, b"durable")
    assert client.write(file, 100, b"perhaps", UNSTABLE) == verifier
    before = client.facts(file)
    site.restart()
    client = site.client()
    assert client.mount(f"/{SECRET}") == root
    assert client.lookup(folder, "file") == file
    assert client.read(file, 0, 7)[0] == b"durable"
    assert client.facts(file).fileid == before.fileid
    assert client.commit(file) != verifier, "what was not durable is sent again"
    other = client.create(folder, "other")
    assert other != file
    client.remove(folder, "other")
    site.restart()
    client = site.client()
    with refused(STALE):
        client.facts(other)
    newest = client.create(folder, "newest")
    assert newest not in (file, other), "no id is used twice"


def test_foreign_handles_are_refused(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    with refused(STALE):
        client.facts(bytes(16))
    with refused(STALE):
        client.facts(root[:8] + b"\xff" * 8)
    for wrong in (b"", root[:15], root + b"x", root * 4):
        with refused(BADHANDLE):
            client.facts(wrong)
        with refused(BADHANDLE):
            client.read(wrong, 0, 1)


def test_what_has_no_sense_here_is_refused_as_that(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    file = client.create(root, "file")
    link = opaque(root) + opaque(b"link") + NO_ATTRIBUTES + opaque(b"/etc/passwd")
    with refused(NOTSUPP):
        client.call(10, link)
    with refused(NOTSUPP):
        client.call(11, opaque(root) + opaque(b"pipe") + u32(7) + NO_ATTRIBUTES)
    with refused(NOTSUPP):
        client.call(15, opaque(file) + opaque(root) + opaque(b"second"))
    with refused(INVAL):
        client.call(5, opaque(file))
    assert client.ask(0, b"").data == b""


# --- calls that are none ----------------------------------------------------------------------------------------


def test_calls_of_other_programs_versions_and_procedures_are_told_apart(site: Site) -> None:
    client = site.client()

    def answer(call: bytes) -> bytes:
        client.socket.sendall(u32(0x8000_0000 | len(call)) + call)
        return client.record()

    assert answer(u32(1, 0, 2, 99, 3, 0, 0, 0, 0, 0)) == u32(1, 1, 0, 0, 0, 1)
    assert answer(u32(2, 0, 2, NFS, 4, 0, 0, 0, 0, 0)) == u32(2, 1, 0, 0, 0, 2, 3, 3)
    assert answer(u32(3, 0, 2, NFS, 3, 22, 0, 0, 0, 0)) == u32(3, 1, 0, 0, 0, 3)
    assert answer(u32(4, 0, 2, NFS, 3, 1, 0, 0, 0, 0)) == u32(4, 1, 0, 0, 0, 4), "no handle"
    assert answer(u32(5, 0, 3, NFS, 3, 0, 0, 0, 0, 0)) == u32(5, 1, 1, 0, 2, 2)
    assert answer(u32(6, 0, 2, NFS, 3, 0, 6, 0, 0, 0)) == u32(6, 1, 1, 1, 2), "Kerberos is not spoken"
    assert answer(u32(7, 0, 2, NFS, 3, 0, 0, 0, 0, 0)) == u32(7, 1, 0, 0, 0, 0)


def test_a_call_in_several_fragments_is_one_call(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    call = u32(9, 0, 2, NFS, 3, 1, 0, 0, 0, 0) + opaque(root)
    for at in range(0, len(call), 7):
        piece = call[at : at + 7]
        last = 0x8000_0000 if at + 7 >= len(call) else 0
        client.socket.sendall(u32(last | len(piece)) + piece)
    reader = Reader(client.record())
    assert [reader.u32() for _ in range(7)] == [9, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 64, u32(0x8000_0004) + b"abcd", u32(0x8000_0018) + u32(1, 1, 0, 0, 0, 0)]
)
def test_what_is_no_call_ends_the_connection_and_no_other(site: Site, garbage: bytes) -> None:
    good, bad = site.client(), site.client()
    root = good.mount(f"/{SECRET}")
    bad.socket.sendall(garbage)
    with pytest.raises(ConnectionError):
        bad.record()
    assert good.facts(root).kind == 2


def test_many_calls_at_once_are_all_answered(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    file = client.create(root, "file")
    client.write(file, 0, bytes(range(256)) * 4096)
    sent = [client.send(6, opaque(file) + struct.pack(">QI", at * 256, 200_000)) for at in range(1000)]
    answered = set()
    for _ in sent:
        number, results = client.receive()
        assert results[:4] == u32(0)
        answered.add(number)
    assert answered == set(sent)


def test_large_reads_go_on_when_as_many_as_may_wait_were_answered(site: Site) -> None:
    """The next is sent when one is answered, as a host does: nothing but answers gets the server going again."""
    client = site.client()
    file = client.create(client.mount(f"/{SECRET}"), "file")
    client.write(file, MIB - 1, b"x")
    body = opaque(file) + struct.pack(">QI", 0, MIB)
    for _ in range(12):
        client.send(6, body)
    for _ in range(40):
        client.receive()
        client.send(6, body)
    for _ in range(12):
        client.receive()


def test_strangers_are_turned_away(tmp_path_factory: pytest.TempPathFactory, site: Site) -> None:
    del tmp_path_factory
    site.server.remove(SECRET)
    with NfsClient(site.server.port) as stranger, pytest.raises(ConnectionError):
        stranger.ask(0, b"")
    site.server.add(SECRET, site.volume)
    site.client().mount(f"/{SECRET}")
