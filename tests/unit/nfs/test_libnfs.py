"""libnfs, which we did not write, uses a volume of ours as a file system."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.support.libnfs import LibNfs, is_there
from tests.unit.nfs.conftest import SECRET, Site

pytestmark = pytest.mark.skipif(not is_there(), reason="libnfs is not installed")
MIB = 1 << 20


def url(site: Site, path: str = "") -> str:
    port = site.server.port
    return f"nfs://127.0.0.1/{SECRET}{path}?nfsport={port}&mountport={port}"


@pytest.fixture
def mounted(site: Site) -> Iterator[LibNfs]:
    with LibNfs(url(site)) as library:
        yield library


def test_files_and_folders_come_and_go(mounted: LibNfs) -> None:
    mounted.mkdir("/web-01")
    with mounted.open("/web-01/a.vmx", os.O_RDWR | os.O_CREAT) as file:
        file.write(0, b'displayName = "web-01"\n' * 100)
        file.sync()
    assert mounted.names("/web-01") == {"a.vmx"}
    inode = mounted.inode("/web-01/a.vmx")
    mounted.rename("/web-01/a.vmx", "/b.vmx")
    assert mounted.inode("/b.vmx") == inode
    assert (mounted.names("/"), mounted.names("/web-01")) == ({"web-01", "b.vmx"}, set())
    mounted.truncate("/b.vmx", 5)
    assert mounted.size("/b.vmx") == 5
    with mounted.open("/b.vmx", os.O_RDONLY) as file:
        assert file.read(0, 100) == b"displ"
    mounted.unlink("/b.vmx")
    mounted.rmdir("/web-01")
    assert mounted.names("/") == set()
    with pytest.raises(FileNotFoundError):
        mounted.unlink("/b.vmx")


def test_a_folder_is_mounted_by_itself(mounted: LibNfs, site: Site) -> None:
    mounted.mkdir("/web-01")
    with mounted.open("/web-01/file", os.O_RDWR | os.O_CREAT) as file:
        file.write(0, b"content")
    with LibNfs(url(site, "/web-01")) as inner, inner.open("/file", os.O_RDONLY) as file:
        assert file.read(0, 100) == b"content"


def test_a_large_folder_is_listed_whole(mounted: LibNfs) -> None:
    wanted = {f"file-{number:04}-{'x' * (number % 100)}" for number in range(500)}
    for name in wanted:
        with mounted.open(f"/{name}", os.O_RDWR | os.O_CREAT):
            pass
    assert mounted.names("/") == wanted


def test_random_writes_and_reads_are_those_of_a_file(mounted: LibNfs) -> None:
    dice = random.Random(20261130)
    model = bytearray()
    with mounted.open("/file", os.O_RDWR | os.O_CREAT) as file:
        for _ in range(300):
            offset, length = dice.randrange(6 * MIB), dice.choice((1, 511, 4096, 70_000, 3 * MIB))
            if dice.random() < 0.5:
                data = dice.randbytes(length)
                model.extend(bytes(max(0, offset + length - len(model))))
                model[offset : offset + length] = data
                file.write(offset, data)
            else:
                assert file.read(offset, length) == model[offset : offset + length]
        file.sync()
        assert file.read(0, 10 * MIB) == model


def test_a_client_goes_on_after_a_restart_of_the_server(site: Site) -> None:
    """The port stays, as it does in earnest; libnfs connects again by itself, and repeats what was unanswered."""
    port = site.server.port
    with LibNfs(url(site)) as mounted, mounted.open("/file", os.O_RDWR | os.O_CREAT) as file:
        file.write(0, b"before")
        file.sync()
        site.stop()
        site.start(port)
        file.write(6, b" and after")
        assert file.read(0, 100) == b"before and after"
