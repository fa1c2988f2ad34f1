"""One share for all recoveries: a host mounts it once, and finds a folder for each VM."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from app.nfs import OpenFiles, Volume
from app.nfs.errors import NfsError
from tests.support import libnfs
from tests.support.nfs_client import GUARDED, LOOKUP, NfsClient, Refused, opaque
from tests.unit.nfs.conftest import CLIENTS, SECRET, Site

NOENT, ACCES, EXIST, XDEV, ISDIR, NOTEMPTY, STALE = 2, 13, 17, 18, 21, 66, 70
SERVERFAULT, JUKEBOX = 10006, 10008


def refused(status: int) -> AbstractContextManager[pytest.ExceptionInfo[Refused]]:
    return pytest.raises(Refused, match=rf"^{status}$")


class Shared:
    """A share with two recoveries, ``web`` and ``db``."""

    def __init__(self, site: Site, folder: Path, clients: frozenset[str] = CLIENTS) -> None:
        self.site = site
        self.files = OpenFiles()
        self.members = {
            name: Volume(folder / name, clients=clients, disks={}, files=self.files) for name in ("web", "db")
        }
        for number, (name, member) in enumerate(self.members.items(), 1):
            site.server.join(SECRET, name, member, number)

    def close(self) -> None:
        for member in self.members.values():
            member.close()
        self.files.close()


@pytest.fixture
def shared(site: Site, tmp_path: Path) -> Iterator[Shared]:
    made = Shared(site, tmp_path / "members")
    with ExitStack() as stack:
        stack.callback(made.close)
        yield made


@pytest.fixture
def client(site: Site, shared: Shared) -> NfsClient:
    del shared
    return site.client()


def test_a_host_sees_one_file_system_with_a_folder_for_each_vm(client: NfsClient) -> None:
    root = client.mount(f"/{SECRET}")
    web, db = client.lookup(root, "web"), client.lookup(root, "db")
    assert client.mount(f"/{SECRET}/web") == web
    made = {client.create(folder, "vmware.log") for folder in (root, web, db)}
    assert len(made) == 3
    volumes = {client.call(1, opaque(handle)).data[48:56] for handle in (root, web, db, *made)}
    assert len(volumes) == 1, "fsid"
    ids = [client.facts(handle).fileid for handle in (root, web, db, *made)]
    assert len(set(ids)) == len(ids), "fileid"
    listed = dict(client.names(root, page_bytes=256))
    assert listed == {
        "vmware.log": client.facts(client.lookup(root, "vmware.log")).fileid,
        "web": client.facts(web).fileid,
        "db": client.facts(db).fileid,
    }


def test_the_way_out_of_a_folder_leads_to_the_share(client: NfsClient) -> None:
    root = client.mount(f"/{SECRET}")
    web = client.lookup(root, "web")
    inner = client.mkdir(web, "inner")
    assert client.lookup(inner, "..") == web
    assert client.lookup(web, "..") == root
    assert client.lookup(root, "..") == root
    with refused(NOENT):
        client.lookup(inner, "db")


def test_nobody_takes_a_recovery_away_or_puts_something_in_its_place(client: NfsClient) -> None:
    root = client.mount(f"/{SECRET}")
    file = client.create(root, "file")
    client.create(client.lookup(root, "web"), "web.vmx")
    with refused(EXIST):
        client.create(root, "web")
    with refused(EXIST):
        client.create(root, "web", how=GUARDED)
    with refused(EXIST):
        client.mkdir(root, "web")
    with refused(ISDIR):
        client.remove(root, "web")
    with refused(NOTEMPTY):
        client.rmdir(root, "web")
    with refused(ACCES):
        client.rename(root, "web", root, "other")
    with refused(EXIST):
        client.rename(root, "file", root, "web")
    with refused(XDEV):
        client.rename(root, "file", client.lookup(root, "web"), "file")
    assert client.lookup(root, "file") == file
    assert {name for name, _ in client.names(root)} == {"file", "web", "db"}


def test_what_a_share_has_in_a_place_stays_there(site: Site, client: NfsClient, tmp_path: Path) -> None:
    client.mkdir(client.mount(f"/{SECRET}"), "taken")
    files = OpenFiles()
    late = Volume(tmp_path / "late", clients=CLIENTS, disks={}, files=files)
    with pytest.raises(NfsError, match="EXIST"):
        site.server.join(SECRET, "taken", late, 3)
    with pytest.raises(NfsError, match="NOENT"):
        site.server.join("another", "late", late, 3)
    late.close()
    files.close()


def test_a_recovery_that_has_ended_is_gone_and_the_others_stay(site: Site, client: NfsClient) -> None:
    root = client.mount(f"/{SECRET}")
    web, db = client.lookup(root, "web"), client.lookup(root, "db")
    site.server.leave(SECRET, "web")
    with refused(STALE):
        client.facts(web)
    with refused(NOENT):
        client.call(LOOKUP, opaque(root) + opaque(b"web"))
    assert client.facts(db).kind == 2
    assert {name for name, _ in client.names(root)} == {"db"}


def test_a_vm_that_moves_away_takes_its_empty_folder_along(client: NfsClient) -> None:
    root = client.mount(f"/{SECRET}")
    web = client.lookup(root, "web")
    client.rmdir(root, "web")
    assert {name for name, _ in client.names(root)} == {"db"}
    with refused(STALE):
        client.facts(web)


def test_handles_and_ids_stay_when_the_server_starts_again(site: Site, tmp_path: Path) -> None:
    first = Shared(site, tmp_path / "members")
    client = site.client()
    db = client.mount(f"/{SECRET}/db")
    known = client.facts(db).fileid
    first.close()
    site.restart()
    again = Shared(site, tmp_path / "members")
    assert site.client().facts(db).fileid == known
    again.close()


def test_a_host_sees_the_share_but_not_what_is_for_another(site: Site, tmp_path: Path) -> None:
    shared = Shared(site, tmp_path / "members", clients=frozenset({"192.0.2.7"}))
    client = site.client()
    root = client.mount(f"/{SECRET}")
    with refused(ACCES):
        client.mount(f"/{SECRET}/web")
    handle = client.lookup(root, "web")
    with refused(ACCES):
        client.create(handle, "file")
    shared.close()


@pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed")
def test_a_client_that_others_wrote_walks_through_the_share(site: Site, shared: Shared) -> None:
    del shared
    port = site.server.port
    with libnfs.LibNfs(f"nfs://127.0.0.1/{SECRET}?nfsport={port}&mountport={port}") as mounted:
        assert mounted.names("/") == {"web", "db"}
        with mounted.open("/web/note", 0o102) as file:
            file.write(0, b"for the web")
        with mounted.open("/db/../web/note") as file:
            assert file.read(0, 100) == b"for the web"
        assert mounted.inode("/web/note") >> 32 == 1


def test_who_may_use_a_recovery_that_cannot_be_shown_yet_is_asked_to_wait(
    site: Site, tmp_path: Path, shared: Shared
) -> None:
    """A stale handle would end the guest's input and output; one that is to come again is waited for."""
    site.server.leave(SECRET, "web")
    site.server.expect(SECRET, "web", CLIENTS)
    client = site.client()
    root = client.mount(f"/{SECRET}")
    handle = shared.members["web"].handle(shared.members["web"].root())
    with refused(JUKEBOX):
        client.facts(handle)
    with refused(JUKEBOX):
        client.lookup(root, "web")
    with refused(EXIST):
        client.mkdir(root, "web")
    with refused(JUKEBOX):
        client.rmdir(root, "web")
    with refused(SERVERFAULT):
        client.mount(f"/{SECRET}/web")
    assert client.lookup(root, "db"), "the others are served"
    site.server.join(SECRET, "web", shared.members["web"], 1)
    assert client.lookup(root, "web") == handle
    site.server.leave(SECRET, "web")
    with refused(STALE):
        client.facts(handle)


def test_a_host_finds_its_share_while_nothing_in_it_can_be_shown(site: Site) -> None:
    site.server.expect(SECRET, "web", CLIENTS)
    client = site.client()
    root = client.mount(f"/{SECRET}")
    assert list(client.names(root)) == []
    site.server.leave(SECRET, "web")
