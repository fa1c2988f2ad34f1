"""nfs-rs, a third client that we did not write, uses a volume of ours."""

import random

import pytest

from tests.unit.nfs.conftest import SECRET, Site

nfs_rs = pytest.importorskip("nfs_rs", exc_type=ImportError)
MIB = 1 << 20


def test_files_and_folders_come_and_go(site: Site) -> None:
    port = site.server.port
    url = f"nfs://127.0.0.1/{SECRET}?nfsport={port}&mountport={port}&version=3"
    data = random.Random(7).randbytes(3 * MIB + 5)
    with nfs_rs.Client.connect(url) as client:
        assert client.version == "3"
        client.mkdir("/web-01")
        with client.open("/web-01/disk", "wb") as file:
            file.write(data)
        with client.open("/web-01/disk", "rb") as file:
            assert file.read() == data
        assert client.listdir("/web-01") == ["disk"]
        assert client.stat("/web-01/disk").size == len(data)
        assert client.fs_info().max_write == MIB
        client.rename("/web-01/disk", "/moved")
        assert sorted(client.listdir("/")) == ["moved", "web-01"]
        client.truncate("/moved", 100)
        with client.open("/moved", "rb") as file:
            assert file.read() == data[:100]
        client.unlink("/moved")
        client.rmdir("/web-01")
        assert client.listdir("/") == []
        with pytest.raises(nfs_rs.NfsNotFoundError):
            client.stat("/moved")
